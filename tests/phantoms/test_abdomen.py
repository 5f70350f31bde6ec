"""The phantom abdomen: its masks are exact, the same at every voxel size and phase, and on the right side."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from firstread.core.errors import SettingError
from firstread.core.geometry import Geometry
from firstread.phantoms.abdomen import (
    LABELS,
    MAX_VOXELS,
    AbdomenPatient,
    label_map,
    lesion_map,
    segment_map,
    simulate_ct,
)
from firstread.phantoms.contrast_phases import PHASES
from firstread.phantoms.lesion_table import list_lesions
from firstread.phantoms.liver import draw_volume_ml

COARSE = {"size_zyx": (24, 64, 64), "spacing_mm_zyx": (8, 6.2, 6.2)}


@pytest.fixture(scope="module")
def patient() -> AbdomenPatient:
    return AbdomenPatient.draw(7, lesion_count=5)


@pytest.fixture(scope="module")
def scan(patient):
    return simulate_ct(patient)


@pytest.fixture(scope="module")
def labels(patient):
    return label_map(patient)


def centroid_mm(volume, mask) -> np.ndarray:
    return volume.geometry.to_mm(np.argwhere(mask)).mean(axis=0)


def test_a_scan_is_in_hounsfield_units_with_axial_slices_from_the_feet_up(scan):
    assert scan.values.dtype == np.int16
    assert scan.unit == "HU"
    assert scan.values.shape == (48, 128, 128)
    assert scan.geometry.orientation_zyx == "SPL"
    assert scan.geometry.spacing_mm_zyx == (4.0, 3.1, 3.1)
    assert scan.values[:, :3, :3].mean() < -950  # air around the body


@pytest.mark.parametrize("seed", range(6))
def test_the_liver_has_the_drawn_volume(seed):
    patient = AbdomenPatient.draw(seed)
    grid = patient.geometry()
    liver = label_map(patient, geometry=grid).values == LABELS["liver"]
    assert liver.sum() * grid.voxel_volume_ml == pytest.approx(patient.liver_volume_ml, rel=0.03)
    assert not liver[0].any() or not liver[-1].any()


def test_liver_volumes_are_those_of_adults():
    rng = np.random.default_rng(0)
    volumes = [draw_volume_ml(rng) for _ in range(3000)]
    assert min(volumes) >= 700
    assert max(volumes) <= 2600
    assert np.percentile(volumes, (5, 50, 95)) == pytest.approx((1060, 1500, 2120), rel=0.04)


def test_the_liver_is_one_piece_in_the_body_on_the_right(scan, labels):
    liver = labels.values == LABELS["liver"]
    pieces, _ = ndimage.label(liver)
    sizes = np.sort(np.bincount(pieces.ravel())[1:])[::-1]
    assert sizes[0] / sizes.sum() > 0.995
    assert (scan.values[ndimage.binary_erosion(liver)] > -150).all()  # at the dome a voxel of its edge is half lung
    assert centroid_mm(labels, liver)[0] < -15  # x grows to the patient's left
    assert centroid_mm(labels, labels.values == LABELS["spleen"])[0] > 40
    assert centroid_mm(labels, labels.values == LABELS["right kidney"])[0] < -30
    assert centroid_mm(labels, labels.values == LABELS["left kidney"])[0] > 30


def test_every_organ_is_there_at_its_hounsfield_units(scan, labels):
    assert set(np.unique(labels.values)) == {0, *LABELS.values()}
    means = {name: np.median(scan.values[labels.values == value]) for name, value in LABELS.items()}
    assert 90 < means["liver"] < 130
    assert 125 < means["aorta"] < 175
    assert -10 < means["gallbladder"] < 40
    assert 140 < means["right kidney"] < 200


def test_no_black_gap_lies_around_the_liver(scan, labels):
    """Below the dome the liver meets fat or soft tissue in front, not lung."""
    liver = labels.values[: scan.values.shape[0] // 2] == LABELS["liver"]
    ring = ndimage.binary_dilation(liver, iterations=2) & ~liver
    assert (scan.values[: liver.shape[0]][ring] < -400).mean() < 0.1


def test_the_same_seed_gives_the_same_voxels_and_another_seed_others(patient):
    one, again = (simulate_ct(AbdomenPatient.draw(7, lesion_count=5)) for _ in range(2))
    assert np.array_equal(one.values, again.values)
    other = AbdomenPatient.draw(8, lesion_count=5)
    assert not np.array_equal(one.values, simulate_ct(other).values)


def test_a_generator_draws_one_patient_after_the_other():
    rng = np.random.default_rng(3)
    first, second = (AbdomenPatient.draw(rng) for _ in range(2))
    assert first.seed != second.seed
    assert AbdomenPatient.draw(np.random.default_rng(3)).seed == first.seed


def test_all_phases_show_one_anatomy_in_other_hounsfield_units(patient, labels):
    scans = {phase: simulate_ct(patient, phase=phase).values.astype(float) for phase in PHASES}
    liver, aorta = (labels.values == LABELS[name] for name in ("liver", "aorta"))
    assert scans["arterial"][aorta].mean() > scans["portal"][aorta].mean() + 80
    assert scans["portal"][liver].mean() > scans["unenhanced"][liver].mean() + 35
    assert not np.array_equal(scans["portal"], scans["delayed"])
    air = {phase: scan < -400 for phase, scan in scans.items()}
    for phase in PHASES:
        assert (air[phase] != air["portal"]).mean() < 0.002


def test_the_anatomy_is_the_same_at_every_voxel_size(patient):
    centers = []
    for size, spacing in (
        ((48, 128, 128), (4, 3.1, 3.1)),
        ((30, 90, 80), (6.5, 4.4, 5.0)),
        ((96, 100, 100), (2, 4, 4)),
    ):
        labels = label_map(patient, geometry=patient.geometry(size, spacing_mm_zyx=spacing))
        centers.append([centroid_mm(labels, labels.values == LABELS[name]) for name in ("liver", "spleen", "aorta")])
    assert np.ptp(np.array(centers)[:, :2], axis=0).max() < 1.5


def test_a_part_of_a_scan_shows_what_the_whole_shows(patient, labels):
    grid = patient.geometry()
    part = grid.cropped((20, 30, 20), (5, 40, 50))
    assert np.array_equal(label_map(patient, geometry=part).values, labels.values[20:25, 30:70, 20:70])
    whole = simulate_ct(patient, geometry=grid).values[20:25, 30:70, 20:70].astype(float)
    assert abs(np.median(whole - simulate_ct(patient, geometry=part).values)) < 2  # the noise is another one


def test_segments_cover_the_liver_and_lie_where_couinaud_puts_them(patient, labels):
    segments = segment_map(patient)
    assert np.array_equal(segments.values > 0, labels.values == LABELS["liver"])
    assert set(np.unique(segments.values)) == set(range(9))
    centers = {number: centroid_mm(segments, segments.values == number) for number in range(1, 9)}
    for upper, lower in ((8, 5), (7, 6), (2, 3)):
        assert centers[upper][2] > centers[lower][2] + 20
    assert centers[8][1] < centers[7][1]  # anterior before posterior
    assert centers[5][1] < centers[6][1]
    assert max(centers[n][0] for n in (5, 6, 7, 8)) < centers[4][0] < centers[3][0]
    assert centers[1][1] > centers[4][1]  # the caudate lobe lies behind


def test_lesions_lie_in_the_liver_and_in_their_boxes(patient, labels):
    lesions, rows = lesion_map(patient), list_lesions(patient)
    assert [row.lesion for row in rows] == [1, 2, 3, 4, 5]
    assert (labels.values[lesions.values > 0] == LABELS["liver"]).all()
    for row in rows:
        points = lesions.geometry.to_mm(np.argwhere(lesions.values == row.lesion))
        assert len(points) > 0
        assert (points >= (row.x0_mm, row.y0_mm, row.z0_mm)).all()
        assert (points < (row.x1_mm, row.y1_mm, row.z1_mm)).all()
        assert np.linalg.norm(points.mean(axis=0) - (row.x_mm, row.y_mm, row.z_mm)) < 3
        sphere_mm = 2 * (3000 * row.volume_ml / (4 * np.pi)) ** (1 / 3)
        assert 0.8 * sphere_mm < row.diameter_mm < 1.6 * sphere_mm


def test_metastases_lie_20_to_60_hu_under_the_liver_in_the_portal_phase():
    for seed in range(12):
        patient = AbdomenPatient.draw(seed, lesion_count=6)
        for row in list_lesions(patient):
            if row.kind == "metastasis" and row.diameter_mm > 22:
                grid = patient.geometry((64, 160, 160), spacing_mm_zyx=(3, 2.4, 2.4))
                scan, mask = (
                    simulate_ct(patient, geometry=grid),
                    lesion_map(patient, geometry=grid).values == row.lesion,
                )
                liver = (label_map(patient, geometry=grid).values == LABELS["liver"]) & (
                    lesion_map(patient, geometry=grid).values == 0
                )
                center = ndimage.binary_erosion(mask, iterations=2)
                assert 15 < np.median(scan.values[liver]) - scan.values[center].mean() < 65
                return
    pytest.fail("no metastasis of more than 22 mm among 12 patients")


def test_lesions_change_the_scan_where_they_lie_and_nowhere_else(patient, scan):
    without = simulate_ct(AbdomenPatient.draw(7, lesion_count=0)).values
    near = ndimage.binary_dilation(lesion_map(patient).values > 0, iterations=2)
    assert np.array_equal(scan.values[~near], without[~near])
    assert not np.array_equal(scan.values[near], without[near])


def test_a_patient_without_lesions_has_none():
    patient = AbdomenPatient.draw(3, lesion_count=0)
    assert list_lesions(patient) == []
    assert not lesion_map(patient, geometry=patient.geometry((12, 32, 32), spacing_mm_zyx=(16, 12, 12))).values.any()


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**53),
    spacing=st.tuples(st.floats(3, 12), st.floats(3, 9), st.floats(3, 9)),
    count=st.integers(0, 6),
)
def test_every_patient_at_every_spacing_has_a_whole_liver_with_its_lesions(seed, spacing, count):
    patient = AbdomenPatient.draw(seed, lesion_count=count)
    size = tuple(int(np.ceil(extent / step)) for extent, step in zip((270, 300, 340), spacing, strict=True))
    grid = patient.geometry(size, spacing_mm_zyx=spacing)
    labels, lesions = label_map(patient, geometry=grid), lesion_map(patient, geometry=grid)
    liver = labels.values == LABELS["liver"]
    assert liver.sum() * grid.voxel_volume_ml == pytest.approx(patient.liver_volume_ml, rel=0.03)
    assert liver[lesions.values > 0].all()
    assert len(patient.lesions) <= count
    assert centroid_mm(labels, liver)[0] < 0
    assert np.array_equal(segment_map(patient, geometry=grid).values > 0, liver)


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000), phase=st.sampled_from(PHASES))
def test_every_scan_is_of_a_body_in_air(seed, phase):
    patient = AbdomenPatient.draw(seed)
    values = simulate_ct(patient, phase=phase, geometry=patient.geometry(**COARSE)).values
    assert values.min() >= -1024
    assert (values[12] > -200).mean() > 0.25
    assert (values[:, 0] < -900).all()


def test_what_cannot_be_simulated_is_refused(patient):
    with pytest.raises(SettingError, match='Did you mean "portal"'):
        simulate_ct(patient, phase="portall")
    flipped = Geometry((4, 4, 4), np.diag([-1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(SettingError, match="axes SPL"):
        label_map(patient, geometry=flipped)
    side = int(MAX_VOXELS ** (1 / 3)) + 2
    huge = Geometry.from_spacing((side,) * 3, spacing_mm_zyx=(1, 1, 1))
    with pytest.raises(SettingError, match="too large to simulate"):
        simulate_ct(patient, geometry=huge)
    with pytest.raises(SettingError, match="a seed from 0"):
        AbdomenPatient.draw(-1)
