"""Masks: reading, pieces, volume, box, surface and distances in millimetres, whatever the affine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from firstread.core.cohort import Cohort
from firstread.core.columns import label_numbers
from firstread.core.errors import DataError, SettingError
from firstread.core.geometry import Geometry
from firstread.core.masks import (
    bounding_box_mm,
    bounding_slices,
    connected_components,
    largest_component,
    read_labels,
    read_mask,
    surface_distances_mm,
    surface_voxels,
    true_masks,
    volume_ml,
)
from firstread.core.provenance import Origin
from firstread.core.tables import Tables
from firstread.core.tasks import Segmentation
from firstread.core.volume import Volume
from firstread.readers.nifti import write_nifti

GRID = Geometry.from_spacing((6, 20, 20), spacing_mm_zyx=(5, 0.8, 0.8))
SHEARED = np.array([[0, 0.1, 0.8, 0], [1.5, 0.8, 0.0, 0], [5, 0, 0, 0], [0, 0, 0, 1]], float)
TURNED = np.array([[0.3, -0.6, 0.5, 7], [0.2, 0.5, 0.7, -3], [4.9, 0.1, -0.1, 20], [0, 0, 0, 1]], float)


def mask_of(*boxes, grid=GRID):
    values = np.zeros(grid.size_zyx, bool)
    for (z0, z1), (y0, y1), (x0, x1) in boxes:
        values[z0:z1, y0:y1, x0:x1] = True
    return Volume(values, grid)


def test_a_label_map_becomes_masks_by_value(tmp_path):
    labels = np.zeros(GRID.size_zyx, np.uint8)
    labels[1:3, 2:8, 2:8], labels[2, 4:6, 4:6] = 1, 2
    file = write_nifti(tmp_path / "labels.nii.gz", Volume(labels, GRID))
    assert (read_mask(file, 2).values == (labels == 2)).all()
    assert read_mask(file, 2).values.dtype == bool
    assert (read_mask(file).values == (labels > 0)).all()
    assert not read_mask(file, 7).values.any()
    np.testing.assert_allclose(read_labels(file).geometry.affine_lps, GRID.affine_lps, atol=1e-6)


def test_a_region_is_exactly_its_numbers(tmp_path):
    labels = np.zeros(GRID.size_zyx, np.uint8)
    labels[0], labels[1], labels[2], labels[3] = 1, 2, 3, 4
    file = write_nifti(tmp_path / "labels.nii.gz", Volume(labels, GRID))
    assert np.array_equal(read_mask(file, "1 3").values, (labels == 1) | (labels == 3))
    rows = [("whole", "1 2 3", None), ("core", "3", None), ("all", None, None), *(("lesion", n, n) for n in ("2", "4"))]
    targets = [
        {"case": "a", "kind": "mask", "name": name, "value": value, "lesion": lesion, "file": str(file)}
        for name, value, lesion in rows
    ]
    tables = Tables.from_rows([{"case": "a"}], [{"case": "a", "name": "image", "files": ["a.nii"]}], targets)
    cohort = Cohort(tables, Segmentation(("whole", "core", "all", "lesion")), Origin("made up"))
    found = true_masks(cohort, cohort.task.structures)
    assert [found["a", name]["truth_value"] for name in cohort.task.structures] == ["1 2 3", "3", None, "2 4"]
    for name in cohort.task.structures:
        mask = read_mask(found["a", name]["truth_file"], found["a", name]["truth_value"])
        assert np.array_equal(mask.values, cohort[0].mask(name).values)


def test_numbers_of_a_structure_as_a_table_states_them():
    stated = (2, 2.0, np.int64(2), "2", "1 2 3", "2 2", None, float("nan"), "")
    expected = ((2,), (2,), (2,), (2,), (1, 2, 3), (2,), (), (), ())
    assert tuple(label_numbers(value) for value in stated) == expected
    for wrong in ("liver", 1.5, "1 2.5"):
        with pytest.raises(DataError, match=r"not whole.*several with spaces"):
            label_numbers(wrong)


def test_whole_numbers_stored_as_floats_are_labels_and_probabilities_are_not(tmp_path):
    values = np.zeros(GRID.size_zyx, np.float32)
    values[0] = 2.0
    whole = write_nifti(tmp_path / "whole.nii.gz", Volume(values, GRID))
    assert read_mask(whole, 2).values.sum() == 400
    probabilities = write_nifti(tmp_path / "p.nii.gz", Volume(values * 0.3, GRID))
    with pytest.raises(DataError, match="not whole numbers"):
        read_labels(probabilities)


def test_a_broken_mask_is_refused_in_words(tmp_path):
    file = tmp_path / "cut.nii.gz"
    file.write_bytes(b"\x1f\x8b\x08 not a volume")
    with pytest.raises(DataError, match="broken or cut short"):
        read_mask(file)


def test_pieces_that_touch_at_a_corner_are_one_unless_faces_are_asked_for():
    corner = mask_of(((0, 1), (0, 2), (0, 2)), ((1, 2), (2, 4), (2, 4)))
    assert connected_components(corner)[1] == 1
    assert connected_components(corner, connectivity=18)[1] == 2
    edge = mask_of(((0, 1), (0, 2), (0, 2)), ((0, 1), (2, 4), (2, 4)))
    assert connected_components(edge, connectivity=18)[1] == 1
    assert connected_components(edge, connectivity=6)[1] == 2
    with pytest.raises(SettingError, match="connectivity=8"):
        connected_components(edge, connectivity=8)


def test_the_largest_piece():
    both = mask_of(((0, 2), (0, 5), (0, 5)), ((4, 5), (10, 12), (10, 12)))
    assert largest_component(both).values.sum() == 50
    empty = mask_of()
    assert not largest_component(empty).values.any()


def test_volume_and_box_of_whole_voxels():
    box = mask_of(((1, 3), (2, 7), (4, 14)))
    assert volume_ml(box) == pytest.approx(2 * 5 * 10 * 5 * 0.8 * 0.8 / 1000)
    np.testing.assert_allclose(bounding_box_mm(box), [[2.8, 1.2, 2.5], [10.8, 5.2, 12.5]])
    assert bounding_box_mm(mask_of()) is None
    assert bounding_slices(mask_of().values) is None
    assert bounding_slices(box.values) == (slice(1, 3), slice(2, 7), slice(4, 14))


def test_a_box_in_a_turned_volume_holds_the_corners_of_its_voxels():
    grid = Geometry((6, 20, 20), TURNED)
    mask = mask_of(((1, 3), (2, 7), (4, 14)), grid=grid)
    faces = np.array(np.meshgrid((0.5, 2.5), (1.5, 6.5), (3.5, 13.5), indexing="ij")).reshape(3, 8).T
    corners = grid.to_mm(faces)
    np.testing.assert_allclose(bounding_box_mm(mask), [corners.min(axis=0), corners.max(axis=0)])


def test_the_surface_is_what_has_an_outer_face_and_the_edge_of_the_scan_is_outside():
    assert surface_voxels(mask_of(((1, 4), (5, 10), (5, 10)))).sum() == 75 - 1 * 3 * 3
    assert surface_voxels(mask_of(((0, 6), (0, 20), (0, 20)))).sum() == 2400 - 4 * 18 * 18


@pytest.mark.parametrize(("axis", "expected_mm"), [(0, 5.0), (1, 0.8), (2, 0.8)])
def test_a_shift_by_a_voxel_is_as_far_as_the_spacing_of_its_axis(axis, expected_mm):
    first = mask_of(((2, 4), (5, 10), (5, 10)))
    second = Volume(np.roll(first.values, 1, axis=axis), GRID)
    assert surface_distances_mm(first, second).max() == pytest.approx(expected_mm)


@pytest.mark.parametrize("affine", [SHEARED, TURNED], ids=["sheared", "turned"])
def test_distances_are_those_between_points_in_the_patient(affine):
    grid = Geometry((6, 20, 20), affine)
    first, second = mask_of(((1, 3), (2, 7), (4, 14)), grid=grid), mask_of(((2, 5), (9, 12), (3, 8)), grid=grid)
    start, end = (grid.to_mm(np.argwhere(surface_voxels(mask))) for mask in (first, second))
    expected = np.linalg.norm(start[:, None] - end[None], axis=2).min(axis=1)
    np.testing.assert_allclose(surface_distances_mm(first, second), expected)


def test_nothing_to_measure_to_is_infinitely_far():
    full, empty = mask_of(((1, 3), (2, 7), (4, 14))), mask_of()
    assert np.isinf(surface_distances_mm(full, empty)).all()
    assert len(surface_distances_mm(empty, full)) == 0


@settings(max_examples=30)
@given(arrays(bool, (3, 5, 6)), arrays(bool, (3, 5, 6)))
def test_pieces_cover_the_mask_and_distances_vanish_only_on_common_surface(first, second):
    grid = Geometry.from_spacing((3, 5, 6), spacing_mm_zyx=(3, 1, 2))
    a, b = Volume(first, grid), Volume(second, grid)
    labels, count = connected_components(a)
    assert ((labels > 0) == first).all()
    assert sorted(set(labels.ravel()) - {0}) == list(range(1, count + 1))
    assert (surface_voxels(a) <= first).all()
    distances = surface_distances_mm(a, b)
    on_both = surface_voxels(b)[surface_voxels(a)]
    assert ((distances == 0) == on_both).all()
