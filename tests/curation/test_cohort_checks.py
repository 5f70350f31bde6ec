"""What the tables alone say: labels, spellings, splits, patients, files that were left out."""

import pytest

from firstread.core.cohort import Cohort
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.tasks import Classification, Segmentation
from firstread.curation.cohort_checks import (
    find_files_left_out,
    find_labels,
    find_patients,
    find_split_gaps,
)


def make(labels, *, classes=None, splits=None, patients=None, sources=None, components=None, steps=(), task=None):
    cases, targets = [], []
    for index, label in enumerate(labels):
        case = {"case": f"c{index}", "patient": patients[index] if patients else None}
        case["split"] = splits[index] if splits else None
        if sources:
            case |= {"patient_source": sources[index], "component": (components or patients)[index]}
        cases.append(case)
        if label is not None:
            kind = {"kind": "class", "name": "label", "value": label}
            targets.append({"case": f"c{index}", **(kind if task is None else {"kind": "mask", "name": label})})
    images = [{"case": case["case"], "name": "image", "files": ["nowhere.png"]} for case in cases]
    known = tuple(sorted({label for label in labels if label})) if classes is None else classes
    return Cohort(Tables.from_rows(cases, images, targets), task or Classification(known), Origin("made"), steps)


def texts(findings):
    return " ".join(f"{finding.severity}: {finding.text}" for finding in findings)


def test_no_classes_no_labels_and_one_class_are_told_apart():
    assert "There are no classes" in texts(find_labels(make([None, None], classes=())))
    assert "None of the 2 images has a label" in texts(find_labels(make([None, None], classes=("a", "b"))))
    assert "All labelled images are of one class, a" in texts(find_labels(make(["a", "a", None], classes=("a", "b"))))
    assert "1 of 3 images has no label" in texts(find_labels(make(["a", "b", None])))


def test_a_rare_class_and_a_class_without_images():
    assert "b has 1 image, the largest class 6" in texts(find_labels(make(["a"] * 6 + ["b"])))
    assert "c has 0 images" in texts(find_labels(make(["a"] * 6 + ["b"] * 5, classes=("a", "b", "c"))))


@pytest.mark.parametrize(
    "labels",
    [
        ("Pneumonia", "pneumonia"),
        ("a", "a "),
        ("1", "1.0"),
        ("caf\u00e9", "cafe\u0301"),
        ("no finding", "no_finding"),
        ("\uff21", "a"),
    ],
)
def test_spellings_of_one_class_are_named(labels):
    found = texts(find_labels(make([*labels, "other"])))
    assert "differ only in how they are written" in found
    assert all(f'"{label}"' in found for label in labels)


def test_classes_that_differ_are_not_called_spellings():
    assert "written" not in texts(find_labels(make(["1", "10", "-1", "a", "b", "stage i", "stage ii"])))


def test_a_test_split_without_a_single_lesion():
    cohort = make(["none", "lesion", "none", "lesion", "none", "none"], splits=["train"] * 4 + ["test"] * 2)
    assert 'problem: The test split has no case of "lesion"' in texts(find_split_gaps(cohort))
    assert find_split_gaps(make(["a", "b"] * 2, splits=["train"] * 2 + ["test"] * 2)) == []


def test_a_test_split_without_lesions_in_a_segmentation():
    task = Segmentation(("liver", "lesion"))
    rows = [("liver", "lesion"), ("liver", "lesion"), ("liver",), ("liver",)]
    cases = [{"case": f"c{i}", "split": "train" if i % 2 == 0 or i == 1 else "test"} for i in range(4)]
    targets = [{"case": f"c{i}", "kind": "mask", "name": name} for i, names in enumerate(rows) for name in names]
    images = [{"case": c["case"], "name": "image", "files": ["a.nii"]} for c in cases]
    cohort = Cohort(Tables.from_rows(cases, images, targets), task, Origin("masks"))
    assert 'problem: The test split has no case with a mask of "lesion"' in texts(find_split_gaps(cohort))
    assert "liver" not in texts(find_split_gaps(cohort))
    assert find_labels(cohort) == []


def test_how_patients_are_known():
    stated = make(["a", "b"], patients=["P1", "P2"])
    assert texts(find_patients(stated)) == "note: Every case has a stated patient: 2 cases of 2 patients."
    unknown = make(["a", "b"])
    assert "note: No patient is stated: each case counts as a patient of its own" in texts(find_patients(unknown))
    mixed = make(
        ["a"] * 5,
        sources=["stated", "study", "study", "file", "none"],
        patients=["P1", None, None, None, None],
        components=["P1", "U1", "U1", "U2", None],
        splits=["train", "train", "train", "test", "test"],
    )
    found = texts(find_patients(mixed))
    assert found.startswith("warning: The patient is stated for 1 of 5 cases. For 2 cases: the images of one study")
    assert "For 1 case: the images of one file count as one patient" in found
    assert "For 1 case no patient is known: each case counts as a patient of its own" in found


def test_patients_on_two_sides_of_a_split_without_their_names():
    cohort = make(["a", "b", "a"], patients=["Secret^Name", "secret^name", "P2"], splits=["train", "test", "test"])
    leak = next(finding for finding in find_patients(cohort) if finding.kind == "leak")
    assert "1 patient (2 cases) is on two sides of the split" in leak.text
    assert "secret" not in leak.text.lower()
    assert leak.cases == ("c0", "c1")


def test_files_that_were_left_out_are_counted_and_the_first_named():
    broken = {f"bad{i}.png": "cut" for i in range(7)}
    step = Step(
        "opened", {"left_out": broken, "no_images": ["report.dcm"], "other_files": [f"{i}.gif" for i in range(50)]}
    )
    found = texts(find_files_left_out(make(["a"], steps=(step,))))
    assert (
        "warning: 7 files could not be read and were left out: bad0.png, bad1.png, bad2.png, bad3.png, bad4.png"
        in found
    )
    assert "and 2 more" in found
    assert "1 file is DICOM without pixels and was left out: report.dcm" in found
    assert "50 files are no image that firstread reads" in found
    assert find_files_left_out(make(["a"])) == []
