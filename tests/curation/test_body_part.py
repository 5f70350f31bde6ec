"""Parts of the body: stated, seen, or in contradiction."""

from pathlib import Path

import numpy as np
import pytest

from firstread.curation.body_part import look, name_body_part
from firstread.curation.organ_enhancement import Enhancement, measure_enhancement
from firstread.curation.series_files import SeriesFile
from firstread.curation.stack_features import measure_features
from firstread.phantoms.ct import make_scanner, rasterize_trunk
from firstread.phantoms.head import make_head, simulate_head_ct
from firstread.phantoms.shapes import Plane
from firstread.phantoms.trunk import make_trunk

from .test_organ_enhancement import sample

ABDOMEN = Enhancement(aorta_hu=150, liver_hu=108, kidney_hu=180)


def header(**texts):
    return SeriesFile(Path("x"), {}, texts=texts)


def features(area_cm2=600.0, air=0.1, bone=0.03, soft=0.5, fat=0.3):
    return {
        "feature_body_area_mm2": area_cm2 * 100,
        "feature_air_share": air,
        "feature_bone_share": bone,
        "feature_soft_share": soft,
        "feature_fat_share": fat,
    }


@pytest.mark.parametrize(
    ("texts", "part"),
    [
        ({"BodyPartExamined": "ABDOMEN"}, "abdomen"),
        ({"SeriesDescription": "Leber 3-phasig"}, "abdomen"),
        ({"SeriesDescription": "Thorax nativ", "BodyPartExamined": "CHEST"}, "chest"),
        ({"SeriesDescription": "cCCT nativ", "BodyPartExamined": "BRAIN"}, "head"),
        ({"BodyPartExamined": "ABDOMEN", "SeriesDescription": "Knie"}, "unknown"),
        ({"SeriesDescription": "Spirale 2"}, "unknown"),
    ],
)
def test_what_is_stated(texts, part):
    assert name_body_part(header(**texts), None, None).name == part


@pytest.mark.parametrize("part", ["HEAD", "KNEE", "NECK"])
def test_an_abdomen_under_another_name(part):
    found = name_body_part(header(BodyPartExamined=part), features(), ABDOMEN)
    assert found.name == "abdomen"
    assert "looks like abdomen" in found.contradiction


@pytest.mark.parametrize("part", ["ABDOMEN", "PELVIS", "CHEST", "LSPINE"])
def test_what_a_scan_of_a_neighbour_shows_is_no_contradiction(part):
    assert name_body_part(header(BodyPartExamined=part), features(), ABDOMEN).contradiction == ""


def test_a_phantom_head_under_the_name_of_an_abdomen():
    rng = np.random.default_rng(1)
    head = make_head(rng)
    scanner = make_scanner(rng, field_mm=240)
    low, high = scanner.display_range_hu
    shown = np.stack([simulate_head_ct(head, scanner, rng, z=z, size=96) for z in np.linspace(10, 60, 6)])
    values = low + shown / 255 * (high - low)
    seen = measure_features(sample(values, (10.0, scanner.field_mm / 96, scanner.field_mm / 96)))
    found = name_body_part(header(BodyPartExamined="ABDOMEN"), seen, Enhancement())
    assert "looks like head" in found.contradiction


def test_a_phantom_chest_is_seen():
    trunk = make_trunk(np.random.default_rng(3))
    values = np.stack([rasterize_trunk(trunk, Plane.centered(128, field_mm=400), z) for z in (60, 80, 100, 120)])
    scan = sample(values, (20.0, 400 / 128, 400 / 128))
    assert look(measure_features(scan), measure_enhancement(scan))[0] == "chest"


def test_organs_that_fit_no_phase_are_no_abdomen():
    thigh = Enhancement(aorta_hu=57, liver_hu=31, kidney_hu=116)
    assert look(features(area_cm2=295, air=0.0), thigh)[0] is None
