"""A sample of slices: few in memory, turned as a radiologist sees them, noise and edges in full size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.curation.series_files import read_files
from firstread.curation.stack_sample import (
    MAX_SLICES,
    body_mask,
    choose_slices,
    measure_cut,
    measure_noise,
    sample_stack,
)
from firstread.readers.dicom_series import group_slices

from .ct_files import abdomen, write_series


def sampled(paths):
    files = read_files(paths, root=paths[0].parent)
    (stack,) = group_slices([one for file in files for one in file.slices])
    return sample_stack(stack)


@given(st.integers(1, 2_000))
def test_the_ends_are_chosen_and_never_more_than_a_few(count):
    chosen = choose_slices(count)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert len(chosen) == min(count, MAX_SLICES)


@pytest.mark.parametrize(
    "orientation",
    [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), (0, 1, 0, 1, 0, 0), (-1, 0, 0, 0, -1, 0)],
)
def test_axial_slices_lie_the_same_way_however_they_are_stored(tmp_path, orientation):
    scan = abdomen(slices=8)
    flat = np.array(orientation).reshape(2, 3)
    stored = scan if abs(flat[0, 0]) else scan.transpose(0, 2, 1)
    across, down = (int(np.sign(row.sum())) for row in flat)
    stored = stored[:, ::down, ::across]
    from_head = np.cross(*flat)[2] < 0
    paths = write_series(
        tmp_path, stored[::-1] if from_head else stored, orientation=orientation, spacing=(10, 4.1, 4.1)
    )
    expected = sampled(write_series(tmp_path / "plain", scan, spacing=(10, 4.1, 4.1)))
    assert np.allclose(sampled(paths).values, expected.values)


def test_a_slice_that_cannot_be_decoded_is_named_and_the_others_are_used(tmp_path):
    paths = write_series(tmp_path, abdomen(slices=8))
    files = read_files(paths, root=tmp_path)
    (stack,) = group_slices([one for file in files for one in file.slices])
    paths[2].unlink()
    found = sample_stack(stack)
    assert len(found.values) == 7
    assert [one.path for one, _ in found.unread] == [paths[2]]


@pytest.mark.parametrize("deviation", [5, 20, 60])
def test_noise_is_measured_where_tissue_is_even(deviation):
    rng = np.random.default_rng(0)
    values = np.full((128, 128), -1000.0)
    values[20:108, 20:108] = 40
    values[50:60, 50:60] = 300  # an edge that is no noise
    noisy = values + rng.normal(0, deviation, values.shape)
    assert measure_noise(noisy, body_mask(noisy)) == pytest.approx(deviation, rel=0.12)


def test_noise_of_air_is_not_known():
    assert np.isnan(measure_noise(np.full((64, 64), -1000.0), np.zeros((64, 64), bool)))


def test_the_edge_that_a_body_reaches_is_measured_in_millimetres():
    values = np.full((100, 100), -1000.0)
    values[20:70, :60] = 40  # 50 rows at the left edge
    assert measure_cut(values, body_mask(values), (2.0, 2.0)) == pytest.approx(100, rel=0.25)
    values[20:70, :10] = -1000
    assert measure_cut(values, body_mask(values), (2.0, 2.0)) == 0


def test_the_edge_of_a_circle_counts_too():
    rows, columns = np.indices((100, 100)) - 49.5
    values = np.full((100, 100), 40.0)
    values[np.hypot(rows, columns) > 48] = -2000
    assert measure_cut(values, body_mask(values), (2.0, 2.0)) > 150
