"""Lesion by lesion: one to one, merged, split, size classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from firstread.core.errors import SettingError
from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.evaluation.lesion_matches import LesionRule, match_lesions, size_class
from firstread.evaluation.segmentation_summary import count_lesions

from .mask_files import BOX, NOTHING, boxes


def pieces(table, mask):
    return table[table["mask"] == mask].reset_index(drop=True)


def test_one_blob_over_two_lesions_is_one_hit_one_miss_and_is_called_merged():
    truth = boxes(((2, 4), (5, 10), (5, 10)), ((2, 4), (5, 10), (12, 17)))
    predicted = boxes(((2, 4), (5, 10), (5, 17)), ((6, 7), (30, 34), (30, 34)))
    assert count_lesions(match_lesions(truth, predicted)) == {
        "lesions": 2,
        "found": 1,
        "touched": 2,
        "false positives": 1,
        "false positives that touch no lesion": 1,
        "merged": 1,
        "split": 0,
    }


def test_a_lesion_in_two_pieces_is_found_once_and_the_other_piece_is_a_false_positive():
    predicted = boxes(((2, 6), (10, 20), (10, 14)), ((2, 6), (10, 20), (15, 20)))
    counts = count_lesions(match_lesions(BOX, predicted))
    assert (counts["found"], counts["split"], counts["false positives"]) == (1, 1, 1)
    assert counts["false positives that touch no lesion"] == 0
    found = pieces(match_lesions(BOX, predicted), "truth").iloc[0]
    assert found["dice"] == pytest.approx(2 * 200 / (400 + 200))  # the larger piece answers


def test_one_large_lesion_and_four_missed_small_ones():
    grid = Geometry.from_spacing((30, 60, 60), spacing_mm_zyx=(1, 1, 1))
    large = ((5, 25), (5, 25), (5, 25))
    small = [((2, 4), (y, y + 2), (50, 52)) for y in (5, 15, 25, 35)]
    table = match_lesions(boxes(large, *small, grid=grid), boxes(large, grid=grid))
    truth = pieces(table, "truth")
    assert truth["dice"].mean() == pytest.approx(0.2)
    assert truth["matched"].mean() == pytest.approx(0.2)
    assert list(truth.sort_values("volume_ml")["size"]) == ["< 10 mm"] * 4 + ["> 20 mm"]


def test_the_pairs_with_the_largest_sum_are_taken_not_the_first_ones():
    truth = boxes(((2, 4), (5, 10), (5, 15)), ((2, 4), (5, 10), (16, 26)))
    predicted = boxes(((2, 4), (5, 10), (12, 26)), ((2, 4), (5, 10), (5, 10)))
    assert pieces(match_lesions(truth, predicted), "truth")["matched"].all()


def test_too_little_overlap_is_no_match():
    predicted = boxes(((2, 6), (10, 20), (18, 28)))
    assert not match_lesions(BOX, predicted, LesionRule(min_iou=0.2))["matched"].any()
    assert match_lesions(BOX, predicted, LesionRule(min_iou=0.1))["matched"].all()
    with pytest.raises(SettingError, match="min_iou=0"):
        LesionRule(min_iou=0)


def test_size_classes_and_nothing():
    assert [size_class(d) for d in (9.99, 10, 20, 20.01)] == ["< 10 mm", "10-20 mm", "10-20 mm", "> 20 mm"]
    assert match_lesions(NOTHING, NOTHING).empty
    assert pieces(match_lesions(NOTHING, BOX), "predicted")["matched"].tolist() == [False]


@settings(max_examples=40)
@given(arrays(bool, (3, 7, 7)), arrays(bool, (3, 7, 7)))
def test_never_more_hits_than_lesions_or_answers_and_the_same_the_other_way_round(first, second):
    grid = Geometry.from_spacing((3, 7, 7), spacing_mm_zyx=(2, 1, 1))
    rule = LesionRule(connectivity=6)
    table = match_lesions(Volume(first, grid), Volume(second, grid), rule)
    hits = pieces(table, "truth")["matched"].sum()
    assert hits == pieces(table, "predicted")["matched"].sum()
    assert sorted(pieces(table, "truth")["iou"][lambda v: v > 0]) == pytest.approx(
        sorted(pieces(table, "predicted")["iou"][lambda v: v > 0])
    )
    back = match_lesions(Volume(second, grid), Volume(first, grid), rule)
    assert pieces(back, "truth")["iou"].sum() == pytest.approx(pieces(table, "truth")["iou"].sum())
    assert np.isclose(pieces(table, "truth")["volume_ml"].sum(), first.sum() * grid.voxel_volume_ml)
