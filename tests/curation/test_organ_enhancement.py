"""Organs on CT: phantoms in every phase, and a real scan with labels."""

import numpy as np
import pytest

from firstread.core.geometry import Geometry
from firstread.core.images import read_volume
from firstread.curation.contrast_phase import phase_of_enhancement
from firstread.curation.organ_enhancement import Enhancement, measure_enhancement
from firstread.curation.stack_sample import StackSample, body_mask, measure_noise
from firstread.phantoms.abdomen import LABELS, AbdomenPatient, label_map, simulate_ct

SPACING_MM = (10.0, 3.1, 3.1)


def sample(values, spacing=SPACING_MM):
    values = values.astype(np.float32)
    bodies = np.stack([body_mask(plane) for plane in values])
    noise = tuple(measure_noise(plane, body) for plane, body in zip(values, bodies, strict=True))
    return StackSample(values, spacing[1], spacing[0], "HU", bodies, noise)


def grid(patient):
    return patient.geometry((24, 128, 128), spacing_mm_zyx=SPACING_MM)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("phase", "name"),
    [("unenhanced", "unenhanced"), ("arterial", "arterial"), ("portal", "venous"), ("delayed", "delayed")],
)
def test_organs_of_phantoms_are_near_their_true_values(seed, phase, name):
    patient = AbdomenPatient.draw(seed)
    scan = simulate_ct(patient, phase=phase, geometry=grid(patient)).values
    labels = label_map(patient, geometry=grid(patient)).values
    found = measure_enhancement(sample(scan))
    assert found.liver_hu == pytest.approx(np.median(scan[labels == LABELS["liver"]]), abs=6)
    assert found.aorta_hu == pytest.approx(np.median(scan[labels == LABELS["aorta"]]), abs=15)
    assert phase_of_enhancement(found)[0] == name
    assert max(found.liver_top, found.liver_bottom) < 0.05


def test_what_is_mirrored_has_its_liver_on_the_wrong_side():
    patient = AbdomenPatient.draw(1)
    scan = simulate_ct(patient, geometry=grid(patient)).values
    liver = measure_enhancement(sample(scan)).liver_ml
    assert (measure_enhancement(sample(scan[:, :, ::-1])).liver_ml or 0) < 0.6 * liver


@pytest.mark.parametrize("values", [np.zeros((8, 64, 64)), np.full((8, 64, 64), -1000), np.zeros((2, 64, 64))])
def test_where_there_is_no_body_nothing_is_found(values):
    assert measure_enhancement(sample(values)) == Enhancement()


def test_noise_alone_is_no_organ():
    values = np.random.default_rng(0).normal(40, 30, (12, 96, 96))
    assert phase_of_enhancement(measure_enhancement(sample(values))) == (None, 0.0)


def test_a_real_scan_is_unenhanced_and_ends_within_the_liver(shared_data):
    """Abdomen of TotalSegmentator's example, 90 mm; the labels are a model's: liver 46 HU, spleen 35 HU."""
    volume = read_volume(shared_data / "totalsegmentator" / "example_ct_sm.nii.gz")
    values = to_standard(volume.values, volume.geometry)
    found = measure_enhancement(sample(values[:24], (3.8, 3.0, 3.0)) if len(values) < 24 else spread(values))
    assert found.liver_hu == pytest.approx(46, abs=3)
    assert found.spleen_hu == pytest.approx(35, abs=4)
    assert phase_of_enhancement(found)[0] == "unenhanced"
    assert found.liver_top > 0.5


def spread(values):
    chosen = np.rint(np.linspace(0, len(values) - 1, 24)).astype(int)
    return sample(values[chosen], (3.0 * (len(values) - 1) / 23, 3.0, 3.0))


def to_standard(values, geometry: Geometry):
    """Slices from the feet up, the patient's right at the left, the front at the top."""
    letters = geometry.orientation_zyx
    axes = [letters.index(next(one for one in letters if one in pair)) for pair in ("SI", "PA", "LR")]
    values = values.transpose(axes)
    flips = tuple(-1 if letters[axis] in "IAR" else 1 for axis in axes)
    return values[:: flips[0], :: flips[1], :: flips[2]]
