"""The data check finds planted faults and the faults of the published sets, and is quiet on clean data."""

import numpy as np
import pytest
from PIL import Image

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.provenance import Origin, Step
from firstread.curation.data_check import check_data
from firstread.datasets.dataset import open_dataset

SIZE = 128


def smooth(rng, size=SIZE):
    """Something like anatomy: blobs, alike in statistics, different in every image."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.normal(0, 1, (size, size)), size / 12)
    return (np.clip((field - field.min()) / np.ptp(field), 0, 1) * 200 + 20).astype(np.uint8)


@pytest.fixture
def plant(tmp_path):
    """A clean cohort of 40 images with what a test wants changed: change(index, label, pixels) -> pixels."""

    def make(change=lambda index, label, pixels: pixels, *, order=None, steps=()):
        rng, rows = np.random.default_rng(7), []
        for index in range(40):
            label = "ab"[index % 2]
            file = tmp_path / f"{index:03d}.png"
            Image.fromarray(change(index, label, smooth(rng))).save(file)
            split = "train" if index < 28 else "validation" if index < 34 else "test"
            rows.append({"case": file.stem, "file": str(file), "label": label, "split": split, "patient": f"P{index}"})
        return Cohort.from_table(make_table(rows), ("a", "b"), Origin("planted"), steps)

    return make


def kinds(check):
    return {finding.kind for finding in check.findings if finding.severity != "note"}


def test_clean_data_raise_no_alarm(plant):
    assert kinds(check_data(plant())) == set()


def test_identical_images_on_two_sides_of_a_split(plant):
    kept = {}

    def repeat(index, label, pixels):
        kept[index] = pixels
        return kept[1] if index == 39 else pixels

    check = check_data(plant(repeat))
    assert "001 = 039" in check.of_kind("duplicates")[0].text
    leak = check.of_kind("leak")[0]
    assert leak.severity == "problem"
    assert "001 (train) and 039 (test)" in leak.text


def test_identical_images_with_two_labels(plant):
    kept = {}

    def repeat(index, label, pixels):
        kept[index] = pixels
        return kept[2] if index == 3 else pixels

    assert any("different labels" in finding.text for finding in check_data(plant(repeat)).of_kind("labels"))


def test_noise_and_empty_images(plant):
    rng = np.random.default_rng(1)

    def spoil(index, label, pixels):
        if index == 4:
            return rng.integers(0, 120, (SIZE, SIZE)).astype(np.uint8)
        return np.full((SIZE, SIZE), 9, np.uint8) if index == 5 else pixels

    check = check_data(plant(spoil))
    assert check.of_kind("noise")[0].cases == ("004",)
    assert check.of_kind("empty")[0].cases == ("005",)


def test_coloured_marks_on_one_class(plant):
    def mark(index, label, pixels):
        colour = np.repeat(pixels[..., None], 3, axis=2)
        if label == "b" and index < 10:
            colour[10:20, 10:20] = (255, 0, 0)
        return colour

    finding = check_data(plant(mark)).of_kind("marks")[0]
    assert "5 images" in finding.text
    assert "occur only on b" in finding.text


def test_image_size_that_gives_the_class_away(plant):
    def crop(index, label, pixels):
        return pixels[:, :100] if label == "b" else pixels

    texts = [f.text for f in check_data(plant(crop)).of_kind("shortcut")]
    assert any("means b" in text or "means a" in text for text in texts)
    assert any("not anatomy" in text for text in texts)


def test_stray_files_are_told(plant):
    check = check_data(plant(steps=(Step("open", {"stray_files": 3}),)))
    assert "3 files of operating systems" in check.of_kind("stray files")[0].text


def test_no_images(plant):
    cohort = plant()
    with pytest.raises(DataError, match="no images to check"):
        check_data(cohort.where([False] * len(cohort)))


def test_the_report_is_one_page_and_json_is_plain(plant):
    import json

    check = check_data(plant())
    assert "Trivial rules" in check.report().html()
    assert json.dumps(check.to_json())


def test_unlabelled_images_are_checked_too(plant):
    cohort = plant()
    check = check_data(cohort.with_column("label", [None] * len(cohort)))
    assert check.shortcuts.empty


def test_hello_world_openi_as_published(shared_data, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_DATA_MIRROR", str(shared_data))
    check = check_data(open_dataset("hello-world/openi"))
    text = " ".join(finding.text for finding in check.findings)
    assert "val/abd/abd3 = val/abd/abd4" in text
    assert check.of_kind("copies") == []  # radiographs of different patients
    assert '"512 x 512 means chest" is right in 64 of 65 in train, 10 of 10 in validation' in text
    colour = next(f for f in check.of_kind("marks") if "coloured" in f.text)
    assert "occur only on abdomen" in colour.text
    rule = check.shortcuts.set_index("rule").loc["rule: 8x8 thumbnail"]
    assert rule["right"] >= 74


def test_mednist_rsna_as_published(shared_data, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_DATA_MIRROR", str(shared_data))
    check = check_data(open_dataset("mednist/rsna"))
    text = " ".join(finding.text for finding in check.findings)
    assert "abdominal CT from chest CT in 99.8%" in text
    assert "299 of 300 images of chest CT look like slices of one scan" in text
    assert "brain MR), such as" in check.of_kind("noise")[0].text
    assert "files of operating systems" in text
    order = next(f for f in check.of_kind("leak") if "most similar" in f.text)
    assert "99.4% when cases are dealt at random, and in 80.6%" in order.text
