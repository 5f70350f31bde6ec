# %% [markdown]
# # Lesson 4. From archive to dataset
#
# A network is as good as the images somebody chose for it. Today that is you. You look through a pile of CT series, find what is
# wrong with them, decide **who is in**, and then see what the choice does to a result.
#
# Press **Shift + Enter** to run a cell. All patients are simulated. *For teaching and research. Nothing here is a medical
# device.*

# %% tags=["setup"] jupyter={"source_hidden": true} cellView="form"
# On Colab or Kaggle this cell installs firstread. On your own computer it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("firstread") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "firstread[all]"], check=True)

# %%
import firstread as fr

lesson = fr.lesson("archive")
lesson

# %% [markdown]
# ## 1. A pile
#
# **Why.** You asked for portal venous CT of the liver, and the archive sent what its search found. The names are gone already
# (lesson 3): each patient has a pseudonym. This is all that the headers say.

# %% tags=["step-pile"]
lesson.step("pile")
pile = lesson.open_pile()
pile

# %% [markdown]
# Could you choose from this table alone? Then answer:

# %%
lesson.question("header")

# %% [markdown]
# ## 2. Look through twelve
#
# Each picture is one series: a **section** from top to bottom (upper left), and three slices of it. Under it stands what the header says. **Click
# what is wrong.** Of the same images twice, mark both. A section that is black in the middle has a gap; *not venous* means: called
# portal venous, and it is not. A fault is far more frequent here than in your archive, so that you meet each of them.

# %% tags=["step-look"]
lesson.step("look")
twelve = lesson.read_series(pile)
twelve

# %% [markdown]
# Are there no buttons under your pictures? Then delete the `#` in the next cell and type the number of a button for each picture:
# 1 fine, 2 slices missing, 3 liver cut off, 4 too noisy, 5 not venous, 6 no abdomen, 7 localizer, 8 here twice.

# %% tags=["edit", "look"]
# twelve.read("1 2 1 3 8 1 4 7 8 1 5 6")

# %%
twelve.score()

# %% [markdown]
# ## 3. What a program finds
#
# Now `firstread` looks at **all** series, as it does in a project: at the headers, at the place of each slice, and at the pixels of some.
# It names its evidence. Where it cannot tell, it says *unknown*: better than a wrong answer.

# %% tags=["step-curate"]
lesson.step("curate")
curation = lesson.curate(pile)
lesson.record("curation", curation)

# %% [markdown]
# Look whether it missed anything, and whether it accused a series that is fine. The same for your twelve, you beside it:

# %%
lesson.record("reading", twelve.compare(curation))

# %% [markdown]
# Where you and the program disagree, look again: either may be wrong. Write the number of a series from the long list above (not that of an
# image) into the brackets:

# %% tags=["edit", "again"]
pile[1].show()

# %% [markdown]
# Nothing is deleted. What is left out stays on a list with its reason, and a person can put it back.

# %%
lesson.question("unknown")

# %% [markdown]
# ## 4. Who is in
#
# **Why.** "Patients with liver metastases" is no definition. Who is in must be written down **before** anybody trains, so that a colleague
# with your file finds the same patients. This is such a file. Each block is a criterion; read it from top to bottom.

# %% tags=["step-who"]
lesson.step("who")
eligibility = lesson.eligibility(curation)
eligibility

# %% [markdown]
# The order of the file is the order of the flow diagram. On the right stands Table 1: who was there, and who is in.

# %%
planned = eligibility.apply(curation)
planned

# %% [markdown]
# Look which criterion costs most patients. Then compare the two columns of Table 1: how many of those who are in have no metastasis at all? A star
# marks a cell of fewer than five people, which may give somebody away.

# %%
lesson.question("histology")

# %% [markdown]
# ## 5. Change one criterion
#
# Change the number, or the words: take `"Proven by histology"` and `where="clinical.proven_by in ['histology', 'follow-up']"`. Run the
# cell, and look where the flow changes: who leaves, and of whom the question *cannot be answered*? What you changed is marked in `mine`.

# %% tags=["step-change", "edit", "change"]
lesson.step("change")
mine = eligibility.change("Large enough", where="clinical.largest_mm >= 10")
lesson.record("inclusion", mine.apply(curation))

# %% [markdown]
# Every criterion needs something that not everybody had: an examination, an entry in a record, an operation. So each brings a bias of its kind
# (Montagnon 2020):

# %%
planned.bias

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Open the box: how the criteria are applied
#
# A criterion is a line of text. It is never run as a program: it is read into a tree, and the tree asks the tables. Who cannot be
# answered for is counted in a row of the flow, and not lost in silence.

# %%
lesson.open_box("criteria")

# %% [markdown]
# ## 6. Three data sets of the same images
#
# What does the choice do to a *result*? Your pile is too small to train on, so here are liver slices of 60 patients of the same department, and the
# question: is there a **lesion** in this slice? Three colleagues made a data set of them:
#
# * **as it lies**: all of it, with series that came twice and with unenhanced ones under the name of venous; divided image by image.
# * **curated**: without these; divided by patient.
# * **large lesions only**: curated, and smaller lesions than 25 mm left out, because "they are hard to see anyway".
#
# The **clean test set** is of 60 other patients. Nobody trains on it.

# %% tags=["step-versions"]
lesson.step("versions")
versions = lesson.dataset_versions()
versions

# %% [markdown]
# ## 7. The pile as it lies
#
# The first colleague trains a small network, as in lesson 1: first its last layers, then all of it.

# %% tags=["step-train", "train", "frozen"]
lesson.step("train")
pile_images = versions["as it lies"]
model = fr.build_model("regnetx_002", classes=pile_images.classes, size=96, weights="phantom", seed=lesson.seed)
run = fr.train(
    model, pile_images, epochs=4, learning_rate=3e-3, schedule="one-cycle", freeze=True, seed=lesson.seed,
)

# %% tags=["train", "unfrozen"]
run = fr.train(model, pile_images, epochs=5, learning_rate=5e-4, schedule="one-cycle", resume=run, seed=lesson.seed)
run.plot()

# %% [markdown]
# It is measured on a quarter of the images that was kept aside, as in many a paper. Read the AUC, and then the line *nearest training
# image* among the trivial rules: it looks up the training image that resembles most, and knows nothing of lesions.

# %%
own = fr.evaluate(fr.predict(model, pile_images.test))
own

# %%
lesson.question("leak")

# %% [markdown]
# ## 8. The same test for all
#
# Now the first network meets the clean test set. The other two data sets get a network each, trained in the same way.

# %% tags=["step-clean"]
lesson.step("clean")
results = lesson.compare_versions(versions, {"as it lies": model})
lesson.record("versions", results)

# %% [markdown]
# Look at the first line: how far does the clean test (blue) lie below its own (orange)? The network is the same, only the question has changed. Then
# compare the blue squares with one another: are the three networks as different as their own tests make them look?
#
# Your intervals are wide, and yours is one seed. We did the same with twelve:
#
# | data set | its own test | clean test | own above clean |
# |---|---|---|---|
# | as it lies | 0.85 | 0.75 | 12 of 12 |
# | curated | 0.74 | 0.73 | 7 of 12 |
# | large lesions only | 0.83 | 0.75 | 12 of 12 |
#
# Three networks that are worth the same, and three very different numbers. Curating did not make a better network: it left fewer images. It
# made the number **true**. And for lesions under 15 mm the third network reaches 0.66: of them its own test said nothing.

# %%
lesson.question("number")

# %% [markdown]
# ## 9. Sealed, and your report
#
# The clean test set was honest because nobody had looked at it. In a project it is **sealed**: opening it needs a reason, the day is written
# down, and a second opening is said in every later report. Whoever tries ten networks on it and keeps the best has trained on it.

# %%
lesson.question("sealed")

# %% [markdown]
# **What would I do with this in the reading room?** Of every network that is offered: ask for its flow diagram. Who was left out, by which criterion, and do
# *your* patients stand among them? Was it divided by patient? Who opened the test set, and how often?

# %% tags=["step-report"]
lesson.step("report")
report = lesson.write_archive_report(planned, curation, results)
lesson.finish(report=report)

# %% [markdown]
# **Further.** How data choose results: Montagnon E. et al., *Deep learning workflow in radiology: a primer*, Insights Imaging 11:22 (2020),
# [doi 10.1186/s13244-019-0832-5](https://doi.org/10.1186/s13244-019-0832-5). What leaks between images of one patient: Yagis E. et al., Sci Rep
# 11:22544 (2021), [doi 10.1038/s41598-021-01681-w](https://doi.org/10.1038/s41598-021-01681-w). What a flow diagram must hold: STARD 2015,
# [doi 10.1136/bmj.h5527](https://doi.org/10.1136/bmj.h5527).
#
# **Break it and mend it.** Try these, one at a time, in a new cell (the **+** above).
#
# * A word with a typo: `eligibility.change("Portal venous CT", where="series.phse == 'venous'").apply(curation)`
# * Another phase: `eligibility.change("Portal venous CT", where="series.phase == 'arterial'").apply(curation)`
# * A criterion that does not exist: `eligibility.change("Adults", where="clinical.age_years >= 18")`
# * All that curation said: `curation.table`
#
# Then take a folder of your own: `firstread run archive --data FOLDER`, and `firstread project new` for a project.
