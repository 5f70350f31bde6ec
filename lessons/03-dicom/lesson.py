# %% [markdown]
# # Lesson 3. What is in a DICOM file, and who
#
# A picture from the archive is never only a picture. You will read the header of a CT, look behind its gray levels, take the
# patient out **by hand**, find out what you missed, and then let rules do it. At the end you will know what *anonymous* and
# *pseudonymous* mean, and what no program can do for you.
#
# Press **Shift + Enter** to run a cell. Siobhán Kavanagh-Byrne, the patient of this lesson, does not exist: she and her images are
# simulated. *For teaching and research. Nothing here is a medical device.*

# %% tags=["setup"] jupyter={"source_hidden": true} cellView="form"
# On Colab or Kaggle this cell installs firstread. On your own computer it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("firstread") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "firstread[all]"], check=True)

# %%
import firstread as fr

lesson = fr.lesson("dicom")
lesson

# %% [markdown]
# ## 1. A visit on disk
#
# **Why.** Sooner or later you copy studies out of the archive: for a teaching file, a second opinion, a project. This is what
# arrives. Before you open a single file, read the last column.

# %% tags=["step-files"]
lesson.step("files")
patient = lesson.open_patient()
patient

# %%
patient.show()

# %% [markdown]
# Look whether you can find a name in a picture. Then answer:

# %%
lesson.question("folder")

# %% [markdown]
# ## 2. The header
#
# Above the pixels stands a list of *elements*. Each has a **tag** (two numbers of four digits), a **VR** (two letters that say of which
# kind the value is: `PN` a person's name, `DA` a date, `UI` a unique identifier, `SQ` a sequence, which holds a header of its own) and a
# **value**. Scroll through it. Where a line is set in from the left, it stands in a sequence. *Private tag data* is what a maker or
# another program wrote for itself; no standard says what is in it.

# %% tags=["step-header"]
lesson.step("header")
image = patient.image()
image.header()

# %% [markdown]
# Type a word between the quotation marks, such as `date`, `physician` or the patient's family name, and run the cell: it shows the
# lines in which the word stands. In how many places is her name?

# %% tags=["edit", "find"]
image.header("date")

# %% [markdown]
# ## 3. From stored numbers to Hounsfield units
#
# The pixels are numbers too. A CT stores them so that none is negative; two elements of the header, *Rescale Slope* and *Rescale
# Intercept*, turn them back into Hounsfield units. Whoever throws the header away to protect the patient, throws the units away as well.

# %% tags=["step-pixels"]
lesson.step("pixels")
image.values()

# %% [markdown]
# Each row is a point of the image: a corner, a place at the left, the middle (rows and columns are counted from the upper left corner; you
# may write points of your own: `image.values([(60, 90)])`). Now choose a window: write `"bone"` or
# `"lung"` in place of `"liver"`.

# %% tags=["edit", "window"]
image.show("liver")

# %%
lesson.question("units")

# %% [markdown]
# ## 4. You, by hand
#
# Here are the lines of the header that are no numbers. **Tick what you would remove** before this image goes to a colleague in another
# hospital for research on liver metastases. Take what you need: the colleague wants to know what was scanned, how, and how old the
# patient was. You have four minutes.

# %% tags=["step-by-hand", "edit", "by-hand"]
lesson.step("by-hand")
by_hand = patient.deidentify_by_hand(image)
by_hand

# %% [markdown]
# ## 5. What you missed
#
# The next cell removes what you ticked from a copy, and searches everything that is left for everything that names her. A red frame
# is no shame: nobody gets all of them by hand.

# %% tags=["step-missed"]
lesson.step("missed")
lesson.record("by_hand", by_hand.search())

# %% [markdown]
# Look *where* the rest stands: in the name of the file and its folder, in sequences within sequences, in private elements, in free
# text among words that you want to keep, in front of the header and behind its end.
#
# Three kinds of traces name nobody and still lead to her. **Dates**: who knows the day of the scan and the hospital needs no name.
# **Unique identifiers**: who can search the archive has the study at once. **An overlay** is a drawing over the image, and this one is a line
# of text.

# %%
lesson.question("traces")

# %% [markdown]
# ## 6. By rules
#
# DICOM itself says what to do with each element: remove it, empty it, put something harmless in its place, or keep it. The list
# (part 15, annex E) has more than 600 lines. `fr.deidentify` follows it, drops what nobody knows, and searches every text that it keeps for
# what names the patient. The originals are only read.

# %% tags=["step-rules"]
lesson.step("rules")
shared = fr.deidentify(patient.folder, lesson.new_folder("shared"))
shared

# %%
by_hand.compare()

# %% [markdown]
# Compare the last two columns. Look at *Series Description*: the name and the date are cut out, the clinical words have stayed. Look
# at the identifiers: they are new, but two files that belonged together still do.
#
# ## 7. Gone, or held back
#
# Some files did not come out at all. No rule can promise that the text *in a picture* is gone, whatever the header says about it, and a letter
# is nothing but text. What cannot be promised is **held back** until a person has looked. Here are those files:

# %% tags=["step-held"]
lesson.step("held")
patient.show(shared.held)

# %%
lesson.question("held")

# %% [markdown]
# ## 8. Anonymous or pseudonymous
#
# The run above forgot its key: nobody can find the way back from the new number to her, neither you nor a thief. That is
# *anonymous*, and when a follow-up scan arrives next year, it will be another patient's. For that, a project keeps a **key**. Same key,
# same pseudonym: the follow-up finds its patient, and a radiologist who discovers a cancer can tell the hospital whose it is.

# %% tags=["step-keys"]
lesson.step("keys")
keys = lesson.new_keys()
first = fr.deidentify(patient.folder, lesson.new_folder("first"), keys=keys)
again = fr.deidentify(patient.folder, lesson.new_folder("again"), keys=keys)
patient.compare_pseudonyms({"anonymous": shared, "with a key": first, "same key": again})

# %% [markdown]
# With a key, the days of a patient all move by one secret number, so that the time between two scans stays true. The price: as long as the key
# exists, European law calls these images *personal data* (GDPR, article 4 (5) and recital 26). The key lies elsewhere, under
# another person's lock.

# %%
lesson.question("key")

# %% [markdown]
# **What would I do with this in the reading room?** Before you hand images to anybody: never send the folder as it is; look at each
# picture that was not measured by a scanner; and ask your data protection officer which of the two you may make. A face can be
# rebuilt from a head CT, and a rare disease can be a name.
#
# ## 9. Your report

# %% tags=["step-report"]
lesson.step("report")
report = by_hand.write_report(shared, lesson.folder)
lesson.finish(report=report)

# %% [markdown]
# **Further.** The rules: DICOM PS3.15, annex E, [Attribute Confidentiality Profiles](https://dicom.nema.org/medical/dicom/current/output/chtml/part15/chapter_E.html).
# How well ten programs do it: the MIDI-B challenge, [arXiv 2507.23608](https://arxiv.org/abs/2507.23608). What a project needs beyond
# it: Montagnon E. et al., *Deep learning workflow in radiology: a primer*, Insights Imaging 11:22 (2020),
# [doi 10.1186/s13244-019-0832-5](https://doi.org/10.1186/s13244-019-0832-5).
#
# **Break it and mend it.** Try these, one at a time, in a new cell (the **+** above).
#
# * Remove what an image needs: `by_hand.remove("Modality, StudyInstanceUID")`, then run the search again.
# * The ultrasound's header: `patient.image("US").header("burned")`. Nothing says that a name is in the picture.
# * The box: `lesson.open_box("rules")` is the code that chooses a rule for each element.
# * What came out, as the next person sees it: `patient.open(shared.folder).image().header()`
#
# Then take a study of your own: `firstread run dicom --data FOLDER`.
