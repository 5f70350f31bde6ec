# %% [markdown]
# # Lesson 2. Six classes
#
# In lesson 1 there were two answers. Now there are six: abdominal CT, chest CT, head CT, chest radiograph, brain MR and breast
# MR. You will train a deeper network, **ResNet34**, with **one-cycle** training, look at its worst mistakes, and find out how much a
# result depends on how the cases were split.
#
# Press **Shift + Enter** to run a cell. *For teaching and research. Nothing here is a medical device.*

# %% tags=["setup"] jupyter={"source_hidden": true} cellView="form"
# On Colab or Kaggle this cell installs firstread. On your own computer it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("firstread") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "firstread[all]"], check=True)

# %%
import firstread as fr

lesson = fr.lesson("mednist")
lesson

# %% [markdown]
# ## 1. Six kinds of images
#
# **Why.** Sorting images by kind sounds too easy to be useful. But a picture archive whose headers are wrong or were stripped, an
# outside study without a description, a data set that must hold head CT *only*: each needs exactly this.

# %% tags=["step-look"]
lesson.step("look")
cohort = fr.open_dataset(lesson.data)
cohort

# %%
cohort.train.show(18)

# %%
lesson.question("use")

# %% [markdown]
# ## 2. From 16 bits to 8
#
# **Why.** A CT stores about 4,000 gray levels, a screen shows 256. Somebody must choose which part of the range is shown: the
# **window**. You do it at the workstation with the mouse. Before training it is done once, for all images, and what lies
# outside the window is gone for the network too.
#
# The numbers below are Hounsfield units: air is -1000, water 0, compact bone above 1000.

# %% tags=["step-bits", "edit", "windows"]
lesson.step("bits")
lesson.window_table([-1000, -700, -100, 0, 40, 60, 120, 400, 1200], ["lung", "abdomen", "brain", "bone"])

# %% [markdown]
# Each row is a window with its center and width, each column a value, each number the gray level that the screen shows: 0 is
# black, 255 white. Compare the columns 40 and 60 (liver and a metastasis, say) row by row. In the *abdomen* window they are
# well apart. In the *bone* window two or three gray levels are left between them, and in the *lung* window four or so, both
# nearly white. Change the values or the windows above (there are also `"liver"`, `"stroke"` and `"mediastinum"`), and run the
# cell again: which one tells the two apart best?

# %%
lesson.question("window")

# %% [markdown]
# ## 3. Look at a batch
#
# The network sees 64 images at a time, a *batch*, each 64 x 64 pixels. Always look at a batch **as the network gets it**, not
# only at the files: half of all programming mistakes show up here as an image that is black, upside down or cut off.

# %% tags=["step-batch"]
lesson.step("batch")
lesson.show_batch(cohort.train, size=64)

# %% [markdown]
# ## 4. One cycle
#
# The *learning rate* is how far each weight moves at each step. Too small and you wait for ever; too large and it stumbles
# about. **One cycle** starts small, rises, and falls to almost nothing: bold in the middle, careful at the end.

# %% tags=["step-first-cycle"]
lesson.step("first-cycle")
model = fr.build_model(
    "resnet34", classes=cohort.classes, size=64, weights="none", dropout=0.5, seed=lesson.seed
)
model

# %% [markdown]
# Which learning rate? `fr.find_learning_rate` trains a *copy* with ever larger steps and watches the loss. Choose a rate where the
# loss falls, well before it runs away to the right.

# %%
fr.find_learning_rate(model, cohort, batch_size=64, steps=40, seed=lesson.seed).plot()

# %% [markdown]
# Now the first cycle. `epochs=1` means: every training image once. `learning_rate=3e-3` (0.003) is the highest point of the
# cycle. Look whether the loss still falls there in the figure above; if you would choose another rate, type it.

# %% tags=["train", "first"]
run = fr.train(
    model, cohort, epochs=1, learning_rate=3e-3, schedule="one-cycle", batch_size=64, seed=lesson.seed
)
run.table.round(3)

# %%
held_out = lesson.held_out(cohort)
after_one = fr.predict(model, held_out)
fr.evaluate(after_one).confusion

# %% [markdown]
# Rows are the truth, columns the network's answer; what stands off the diagonal is wrong. Look how much that is after a single
# cycle. This network began with *random weights*: it has seen nothing in its life but these images, once. Easy images need no
# more, hard ones do.
#
# **A network that is not a newborn.** The published notebook began with weights from ImageNet, a million photographs. Here is a smaller
# network whose weights have seen *phantom patients* (not these). The same single cycle:

# %% tags=["train", "transfer"]
transferred = fr.build_model(classes=cohort.classes, size=64, weights="phantom", seed=lesson.seed)
fr.train(transferred, cohort, epochs=1, learning_rate=2e-3, schedule="one-cycle", batch_size=32, seed=lesson.seed)
after_one_transferred = fr.predict(transferred, held_out)
fr.compare({"random weights": after_one, "weights that have seen phantoms": after_one_transferred})

# %% [markdown]
# ## 5. Five more
#
# We go on with ResNet34. `resume=run` goes on where it stopped. Nothing is overwritten: the history grows.
#
# **Your turn.** As it stands, the next cell adds one epoch. Change `epochs=1` into `epochs=5`, and run it. Then try another
# `learning_rate`, if you like: each run goes on from the one before.

# %% tags=["step-more-cycles", "edit", "train", "more"]
lesson.step("more-cycles")
run = fr.train(
    model, cohort, epochs=1, learning_rate=1e-3, schedule="one-cycle", batch_size=64, resume=run, seed=lesson.seed
)
run.plot()

# %%
predictions = fr.predict(model, held_out)
evaluation = fr.evaluate(predictions)
lesson.record("evaluation", evaluation)

# %% [markdown]
# Look at the trivial rules in the same table before you are impressed.
#
# ## 6. When to quit
#
# **Stop** when the validation loss has not improved for several epochs: more training only learns the teaching file by
# heart. `patience=3` does it for you and keeps the best epoch.

# %% tags=["step-quit"]
lesson.step("quit")
lesson.best_epoch(run)

# %%
lesson.question("quit")

# %% [markdown]
# ## 7. The worst mistakes
#
# A radiologist learns most from discrepancy rounds, and so does the owner of a network. Here are the held-out cases whose true class got
# the lowest score. Ask of each: is the *network* wrong, or the *label*, or is there nothing to see?

# %% tags=["step-mistakes"]
lesson.step("mistakes")
hardest = lesson.hardest(predictions)
hardest.show()

# %%
fr.explain(model, hardest[0]).show()

# %% [markdown]
# ## 8. The split decides
#
# Neighbouring CT slices look almost alike. If slice 17 is in training and slice 18 in the test, the network need not know any
# anatomy: it has already seen the answer. Dealing slices like cards (*random* split) does this to every patient. A split **by
# patient**, or where patients are not known by *contiguous* runs of file numbers, does not.
#
# The check asks the simplest reader there is: *say what the most similar training image was* ("nearest training image"). Where
# nobody knows the patients, it compares both kinds of split. Look how many cases this reader gets right without any training.

# %% tags=["step-split"]
lesson.step("split")
lesson.record("data_check", fr.check_data(cohort))

# %%
lesson.question("split")

# %% [markdown]
# On the published MedNIST images, whose patients are not known, a random split gives this reader far more than a split by runs of
# file numbers, and one border pixel almost separates abdominal from chest CT, because the two came from different scanners.
# Whoever quotes *99.7 % accuracy* there, quotes the split.
#
# **What would I do with this in the reading room?** Use it where a mistake is cheap and seen at once: to sort an unlabelled archive,
# with a person looking at everything below a chosen score. And when a vendor shows you 99 %, ask: *split by what?*
#
# ## 9. Your report

# %% tags=["step-report"]
lesson.step("report")
report = lesson.write_report(model, run, evaluation)
lesson.finish(report=report)

# %% [markdown]
# **Further.** The notebook this lesson follows: Erickson B., *Magician's Corner: How to Start Learning about Deep Learning*, Radiol Artif
# Intell 1(4):e190072 (2019), [doi 10.1148/ryai.2019190072](https://doi.org/10.1148/ryai.2019190072). One-cycle training: Smith L.
# (2018), [arXiv 1803.09820](https://arxiv.org/abs/1803.09820). ResNet: He K. et al. (2015), [arXiv 1512.03385](https://arxiv.org/abs/1512.03385).
#
# **Break it and mend it.** Try these, one at a time, in a new cell (the **+** above).
#
# * A learning rate that is far too high: `fr.train(model, cohort, epochs=1, learning_rate=1, resume=run)`. Look at `validation_loss`.
# * Smaller images: `fr.build_model("resnet34", classes=cohort.classes, size=16, weights="none")`
# * One class less: `fr.train(model, cohort.where(cohort.targets != 0), epochs=1)`. The message says what is missing.
#
# Then open your own folder of images: `fr.open_dataset("my_folder")`.
