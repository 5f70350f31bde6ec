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

# %% tags=["setup"]
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
# Where do the images come from? A report that cannot say this cannot be trusted.

# %%
print(cohort.origin.name)
print(cohort.origin.description)
print("Licence:", cohort.origin.license)
print("A score near 1 will mean:", cohort.positive)

# %%
lesson.question("patient-split")

# %% [markdown]
# ## 3. Read ten images yourself
#
# **Why.** You will ask how good the network is. Good compared with whom? So you read first. Look at the ten images and
# type one letter for each: **c** for chest, **a** for abdomen.

# %% tags=["step-guess"]
lesson.step("guess")
held_out = cohort.test if len(cohort.test) >= 10 else cohort.validation
ten = [held_out[i] for i in held_out.table.sample(10, random_state=lesson.seed).index]
fr.show_images([case.image() for case in ten], [f"image {i + 1}" for i in range(10)])

# %% tags=["edit", "guess"]
my_reading = "? ? ? ? ? ? ? ? ? ?"  # <- for instance "c a a c c a c a a c"

# %%
truth = [case.label for case in ten]
mine = [{"c": "chest", "a": "abdomen"}.get(letter, "no answer") for letter in my_reading.lower().split()]
mine = (mine + ["no answer"] * 10)[:10]
my_score = sum(a == b for a, b in zip(mine, truth, strict=True))
lesson.record("my_reading", {"correct": my_score, "of": 10})
print(f"You read {my_score} of 10 correctly. We shall compare the network with you on these same ten.")

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
lesson.check_arms({"augmentation": AUGMENTATION, "dropout": DROPOUT})

# %% [markdown]
# What does augmentation do to one radiograph? The first is the original.

# %%
published_augmentation = fr.Augmentation(**lesson.recipe["augmentation"])
published_augmentation.show(cohort.train[0].image())

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
# `epochs=5` means: go through all training images five times. `seed` is where the random numbers begin: the head's first
# weights, the order of the images. In a class each of you has another one, so the class sees how much of a result is luck.

# %% tags=["step-freeze"]
lesson.step("freeze")
recipe = lesson.recipe
augmentation = published_augmentation if AUGMENTATION == "on" else None
dropout = recipe["dropout"] if DROPOUT == "on" else 0.0

model = fr.build_model(
    recipe["backbone"], classes=cohort.classes, dropout=dropout, size=recipe["size"], weights=recipe["weights"],
    seed=lesson.seed,
)
model

# %%
arms = {"augmentation": AUGMENTATION, "dropout": DROPOUT}
run = fr.train(
    model, cohort, freeze=True, augmentation=augmentation, seed=lesson.seed, arms=arms,
    folder=lesson.folder / "run", **recipe["frozen"],
)
run.plot()

# %% [markdown]
# Read the curves as you read a growth chart. **Loss** is how wrong the network is, and should fall. The *training* curve is
# the teaching file, the *validation* curve the unseen cases. If training improves while validation gets worse, the network
# is learning cases by heart: *overfitting*.

# %%
lesson.question("overfitting")

# %% [markdown]
# ## 6. Train the whole network
#
# Now the backbone may change too. `resume=run` goes on from where we stopped, and the history is kept.

# %% tags=["step-unfreeze"]
lesson.step("unfreeze")
run = fr.train(model, cohort, augmentation=augmentation, resume=run, seed=lesson.seed, **recipe["unfrozen"])
run.plot()

# %%
run.table.round(3)

# %% [markdown]
# ### Open the box
#
# `fr.train` hides nothing. This is the loop that just ran: plain PyTorch. Five lines matter. The network answers, the loss
# says how wrong it was, `backward` finds out which weights are to blame, the optimiser moves each a little, and the
# gradients are cleared for the next batch.

# %%
import inspect

from firstread.learning import loop

print(inspect.getsource(loop.run_one_epoch))

# %% [markdown]
# **What did the network know before?** Its backbone did not start from nothing. It has seen thousands of images of other
# *phantom patients* (none of yours), and was asked what they show. That is *transfer learning*: what helps with one task is carried to
# another. Does it help on *real* images? The figure was measured on published CT, MR and radiographs of five kinds. The fewer
# images there are to learn from, the more a good start is worth.

# %%
import pandas as pd

from firstread.core.figures import plot_learning_curve

plot_learning_curve(pd.read_csv(lesson.info.folder / "learning-curve.csv"))

# %% [markdown]
# ## 7. Two new patients
#
# One chest and one abdomen that the network has never seen. It returns a *score* for each class; together they make 1.

# %% tags=["step-cases"]
lesson.step("cases")
two = [cohort.test[list(cohort.test.targets).index(k)] for k in (0, 1)]
answers = [fr.predict(model, case) for case in two]
titles = [f"{answer.table['prediction'][0]}?  {answer.scores.max():.2f}" for answer in answers]
fr.show_images([case.image() for case in two], titles, columns=2, size_inches=3.5)

# %% [markdown]
# A score of 0.9 is **not** a probability of 90 % until somebody has checked that it behaves like one. Two cases cannot tell
# you how good a network is, either. So we measure.
#
# ## 8. Measure it honestly
#
# Every number comes with its **95 % interval**: the range that the true value could plausibly have, given so few cases. And
# beside the network stand the *trivial rules*: file size, image size, brightness, a thumbnail of 8 x 8 pixels. If one of
# those does as well, the network may not have learnt any anatomy.

# %% tags=["step-measure"]
lesson.step("measure")
predictions = fr.predict(model, held_out)
evaluation = fr.evaluate(predictions)
evaluation.show()

# %%
lesson.record("evaluation", evaluation.to_json())
on_the_ten = [row.prediction for row in predictions.table.set_index("case").loc[[case.case for case in ten]].itertuples()]
network_score = sum(a == b for a, b in zip(on_the_ten, truth, strict=True))
print(f"On the ten images you read: you {my_score}, the network {network_score}.")

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
# You can also run all four groups yourself, with the same images and the same seed. Alone you will want to; in a class the others have
# run them, and the line for the processor is long. Type `True` if you want to nevertheless.

# %%
run_all_four = not lesson.in_class

# %%
results = {}
for augmentation_arm, dropout_arm in [("on", "on"), ("on", "off"), ("off", "on"), ("off", "off")] if run_all_four else []:
    other = fr.build_model(
        recipe["backbone"], classes=cohort.classes, size=recipe["size"], weights=recipe["weights"],
        dropout=recipe["dropout"] if dropout_arm == "on" else 0.0, seed=lesson.seed,
    )
    used = published_augmentation if augmentation_arm == "on" else None
    first = fr.train(other, cohort, freeze=True, augmentation=used, seed=lesson.seed, **recipe["frozen"])
    fr.train(other, cohort, augmentation=used, resume=first, seed=lesson.seed, **recipe["unfrozen"])
    results[f"augmentation {augmentation_arm}, dropout {dropout_arm}"] = fr.predict(other, held_out, baselines=False)

fr.compare(results or {"my run": predictions})

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
case = held_out[int((held_out.targets == 1).argmax())]
fr.explain(model, case).show()

# %%
fr.explain(model, held_out[int((held_out.targets == 0).argmax())]).show()

# %% [markdown]
# Does such a map show what was learnt, or only the image? We take a copy of the network and make it forget: first its last layer,
# then the one below, down to the first. If the map stays the same, it shows edges in the image and nothing of what was learnt.
#
# That it changes is not enough, because the map of a network that *never* learnt anything changes too. So we also cover the
# hottest third of the map. If the network relies on it, its score falls much further than in any untrained network. If not, we
# say that it cannot be told.

# %%
from firstread.explanation.sanity_check import sanity_check

check = sanity_check(model, case)
print(check)
check.figure()

# %% [markdown]
# ## 11. Which rule did it learn?
#
# First, what do the trivial rules know? `check_data` looks for duplicates, marks, empty images and *shortcuts*.

# %% tags=["step-rule"]
lesson.step("rule")
print(fr.check_data(cohort))

# %% [markdown]
# Now we plant a shortcut. Suppose that your labels were read from the *request forms*, and that one in three is wrong. And
# suppose that the side marker **L** stands on every image that was *requested* as a chest. So the marker always agrees with
# the label, and the anatomy only two times in three. In hospitals such things are real: the portable unit's marker, the
# burned-in name of a ward, the ruler beside a skin lesion.

# %%
from firstread.curation.synthetic_shortcuts import add_label_noise, add_marker

from_requests = add_label_noise(cohort, share=0.35, seed=lesson.seed)
marked = add_marker(from_requests, on=["chest"], folder=lesson.folder / "marked")
marked.train.show(10)

# %%
fooled = fr.build_model(
    recipe["backbone"], classes=cohort.classes, size=recipe["size"], weights=recipe["weights"], seed=lesson.seed
)
fooled_run = fr.train(
    fooled, marked, epochs=10, schedule="one-cycle", learning_rate=1e-3, seed=lesson.seed, folder=lesson.folder / "fooled"
)
print(f"Accuracy on its validation images: {fooled_run.history[-1]['validation_accuracy']:.0%}")

# %% [markdown]
# That looks like success. Now we test it on images whose labels are *right*, three times: with the marker on chests, without
# any marker, and with the marker on abdomens.

# %%
chests = add_marker(held_out, on=["chest"], folder=lesson.folder / "marker-on-chest")
abdomens = add_marker(held_out, on=["abdomen"], folder=lesson.folder / "marker-on-abdomen")
trials = {
    "marker on chests": fr.predict(fooled, chests, baselines=False),
    "no marker": fr.predict(fooled, held_out, baselines=False),
    "marker on abdomens": fr.predict(fooled, abdomens, baselines=False),
}
fooled_by_marker = fr.compare(trials)
lesson.record("planted_marker", fooled_by_marker.to_json())
fooled_by_marker

# %% [markdown]
# Where does this network look? Here is an abdomen that carries the marker, and two maps of what spoke for *chest*. *Occlusion*
# covers one small square after another and watches how far the score falls.

# %%
marked_abdomen = abdomens[int((abdomens.targets == 0).argmax())]
occlusion = fr.explain(fooled, marked_abdomen, method="occlusion", target="chest")
grad_cam = fr.explain(fooled, marked_abdomen, target="chest")
print(occlusion, grad_cam, sep="\n")
occlusion.show(grad_cam)

# %% [markdown]
# Which of the two has its peak (the ring) at the marker? We trained 12 networks in this way, each with other wrong labels, and
# showed each the same 12 marked abdomens. The peak lay on the marker or within 6 pixels of it in 140 of 144 maps by occlusion,
# and in 32 of 144 by Grad-CAM. A map on which nothing looks suspicious does not clear a network.
#
# What convicts it are the three accuracies above. If accuracy falls when the marker goes, the network had learnt the marker and
# not the anatomy. Its accuracy on data *like its training data* gave no warning.

# %%
lesson.question("shortcut")

# %% [markdown]
# ## 12. The threshold, and what it costs
#
# **In the reading room.** Suppose this network sorts radiographs to the right worklist. Nine of ten radiographs in your department
# are chests. An abdomen sent to the chest list waits for the wrong reader. The *threshold* is the score from which we say
# "chest". Raise it and fewer abdomens go astray, but more chests do.
#
# Sensitivity and specificity belong to the network and its threshold. The predictive values belong to your clinic, because they depend on how common
# a thing is (*prevalence*).

# %% tags=["step-threshold"]
lesson.step("threshold")
at_half = fr.evaluate(predictions, threshold=0.5, prevalence=0.9)
at_half.costs

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
if my_image:
    mine = fr.Case(case="my image", file=my_image)
else:
    mine = fr.simulate_patients(1, kinds=("brain MR",), seed=lesson.seed, folder=lesson.folder / "brain")[0]
answer = fr.predict(model, mine)
mine.show(f"{answer.table['prediction'][0]}?  {answer.scores.max():.2f}")

# %% [markdown]
# If that was a brain, the network still said *chest* or *abdomen*, because it knows no third answer. It cannot say "this
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
report = fr.write_report(
    lesson.folder / "report.html", cohort=cohort, run=run, model=model, evaluation=evaluation, predictions=predictions
)
lesson.finish(report=report)

# %% [markdown]
# **Further.** The module this lesson follows: Lakhani P. et al., *Hello World Deep Learning in Medical Imaging*, J Digit Imaging 31:283
# (2018), [doi 10.1007/s10278-018-0079-6](https://doi.org/10.1007/s10278-018-0079-6). The class with its two experiments: Wiggins W.
# et al., J Digit Imaging 34:1026 (2021), [doi 10.1007/s10278-021-00492-9](https://doi.org/10.1007/s10278-021-00492-9). Why a map
# needs a sanity check: Adebayo J. et al. (2018), [arXiv 1810.03292](https://arxiv.org/abs/1810.03292).
#
# **Break it and mend it.** Set `epochs` to 1. Give the training set one class only. Type a wrong class name. Each message says what
# happened and what to do. Then go to lesson 2: six classes.
