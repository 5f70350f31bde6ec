# %% [markdown]
# # Lesson 1. Hello, World!
# ## Chest or abdomen?
#
# In the next 45 minutes you will teach a computer to tell a chest radiograph from an abdominal one. You need no
# experience with code. Every grey box below is a *cell*: click on it and press **Shift + Enter** to run it. Go from top
# to bottom. If something breaks, choose *Kernel → Restart Kernel and Run up to Selected Cell* and you are back where you
# were.
#
# The task is small on purpose: you can check every answer yourself. The steps are those of a real project.
#
# *For teaching and research. Nothing here is a medical device.*

# %% tags=["setup"] jupyter={"source_hidden": true} cellView="form"
# On Colab or Kaggle this cell installs firstread. On your own computer it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("firstread") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "firstread[all]"], check=True)

# %% [markdown]
# ## 1. Hello, World!
#
# Every programming course begins with this line. `print` writes what stands between the quotation marks. Run it, then
# put your own name in place of *World* and run it again.

# %% tags=["step-hello"]
print("Hello, World!")

# %% [markdown]
# Now the library. `import firstread as fr` means: fetch the tools, and let us call them `fr`. The second line opens this
# lesson's notes, where your answers and results are kept.

# %%
import firstread as fr

lesson = fr.lesson("hello-world")
lesson.step("hello")
lesson

# %% [markdown]
# ## 2. Look at the images
#
# **Why.** A radiologist who trains a network without looking at the images makes the same mistake as one who dictates
# from the request form. A *cohort* is a table: one row an image, with its class, its patient and its *split*.
#
# * **train**: the network learns from these, as you learn from a teaching file.
# * **validation**: we watch these while it learns, to see when to stop. It never learns from them.
# * **test**: looked at once, at the end, like a board exam.

# %% tags=["step-look"]
lesson.step("look")
cohort = fr.open_dataset(lesson.data)
cohort

# %%
cohort.train.show(10)

# %% [markdown]
# Where do the images come from? A report that cannot say this cannot be trusted. Of two classes one is called *positive*: a
# score near 1 will mean this one.

# %%
print(cohort.origin.description)
print("Licence:", cohort.origin.license)
print("The positive class is", cohort.positive)

# %%
lesson.question("patient-split")

# %% [markdown]
# ## 3. Read ten images yourself
#
# **Why.** You will ask how good the network is. Good compared with whom? So you read first. Click what each image shows.
#
# The images are *held out*: the network will not learn from them.

# %% tags=["step-guess"]
lesson.step("guess")
held_out = lesson.held_out(cohort)
ten = lesson.read_ten(held_out)
ten

# %% [markdown]
# Are there no buttons under your images? Then delete the `#` in the next cell, and type one letter for each image.

# %% tags=["edit", "guess"]
# ten.read("c a a c a c a a c a")

# %%
ten.score()

# %% [markdown]
# ## 4. Choose your group
#
# **Why.** Two habits are said to help when images are few. We test both, as an experiment with groups.
#
# * **Augmentation**: each time an image is shown it is turned, moved, zoomed or flipped a little. The network cannot learn one
#   image by heart. Group 1 has it **on**, group 2 **off**.
# * **Dropout**: half of the last layer's cells are switched off at random at each step, so none of them can carry the
#   answer alone. Subgroup A has it **on**, subgroup B **off**.
#
# The next cell tells you which group you were drawn into.

# %% tags=["step-choose"]
lesson.step("choose")
print("Your augmentation:", lesson.arm("augmentation"))
print("Your dropout:     ", lesson.arm("dropout"))

# %% [markdown]
# Type your group into the next cell, between the quotation marks: `"on"` or `"off"`.

# %% tags=["edit", "choose"]
AUGMENTATION = "type on or off"
DROPOUT = "type on or off"

# %% [markdown]
# This cell checks what you typed. If you would rather run another group, you may: what is *really* run is recorded beside
# what was drawn.

# %%
group = lesson.join_group(augmentation=AUGMENTATION, dropout=DROPOUT)
group

# %% [markdown]
# What does augmentation do to one radiograph? The first is the original. Look whether the heart stays on its side.

# %%
lesson.show_augmentation(lesson.first(cohort.train, cohort.positive))

# %% [markdown]
# A flipped chest has its heart on the right. For *chest or abdomen?* that does no harm. For *which lung is collapsed?* it
# would. Augmentation states what must **not** matter, and that is a medical decision.

# %%
lesson.question("flip")

# %% [markdown]
# ## 5. Train the last layers
#
# **Why.** A network has a *backbone*, which turns pixels into features (edges, textures, shapes), and a *head*, which turns
# features into an answer. We first *freeze* the backbone and train only the head, as you would first learn the worklist of a
# new department before you change how you read.
#
# The first cell builds the network. `seed` is where the random numbers begin: the head's first weights, the order of the
# images. In a class each of you has another one, so the class sees how much of a result is luck.

# %% tags=["step-freeze"]
lesson.step("freeze")
model = fr.build_model(
    "regnetx_002", classes=cohort.classes, size=96, weights="phantom", dropout=group.dropout, seed=lesson.seed
)
model

# %% [markdown]
# The second one trains it. `epochs=5` means: go through all training images five times. `learning_rate=3e-3` (0.003) is how
# far the weights move at each step.

# %% tags=["train", "frozen"]
run = fr.train(
    model, cohort, epochs=5, learning_rate=3e-3, schedule="one-cycle", freeze=True,
    augmentation=group.augmentation, arms=group.arms, seed=lesson.seed,
)
run.plot()

# %% [markdown]
# Read the curves as you read a growth chart. **Loss** is how wrong the network is, and should fall. The *training* curve is
# the teaching file, the *validation* curve the unseen cases. If training improves while validation gets worse, the network
# is learning cases by heart: *overfitting*. Look whether that happens here.

# %%
lesson.question("overfitting")

# %% [markdown]
# ## 6. Train the whole network
#
# Now the backbone may change too. `resume=run` goes on from where we stopped, and the history is kept. The `learning_rate` is a
# thirtieth of the one before: the backbone knows a lot already, and large steps would undo it.

# %% tags=["step-unfreeze", "train", "unfrozen"]
lesson.step("unfreeze")
run = fr.train(
    model, cohort, epochs=3, learning_rate=1e-4, schedule="one-cycle",
    augmentation=group.augmentation, resume=run, seed=lesson.seed,
)
run.plot()

# %% [markdown]
# Look whether the loss goes on falling to the right of the dotted line, or jumps up: a backbone that is moved too far at
# once forgets what it knew. To see that, set `learning_rate` to `3e-3`, and run step 5 and 6 again. The same as numbers:

# %%
run.table.round(3)

# %% [markdown]
# **What did the network know before?** Its backbone did not start from nothing. It has seen thousands of images of other
# *phantom patients* (none of yours), and was asked what they show. That is *transfer learning*: what helps with one task is
# carried to another. Does it help on *real* images? The figure was measured on published CT, MR and radiographs of five
# kinds. Compare the network that began with phantoms (orange) with the one that began with random weights (green): the good
# start is worth between 14 and 22 points of accuracy. Where does the trivial rule stand beside them?

# %%
lesson.learning_curve()

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Open the box: the loop that trains
#
# `fr.train` hides nothing. This is the loop that just ran: plain PyTorch. Five lines matter. The network answers, the loss
# says how wrong it was, `backward` finds out which weights are to blame, the optimiser moves each a little, and the
# gradients are cleared for the next batch.

# %%
lesson.open_box("training loop")

# %% [markdown]
# ## 7. Two new patients
#
# One case of each class that the network has never learnt from. It returns a *score* for each class; together they make 1.

# %% tags=["step-cases"]
lesson.step("cases")
two = lesson.one_of_each(cohort)
lesson.show_answers(fr.predict(model, two))

# %% [markdown]
# A score of 0.9 is **not** a probability of 90 % until somebody has checked that it behaves like one. Two cases cannot tell
# you how good a network is, either. So we measure.
#
# ## 8. Measure it honestly
#
# Every number of the first table comes with its **95 % interval**: the range that the true value could plausibly have, given so few cases. And
# beside the network stand the *trivial rules*: file size, image size, brightness, a thumbnail of 8 x 8 pixels. If one of
# those does as well, the network may not have learnt any anatomy.

# %% tags=["step-measure"]
lesson.step("measure")
predictions = fr.predict(model, held_out)
evaluation = fr.evaluate(predictions)
lesson.record("evaluation", evaluation)

# %% [markdown]
# And you?

# %%
ten.compare(predictions)

# %%
lesson.question("interval")

# %% [markdown]
# ## 9. Compare the groups
#
# In a class, everybody's result stands here, without names. You can run the cell again when more have come in.

# %% tags=["step-arms"]
lesson.step("arms")
lesson.class_runs()

# %% [markdown]
# You can also train all four groups yourself, with the same images and the same seed. Alone, this cell does it. In a class the
# others have run them, and the line for the processor is long: if you want to nevertheless, write `train_all=True`.

# %% tags=["edit", "arms"]
lesson.compare_groups(cohort, held_out, train_all=not lesson.in_class)

# %% [markdown]
# Look at how far the intervals overlap before you name a winner. One run of each group, on a few dozen images, can rarely
# tell these habits apart: another seed could reverse the order. That is an honest result, and the reason why a class
# pools its runs.

# %%
lesson.question("arms")

# %% [markdown]
# ## 10. Where does it look?
#
# A *Grad-CAM* map shows which parts of the image pushed the score towards the answer. It is coarse (the title says how
# coarse: a grid of so many squares), and it is a hint, not a proof.

# %% tags=["step-explain"]
lesson.step("explain")
case = lesson.first(held_out, cohort.positive)
fr.explain(model, case).show()

# %%
fr.explain(model, lesson.first(held_out, cohort.classes[0])).show()

# %% [markdown]
# Does such a map show what was learnt, or only the image? We take a copy of the network and make it forget: first its last layer,
# then the one below, down to the first. If the map stays the same, it shows edges in the image and nothing of what was learnt.
#
# That it changes is not enough, because the map of a network that *never* learnt anything changes too. So we also cover the
# hottest third of the map. If the network relies on it, its score falls much further than in any untrained network. If not, we
# say that it cannot be told.

# %%
check = fr.sanity_check(model, case)
print(check)
check.figure()

# %% [markdown]
# ## 11. Which rule did it learn?
#
# First, what do the trivial rules know? `check_data` looks for duplicates, marks, empty images and *shortcuts*.

# %% tags=["step-rule"]
lesson.step("rule")
fr.check_data(cohort)

# %% [markdown]
# Now we plant a shortcut. Suppose that your labels were read from the *request forms*, and that one in three is wrong. And
# suppose that a side marker stands on every image that was *requested* as a chest. So the marker always agrees with the
# label, and the anatomy only two times in three. In hospitals such things are real: the portable unit's marker, the
# burned-in name of a ward, the ruler beside a skin lesion.

# %%
from_requests = lesson.plant_wrong_labels(cohort, share=0.35)
marked = lesson.plant_marker(from_requests, on=cohort.positive)
marked.train.show(10)

# %%
fooled = fr.build_model("regnetx_002", classes=cohort.classes, size=96, weights="phantom", seed=lesson.seed)
fooled_run = fr.train(fooled, marked, epochs=10, learning_rate=3e-3, schedule="one-cycle", seed=lesson.seed)
fooled_run.plot()

# %% [markdown]
# Look at the validation accuracy: if it comes close to 1, that would pass for success. But these labels, too, are those of the
# request forms, and these images carry the marker. So we test on images whose labels are *right*, three times: with the marker
# as in training, without any marker, and with the marker on the other class.

# %%
as_trained = lesson.plant_marker(held_out, on=cohort.positive)
swapped = lesson.plant_marker(held_out, on=cohort.classes[0])
trials = {"marker as in training": fr.predict(fooled, as_trained), "no marker": fr.predict(fooled, held_out)}
trials["marker on the other class"] = fr.predict(fooled, swapped)
lesson.record("planted_marker", fr.compare(trials))

# %% [markdown]
# Where does this network look? Here is an image of the other class that carries the marker, and two maps of what spoke for the
# marker's class. *Occlusion* covers one small square after another and watches how far the score falls.

# %%
misled = lesson.first(swapped, cohort.classes[0])
occlusion = fr.explain(fooled, misled, method="occlusion", target=cohort.positive)
grad_cam = fr.explain(fooled, misled, target=cohort.positive)
print(occlusion, grad_cam, sep="\n")
occlusion.show(grad_cam)

# %% [markdown]
# Which of the two has its peak (the ring) at the marker? We trained 12 networks in this way, each with other wrong labels, and
# showed each the same 12 marked abdomens. The peak lay on the marker or within 6 pixels of it in all 144 maps by occlusion, and
# in 141 of 144 by Grad-CAM; with a smaller marker Grad-CAM missed it in three of four. A map on which nothing looks suspicious does not clear a network.
#
# What convicts it are the three accuracies above. Look whether accuracy falls when the marker goes, and falls further when it
# changes sides: then the network had learnt the marker and not the anatomy, and its accuracy on data *like its training data*
# gave no warning. If the intervals overlap, these few images cannot convict it, and more are needed.

# %%
lesson.question("shortcut")

# %% [markdown]
# ## 12. The threshold, and what it costs
#
# **In the reading room.** Suppose this network sorts radiographs to the right worklist. Nine of ten radiographs in your department
# are chests. An abdomen sent to the chest list waits for the wrong reader. The *threshold* is the score from which we say
# "chest". Raise it and fewer abdomens go astray, but more chests do.
#
# Sensitivity and specificity belong to the network and its threshold. The predictive values belong to your clinic, because they
# depend on how common a thing is (*prevalence*). Put your own department's share in place of 0.9.

# %% tags=["step-threshold", "edit", "threshold"]
lesson.step("threshold")
fr.evaluate(predictions, prevalence=0.9).costs

# %%
lesson.question("prevalence")

# %% [markdown]
# ## 13. Your own image, and your report
#
# Put an image (PNG, JPEG or DICOM) beside this notebook and type its name. Use no patient's image that still carries a name. Leave
# it empty and we shall use something the network has never met: a simulated **brain MR**.

# %% tags=["step-own", "edit", "own"]
my_image = ""  # <- for instance "my_image.png"

# %%
lesson.step("own")
mine = lesson.own_case(my_image)
lesson.show_answers(fr.predict(model, mine))

# %% [markdown]
# If that was a brain, the network still named one of its two classes, because it knows no third answer. It cannot say "this
# is not what I was trained for". **What would I do with this in the reading room?** Nothing, before somebody has shown that
# it works on *our* scanners and *our* patients, that it notices when it is out of its depth, and that somebody watches it
# afterwards. What you can use tomorrow are the questions: *Which data? Split by patient? What interval? What would a trivial
# rule score? Where does it look?*

# %%
lesson.question("reading-room")

# %% [markdown]
# Your report: data, network, curves, results with intervals beside the trivial rules, the hardest cases and where the network looked. It is
# one file that opens anywhere.

# %%
report = lesson.write_report(model, run, evaluation)
lesson.finish(report=report)

# %% [markdown]
# **Further.** The module this lesson follows: Lakhani P. et al., *Hello World Deep Learning in Medical Imaging*, J Digit Imaging 31:283
# (2018), [doi 10.1007/s10278-018-0079-6](https://doi.org/10.1007/s10278-018-0079-6). The class with its two experiments: Wiggins W.
# et al., J Digit Imaging 34:1026 (2021), [doi 10.1007/s10278-021-00492-9](https://doi.org/10.1007/s10278-021-00492-9). Why a map
# needs a sanity check: Adebayo J. et al. (2018), [arXiv 1810.03292](https://arxiv.org/abs/1810.03292).
#
# **Break it and mend it.** Try these, one at a time, in a new cell (the **+** above). Each message says what happened and what to do.
#
# * Take one class away from the training images: `fr.train(model, cohort.where(cohort.targets == 1), epochs=1)`
# * Ask for a class that does not exist: `lesson.first(held_out, "chets")`
# * Forget a quotation mark: `print("Hello)`
# * Set `epochs` to 1 in step 5, and run the cells from there. No message, but look at the curve and at step 8.
#
# Then go to lesson 2: six classes.
