"""Each image is read once, and what cannot be read is named while the check goes on."""

import threading

import numpy as np
import pytest
from PIL import Image

from firstread.core.cohort import Cohort
from firstread.core.provenance import Origin
from firstread.core.tables import Tables
from firstread.core.tasks import Classification
from firstread.curation import image_features as features_module
from firstread.curation import measurements
from firstread.curation.baselines import image_features
from firstread.curation.data_check import check_data
from firstread.curation.image_features import FeatureCache, ImageKey

from .planted_copies import cohort_of, textures


@pytest.fixture
def counted(monkeypatch):
    """Counts the readings of images by file."""
    counts, lock = {}, threading.Lock()

    def count(file, **keywords):
        with lock:
            counts[str(file)] = counts.get(str(file), 0) + 1
        return real(file, **keywords)

    real = measurements.read_image
    for module in (measurements, features_module):
        monkeypatch.setattr(module, "read_image", count)
    return counts


def test_a_check_reads_each_image_once_and_the_rules_need_no_second_reading(tmp_path, counted):
    cohort = cohort_of(tmp_path, *textures(30), splits=["train"] * 20 + ["test"] * 10)
    check_data(cohort)
    assert set(counted.values()) == {1}
    assert len(counted) == 30
    image_features(cohort)
    assert set(counted.values()) == {1}


def test_images_that_are_gone_or_broken_are_named_and_the_check_goes_on(tmp_path):
    cohort = cohort_of(tmp_path, *textures(40), splits=["train"] * 30 + ["test"] * 10)
    (tmp_path / "0003.png").unlink()
    (tmp_path / "0004.png").write_bytes((tmp_path / "0004.png").read_bytes()[:200])
    (tmp_path / "0005.png").write_text("no image")
    check = check_data(cohort)
    finding = check.of_kind("unreadable")[0]
    assert finding.severity == "problem"
    assert finding.cases == ("0003", "0004", "0005")
    assert "3 of 40 images cannot be read" in finding.text
    assert not check.shortcuts.empty
    assert check.report().html()


def test_all_images_gone(tmp_path):
    cohort = cohort_of(tmp_path, *textures(4))
    for file in tmp_path.glob("*.png"):
        file.unlink()
    check = check_data(cohort)
    assert "4 of 4 images cannot be read" in check.of_kind("unreadable")[0].text
    assert check.report().html()


def test_a_page_leaves_out_what_is_gone_since_the_check(tmp_path):
    pictures, labels = textures(12)
    check = check_data(cohort_of(tmp_path, [*pictures, pictures[0]], [*labels, 0]))
    for file in tmp_path.glob("*.png"):
        file.unlink()
    assert "identical images" in check.report().html()


def test_a_case_without_an_image_is_named(tmp_path):
    Image.fromarray(textures(1)[0][0]).save(tmp_path / "a.png")
    tables = Tables.from_rows(
        [{"case": "with"}, {"case": "without"}], [{"case": "with", "name": "image", "files": [str(tmp_path / "a.png")]}]
    )
    measured = measurements.measure_cohort(Cohort(tables, Classification(()), Origin("gap")))
    assert measured.unreadable == {"without": "The case has no image"}
    assert len(measured.images) == 1


def test_an_interrupt_ends_the_reading(tmp_path, monkeypatch):
    cohort = cohort_of(tmp_path, *textures(40))

    def interrupt(*_arguments, **_keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(measurements, "read_image", interrupt)
    with pytest.raises(KeyboardInterrupt):
        measurements.measure_cohort(cohort)
    assert not [
        t
        for t in threading.enumerate()
        if t.name.startswith("data-check") and t.is_alive() and not t.daemon and t is threading.main_thread()
    ]


def test_pictures_are_kept_as_fine_as_image_and_memory_allow(tmp_path, monkeypatch):
    cohort = cohort_of(tmp_path, textures(4, size=150)[0])
    assert measurements.measure_cohort(cohort).pictures.sides.tolist() == [128] * 4
    monkeypatch.setattr(measurements, "_PICTURE_BYTES", 4 * 96 * 96)
    measured = measurements.measure_cohort(cohort)
    assert measured.pictures.sides.tolist() == [96] * 4
    assert measured.pictures.detail(0, 96).shape == (96, 96)
    assert measured.pictures.detail(0, 64).dtype == np.uint8


def test_remembered_features_are_bounded_and_a_changed_file_is_read_again(tmp_path, counted):
    cache = FeatureCache(2)
    keys = [ImageKey(f"{i}.png", None, None, 0) for i in range(3)]
    cohort = cohort_of(tmp_path, textures(1)[0])
    features = image_features(cohort)[0]
    for key in keys:
        cache.put(key, features)
    assert len(cache) == 2
    assert cache.get(keys[0]) is None
    assert cache.get(keys[2]) is features
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(tmp_path / "0000.png")
    assert image_features(cohort)[0].mean_gray == 7
    assert features.thumbnail.dtype == np.float32
