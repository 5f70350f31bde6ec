# %% [markdown]
# # Lesson 2. Six classes
#
# In lesson 1 there were two answers. Now there are six: abdominal CT, chest CT, head CT, chest radiograph, brain MR and breast
# MR. You will train a deeper network, **ResNet34**, with **one-cycle** training, look at its worst mistakes, and find out how much a
# result depends on how the cases were split.
#
# Press **Shift + Enter** to run a cell. *For teaching and research. Nothing here is a medical device.*

# %% tags=["setup"]
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

# %% tags=["step-bits"]
lesson.step("bits")
import numpy as np

from firstread.core.windows import CT_WINDOWS, apply_window

values_hu = np.array([-1000, -700, -100, 0, 40, 60, 120, 400, 1200])
print("Hounsfield units:", *(f"{value:6d}" for value in values_hu))
for name in ("lung", "abdomen", "brain", "bone"):
    center, width = CT_WINDOWS[name]
    shown = apply_window(values_hu, center=center, width=width)
    print(f"{name:16s}:", *(f"{value:6d}" for value in shown))

# %% [markdown]
# In the *abdomen* window, two values that differ by 20 Hounsfield units (liver and a metastasis, say) are told apart. In the
# *bone* window they are nearly the same gray, and in the *lung* window both are white.

# %%
lesson.question("window")

# %% [markdown]
# ## 3. Look at a batch
#
# The network sees 64 images at a time, a *batch*, each 64 x 64 pixels. Always look at a batch **as the network gets it**, not
# only at the files: half of all programming mistakes show up here as an image that is black, upside down or cut off.

# %% tags=["step-batch"]
lesson.step("batch")
recipe = lesson.recipe
pixels = cohort.train.images(recipe["size"])
picked = np.random.default_rng(lesson.seed).permutation(len(pixels))[:12]
fr.show_images(list(pixels[picked]), list(cohort.train.table["label"].iloc[picked]), columns=6)

# %% [markdown]
# ## 4. One cycle
#
# The *learning rate* is how far each weight moves at each step. Too small and you wait for ever; too large and it stumbles
# about. **One cycle** starts small, rises, and falls to almost nothing: bold in the middle, careful at the end.

# %% tags=["step-first-cycle"]
lesson.step("first-cycle")
model = fr.build_model(
    recipe["backbone"], classes=cohort.classes, size=recipe["size"], dropout=recipe["dropout"], weights=recipe["weights"],
    seed=lesson.seed,
)
run = fr.train(
    model, cohort, seed=lesson.seed, batch_size=recipe["batch_size"], folder=lesson.folder / "run", **recipe["first"]
)
run.table.round(3)

# %%
held_out = cohort.test if len(cohort.test) else cohort.validation
after_one = fr.predict(model, held_out)
fr.evaluate(after_one).confusion

# %% [markdown]
# Rows are the truth, columns the network's answer. After a single cycle from random weights most of this may be wrong. That
# is what *random weights* means: this network has seen nothing in its life but these images, once.
#
# **A network that is not a newborn.** The published notebook began with weights from ImageNet, a million photographs. Here is a smaller
# network whose weights have seen *phantom patients* (not these). The same single cycle:

# %%
transferred = fr.build_model(classes=cohort.classes, size=recipe["size"], weights="phantom", seed=lesson.seed)
fr.train(transferred, cohort, seed=lesson.seed, **recipe["transfer"])
after_one_transferred = fr.predict(transferred, held_out, baselines=False)
fr.compare({"random weights": after_one, "weights that have seen phantoms": after_one_transferred})

# %% [markdown]
# ## 5. Five more
#
# We go on with ResNet34. `resume=run` goes on where it stopped. Nothing is overwritten: the history grows.

# %% tags=["step-more-cycles"]
lesson.step("more-cycles")
run = fr.train(model, cohort, resume=run, seed=lesson.seed, batch_size=recipe["batch_size"], **recipe["more"])
run.plot()

# %%
predictions = fr.predict(model, held_out)
evaluation = fr.evaluate(predictions)
lesson.record("evaluation", evaluation.to_json())
evaluation.show()

# %% [markdown]
# Look at the trivial rules in the same table before you are impressed.
#
# ## 6. When to quit
#
# **Stop** when the validation loss has not improved for several epochs: more training only learns the teaching file by
# heart. `patience=3` does it for you and keeps the best epoch.

# %% tags=["step-quit"]
lesson.step("quit")
table = run.table
best = table.loc[table["validation_loss"].idxmin()]
print(f"Lowest validation loss: {best['validation_loss']:.3f} in epoch {best['epoch']:.0f} of {run.epochs}")

# %%
lesson.question("quit")

# %% [markdown]
# ## 7. The worst mistakes
#
# A radiologist learns most from discrepancy rounds, and so does the owner of a network. Here are the held-out cases whose true class got
# the lowest score. Ask of each: is the *network* wrong, or the *label*, or is there nothing to see?

# %% tags=["step-mistakes"]
lesson.step("mistakes")
hardest = predictions.hardest(8)
cases = {case.case: case for case in held_out}
fr.show_images(
    [cases[row.case].image() for row in hardest.itertuples()],
    [f"is {row.truth}\nsaid {row.prediction} ({row.score_of_truth:.2f})" for row in hardest.itertuples()],
    columns=4, size_inches=2.6,
)

# %%
fr.explain(model, cases[hardest["case"][0]]).show()

# %% [markdown]
# ## 8. The split decides
#
# Neighbouring CT slices look almost alike. If slice 17 is in training and slice 18 in the test, the network need not know any
# anatomy: it has already seen the answer. Dealing slices like cards (*random* split) does this to every patient. A split **by
# patient**, or where patients are not known by *contiguous* runs of file numbers, does not.
#
# The check compares both with the simplest reader there is: *say what the most similar training image was*.

# %% tags=["step-split"]
lesson.step("split")
check = fr.check_data(cohort)
lesson.record("data_check", check.to_json())
print(check)

# %%
lesson.question("split")

# %% [markdown]
# On the published MedNIST images this difference is large, and one border pixel almost separates abdominal from chest CT, because the two came from different
# scanners. Whoever quotes *99.7 % accuracy* there, quotes the split.
#
# **What would I do with this in the reading room?** Use it where a mistake is cheap and seen at once: to sort an unlabelled archive,
# with a person looking at everything below a chosen score. And when a vendor shows you 99 %, ask: *split by what?*
#
# ## 9. Your report

# %% tags=["step-report"]
lesson.step("report")
report = fr.write_report(
    lesson.folder / "report.html", cohort=cohort, run=run, model=model, evaluation=evaluation, predictions=predictions
)
lesson.finish(report=report)

# %% [markdown]
# **Further.** The notebook this lesson follows: Erickson B., *Magician's Corner: How to Start Learning about Deep Learning*, Radiol Artif
# Intell 1(4):e190072 (2019), [doi 10.1148/ryai.2019190072](https://doi.org/10.1148/ryai.2019190072). One-cycle training: Smith L.
# (2018), [arXiv 1803.09820](https://arxiv.org/abs/1803.09820). ResNet: He K. et al. (2015), [arXiv 1512.03385](https://arxiv.org/abs/1512.03385).
#
# **Break it and mend it.** Train with `learning_rate=1`. Use `size=16`. Take one class away. Then open your own folder of images:
# `fr.open_dataset("my_folder")`.
