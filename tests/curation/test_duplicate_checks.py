"""Copies that were planted are found, whatever was done to them, and healthy images are not called copies."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from firstread.curation.duplicate_checks import find_duplicates, find_series, search_duplicates
from firstread.curation.measurements import measure_cohort
from firstread.phantoms.patients import KINDS, make_images

from .planted_copies import TRANSFORMATIONS, cohort_of, planted, textures

RADIOGRAPHS = ("abdomen radiograph", "chest radiograph")


def phantoms(count, kinds=RADIOGRAPHS, size=128, seed=0):
    pictures, labels = [], []
    for kind in kinds:
        for patient in range(count):
            pictures.append(make_images(kind, seed=seed, patient=patient, count=1, size=size)[0].pixels)
            labels.append(kind)
    return pictures, labels


@pytest.fixture(scope="module")
def simulated():
    return phantoms(20)


@pytest.fixture(scope="module")
def mednist(shared_data):
    """120 of the published images, and their classes."""
    pictures, labels = [], []
    with zipfile.ZipFile(shared_data / "mednist-rsna" / "MedNIST.zip") as archive:
        names = [
            n for n in sorted(archive.namelist()) if n.lower().endswith((".jpeg", ".jpg")) and not n.startswith("__")
        ]
        for name in names[::15]:
            with archive.open(name) as file:
                pictures.append(np.asarray(Image.open(file).convert("L")))
            labels.append(name.split("/")[0])
    return pictures, labels


@pytest.fixture(scope="module")
def openi(shared_data):
    """The published radiographs, one of the two that are identical left out."""
    pictures, labels = [], []
    for file in sorted((shared_data / "hello-world-openi").rglob("*.png")):
        if file.name != "abd4.png" or file.parent.parent.name != "val":
            pictures.append(np.asarray(Image.open(file).convert("L")))
            labels.append(file.parent.name)
    return pictures, labels


def copies_found(cohort, pairs):
    """Of the planted pairs, those that a search finds, and what it says of them."""
    found = search_duplicates(measure_cohort(cohort))
    names = cohort.table["case"].tolist()
    changes = {}
    for copy in [*found.copies, *found.slices]:
        changes[tuple(sorted((names[copy.first], names[copy.second])))] = ", ".join(copy.changes)
    return {pair: changes[pair] for pair in pairs if pair in changes}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_planted_copy_of_a_phantom_is_found_and_named(tmp_path, simulated, name):
    change, word = TRANSFORMATIONS[name]
    cohort, pairs = planted(tmp_path, *simulated, change)
    found = copies_found(cohort, pairs)
    assert len(found) >= 9
    assert sum(word in said for said in found.values()) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("data", ["mednist", "openi"])
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_planted_copy_of_a_real_image_is_found(tmp_path, request, data, name):
    pictures, labels = request.getfixturevalue(data)
    cohort, pairs = planted(tmp_path, pictures, labels, TRANSFORMATIONS[name][0])
    assert len(copies_found(cohort, pairs)) >= 9


def test_a_copy_on_two_sides_of_a_split_is_a_leak(tmp_path, simulated):
    cohort, pairs = planted(tmp_path, *simulated, TRANSFORMATIONS["mirrored"][0], count=2)
    measured = measure_cohort(cohort)
    examples = {}
    findings = find_duplicates(measured.cohort, search_duplicates(measured), examples)
    kinds = {finding.kind: finding for finding in findings}
    assert kinds["leak"].severity == "problem"
    assert "2 pairs of images that are copies of one picture lie on two sides" in kinds["leak"].text
    assert "0000 and 0040 (mirrored left to right)" in kinds["copies"].text
    assert examples["copies"][:2] == list(pairs[0])


def test_a_copy_under_another_label_is_a_problem(tmp_path, simulated):
    pictures = [*simulated[0], simulated[0][3][:, ::-1]]
    cohort = cohort_of(tmp_path, pictures, [*simulated[1], "chest radiograph"])
    measured = measure_cohort(cohort)
    findings = find_duplicates(measured.cohort, search_duplicates(measured), {})
    assert any(
        f.kind == "labels" and "1 group of copies of one picture carries different labels" in f.text for f in findings
    )


@pytest.mark.parametrize("size", [128, 256])
def test_phantoms_of_different_patients_are_no_copies(tmp_path, size):
    kinds = tuple(KINDS) if size == 128 else RADIOGRAPHS
    pictures, labels = phantoms(12, kinds, size=size, seed=3)
    found = search_duplicates(measure_cohort(cohort_of(tmp_path, pictures, labels)))
    assert (found.identical, found.copies, found.slices) == ([], [], [])


def test_textures_are_no_copies(tmp_path):
    found = search_duplicates(measure_cohort(cohort_of(tmp_path, *textures(400))))
    assert (found.identical, found.copies, found.slices) == ([], [], [])


def test_radiographs_of_different_patients_are_no_copies(tmp_path, openi):
    found = search_duplicates(measure_cohort(cohort_of(tmp_path, *openi)))
    assert (found.identical, found.copies) == ([], [])


def test_images_of_different_classes_are_no_copies(tmp_path, mednist):
    pictures, labels = mednist
    found = search_duplicates(measure_cohort(cohort_of(tmp_path, pictures, labels)))
    assert [copy for copy in found.copies if labels[copy.first] != labels[copy.second]] == []


def test_the_order_of_cases_does_not_matter(tmp_path, simulated):
    cohort, pairs = planted(tmp_path, *simulated, TRANSFORMATIONS["cropped by 5 %"][0], count=4)
    order = np.random.default_rng(0).permutation(len(cohort))
    from firstread.core.cohort import Cohort

    shuffled = Cohort.from_table(cohort.table.iloc[order].reset_index(drop=True), cohort.classes, cohort.origin)
    assert set(copies_found(shuffled, pairs)) == set(copies_found(cohort, pairs)) == set(pairs)


def test_many_copies_of_one_picture_are_all_found(tmp_path, simulated):
    pictures, labels = simulated
    changed = [change(pictures[8]) for change, _ in TRANSFORMATIONS.values()]
    cohort = cohort_of(tmp_path, [*pictures, *changed], [*labels, *[labels[8]] * len(changed)])
    found = search_duplicates(measure_cohort(cohort))
    family = {8, *range(len(pictures), len(cohort))}
    members = {index for copy in found.copies for index in (copy.first, copy.second)}
    assert members <= family
    assert len(members) >= len(family) - 1


def test_black_images_are_empty_and_no_copies(tmp_path):
    black = [np.zeros((64, 64), np.uint8)] * 3 + [np.full((64, 64), 200, np.uint8)] * 3
    found = search_duplicates(measure_cohort(cohort_of(tmp_path, black, "ababab")))
    assert (found.identical, found.copies, found.slices) == ([], [], [])


def test_a_scan_of_like_slices_is_one_series_with_few_pairs(tmp_path):
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    rng = np.random.default_rng(0)
    slices = [
        np.clip(
            120 * ((x / 0.8) ** 2 + (y / (0.6 + z / 2000)) ** 2 < 1)
            + 60 * (x**2 + y**2 < 0.1 + z / 3000)
            + rng.normal(0, 2, x.shape),
            0,
            255,
        ).astype(np.uint8)
        for z in range(300)
    ]
    cohort = cohort_of(tmp_path, slices, ["a"] * 300)
    found = search_duplicates(measure_cohort(cohort))
    assert len(found.copies) + len(found.slices) < 30 * len(slices)
    text = find_series(cohort, found.series)[0].text
    assert "look like slices of one scan" in text


def test_many_identical_images_are_one_group(tmp_path, simulated):
    cohort = cohort_of(tmp_path, [simulated[0][0]] * 50 + simulated[0][1:5], ["a"] * 54)
    found = search_duplicates(measure_cohort(cohort))
    assert found.identical == [list(range(50))]
    text = find_duplicates(cohort, found, {})[0].text
    assert "0000 = 0001 = 0002 = 47 more" in text
