"""Phantom patients: bit-identical images for the same seed, and plausible anatomy."""

import hashlib

import numpy as np
import pytest

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError
from firstread.phantoms.ct import rasterize_trunk
from firstread.phantoms.patients import KINDS, make_images, simulate_patients
from firstread.phantoms.shapes import Plane
from firstread.phantoms.teaching_sets import make_hello_world, make_mednist
from firstread.phantoms.trunk import make_trunk


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_reproducible_and_differs_between_patients(kind):
    one, again, other = (make_images(kind, seed=1, patient=p, count=2, size=48) for p in (0, 0, 1))
    assert all(np.array_equal(a.pixels, b.pixels) and a.metadata == b.metadata for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0].pixels, other[0].pixels)
    for image in one:
        assert image.pixels.dtype == np.uint8
        assert image.pixels.shape == (48, 48)
        assert image.pixels.std() > 8


def test_an_unknown_kind_gets_a_suggestion():
    with pytest.raises(SettingError, match='Did you mean "brain MR"'):
        simulate_patients(1, kinds=("brain MRI",))


def test_simulated_patients_are_a_cohort_of_one_image_each(tmp_path):
    cohort = simulate_patients(2, kinds=("head CT", "brain MR"), size=32, seed=5, folder=tmp_path)
    assert len(cohort) == 4
    assert cohort.table["patient"].is_unique
    assert cohort[0].image().shape == (32, 32)
    assert cohort.steps[0].seed == 5


def test_cohorts_of_several_seeds_share_a_folder_without_touching_each_other(tmp_path):
    kinds = ("head CT", "brain MR")
    first = simulate_patients(2, kinds=kinds, size=32, seed=5, folder=tmp_path)
    pixels = [case.image().copy() for case in first]
    second = simulate_patients(2, kinds=kinds, size=32, seed=6, folder=tmp_path)
    assert all(np.array_equal(before, case.image()) for before, case in zip(pixels, first, strict=True))
    assert not set(first.table["patient"]) & set(second.table["patient"])
    assert not set(first.table["case"]) & set(second.table["case"])
    assert not set(first.table["file"]) & set(second.table["file"])
    assert not np.array_equal(first[0].image(), second[0].image())
    again = simulate_patients(2, kinds=kinds, size=32, seed=5, folder=tmp_path)
    assert list(again.table["file"]) == list(first.table["file"])


def test_another_size_of_the_same_patients_does_not_overwrite_them(tmp_path):
    first = simulate_patients(1, kinds=("brain MR",), size=32, seed=5, folder=tmp_path)
    with pytest.raises(SettingError, match="choose another folder"):
        simulate_patients(1, kinds=("brain MR",), size=48, seed=5, folder=tmp_path)
    assert first[0].image().shape == (32, 32)


def test_lungs_are_dark_and_bones_bright_on_a_chest_radiograph():
    lung, spine = [], []
    for patient in range(6):
        pixels = make_images("chest radiograph", seed=2, patient=patient, count=1, size=64)[0].pixels.astype(float)
        lung.append(pixels[20:36, 14:24].mean())
        spine.append(pixels[44:60, 28:36].mean())
    assert np.mean(spine) > np.mean(lung) + 40


def test_hounsfield_units_are_where_anatomy_puts_them():
    trunk = make_trunk(np.random.default_rng(3))
    chest = rasterize_trunk(trunk, Plane.centered(96, field_mm=420), 110.0)
    belly = rasterize_trunk(trunk, Plane.centered(96, field_mm=420), -60.0)
    assert (chest < -700).mean() > (belly < -700).mean() * 0.9
    assert ((chest > -900) & (chest < -750)).mean() > 0.08  # lung
    assert not ((belly > -900) & (belly < -750)).mean() > 0.05
    assert (belly > 200).any()
    assert 80 < belly[50, 30:36].mean() < 130  # liver, on the patient's right


def test_hello_world_has_its_counts_and_is_kept(tmp_path):
    cohort = make_hello_world(tmp_path / "hw", seed=1, size=32)
    counts = cohort.counts()
    assert counts.loc["abdomen", ["train", "validation", "test"]].tolist() == [32, 5, 20]
    assert counts.loc["chest", ["train", "validation", "test"]].tolist() == [33, 5, 20]
    assert cohort.positive == "chest"
    assert cohort.table["patient"].is_unique
    assert len(Cohort.load(tmp_path / "hw")) == len(cohort)
    digest = hashlib.sha256(b"".join(s.image().tobytes() for s in cohort)).hexdigest()
    again = make_hello_world(tmp_path / "again", seed=1, size=32)
    assert digest == hashlib.sha256(b"".join(s.image().tobytes() for s in again)).hexdigest()


def test_mednist_is_split_by_patient(tmp_path):
    cohort = make_mednist(tmp_path / "mn", per_class=40, size=32)
    assert len(cohort) == 240
    assert set(cohort.table["split"]) == {"train", "validation", "test"}
    assert (cohort.table.groupby("patient")["split"].nunique() == 1).all()
    assert (cohort.counts()["all"] == 40).all()


def test_an_interrupted_simulation_leaves_nothing_half_done(tmp_path, monkeypatch):
    from firstread.phantoms import teaching_sets

    def broken(*_arguments, **_keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(teaching_sets, "make_images", broken)
    with pytest.raises(KeyboardInterrupt):
        make_hello_world(tmp_path / "hw", size=32)
    assert list(tmp_path.iterdir()) == []


def test_neither_mean_nor_border_nor_file_size_gives_the_radiographs_away(tmp_path):
    from firstread.curation.baselines import image_features
    from firstread.curation.shortcut_strength import measure_rules

    cohort = make_hello_world(tmp_path / "hw", size=64)
    accuracies = {rule.name: rule.accuracy for rule in measure_rules(cohort, image_features(cohort))}
    for name in ("rule: file size", "rule: image size", "rule: aspect ratio", "rule: coloured pixels", "rule: border"):
        assert accuracies[name] < 0.8
