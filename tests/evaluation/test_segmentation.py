"""evaluate of a segmentation: misses counted, empty cases apart, by patient and by lesion, beside trivial rules."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from firstread.core.errors import DataError, SettingError
from firstread.core.geometry import Geometry
from firstread.core.predictions import Predictions
from firstread.core.tasks import Segmentation
from firstread.core.volume import Volume
from firstread.evaluation.lesion_matches import LesionRule
from firstread.evaluation.segmentation import evaluate_segmentation

from .mask_files import BOX, GRID, NOTHING, boxes, predictions, shifted

NEAR = shifted(BOX, voxels=2, axis=1)  # 1.6 mm off
LESION = LesionRule(structures=("lesion",))
ORGAN = LesionRule(structures=())


def test_a_miss_is_counted_and_never_averaged_away(tmp_path):
    found = evaluate_segmentation(predictions(tmp_path, [(BOX, NEAR)] * 9 + [(BOX, NOTHING)]))
    distance = found.metric("lesion: HD95 in mm, median (lower is better)")
    assert distance.value == pytest.approx(1.6)
    assert distance.remark == "1 of 10 missed"
    assert found.metric("lesion: Dice").value == pytest.approx(9 * 0.8 / 10)
    assert found.metric("lesion: Dice").remark == "1 of 10 missed"
    assert "1 of 10 missed" in found.notes[0]
    assert found.worst_case("lesion") == "c9"


def test_a_blob_elsewhere_is_a_miss_too_and_its_distance_is_what_it_is(tmp_path):
    elsewhere = boxes(((2, 6), (10, 20), (28, 38)))
    found = evaluate_segmentation(predictions(tmp_path, [(BOX, elsewhere), (BOX, NEAR)]))
    assert list(found.cases["outcome"]) == ["missed", "segmented"]
    assert found.metric("lesion: Dice").remark == "1 of 2 missed"
    assert found.cases["hd_mm"].iloc[0] == pytest.approx(18 * 0.8)


def test_all_missed_is_infinitely_far_and_not_perfect(tmp_path):
    found = evaluate_segmentation(predictions(tmp_path, [(BOX, NOTHING)] * 7))
    distance = found.metric("lesion: HD95 in mm, median (lower is better)")
    assert (distance.value, distance.low) == (np.inf, np.inf)
    assert found.metric("lesion: Dice").value == 0
    assert "infinite" in repr(found)
    assert found.to_json()["metrics"]["lesion: HD95 in mm, median (lower is better)"]["value"] is None


def test_cases_without_the_structure_leave_dice_and_enter_the_false_positives(tmp_path):
    pairs = [(NOTHING, NOTHING), (NOTHING, BOX), (BOX, NOTHING), (BOX, BOX)]
    found = evaluate_segmentation(predictions(tmp_path, pairs))
    assert list(found.cases["outcome"]) == ["absent", "false positive", "missed", "segmented"]
    assert (found.metric("lesion: Dice").value, found.metric("lesion: Dice").cases) == (0.5, 2)
    alarms = found.metric("lesion: false positives in cases without it (lower is better)")
    assert (alarms.value, alarms.cases, alarms.remark) == (0.5, 2, "1 of 2")
    assert any("2 of 4 cases do not have it" in note for note in found.notes)


def test_no_case_has_the_structure(tmp_path):
    found = evaluate_segmentation(predictions(tmp_path, [(NOTHING, NOTHING)] * 6), lesions=LESION)
    assert np.isnan(found.metric("lesion: Dice").value)
    alarms = found.metric("lesion: false positives a scan (lower is better)")
    assert (alarms.value, alarms.method) == (0.0, "Poisson bound (none seen)")
    assert found.figure() is not None
    assert json.dumps(found.to_json(), allow_nan=False)


def test_dice_of_patients_and_of_lesions_stand_side_by_side(tmp_path):
    grid = Geometry.from_spacing((30, 60, 60), spacing_mm_zyx=(1, 1, 1))
    large, small = ((5, 25), (5, 25), (5, 25)), [((2, 4), (y, y + 2), (50, 52)) for y in (5, 15, 25, 35)]
    pair = (boxes(large, *small, grid=grid), boxes(large, grid=grid))
    found = evaluate_segmentation(predictions(tmp_path, [pair]))
    assert found.metric("lesion: Dice").value == pytest.approx(0.998, abs=5e-4)
    assert found.metric("lesion: Dice by lesion, missed ones 0").value == pytest.approx(0.2)
    assert found.metric("lesion: Dice of found lesions").value == pytest.approx(1.0)
    assert found.metric("lesion: sensitivity by lesion").remark == "1 of 5 found"
    assert found.metric("lesion: sensitivity by lesion, > 20 mm").value == 1
    assert "lesion: sensitivity by lesion, 10-20 mm" not in found.summary


def test_false_positives_a_scan_count_scans_without_any(tmp_path):
    extra = boxes(((2, 6), (10, 20), (10, 20)), ((0, 1), (30, 33), (30, 33)), ((7, 8), (30, 33), (30, 33)))
    found = evaluate_segmentation(predictions(tmp_path, [(BOX, extra)] + [(BOX, BOX)] * 4), lesions=LESION)
    alarms = found.metric("lesion: false positives a scan (lower is better)")
    assert (alarms.value, alarms.cases) == (0.4, 5)
    assert found.metric("lesion: precision by piece").remark == "5 of 7 are lesions"
    assert found.to_json()["lesions"]["lesion"]["false positives"] == 2


def test_an_organ_is_not_counted_by_piece_and_a_lesion_is(tmp_path):
    truth = BOX.values.astype(np.uint8)
    pairs = []
    for count in range(6):
        labels = truth.copy()
        for lesion in range(count % 3):
            labels[3 + lesion, 12:15, 12 + 4 * lesion : 14 + 4 * lesion] = 2
        pairs.append((Volume(labels, GRID), Volume(labels, GRID)))
    found = evaluate_segmentation(predictions(tmp_path, pairs, structures=("liver", "lesion")), organ="liver")
    assert found.settings.lesions.structures == ("lesion",)
    assert "liver: sensitivity by lesion" not in found.summary
    assert found.metric("lesion: share of liver, error in percentage points (0 is best)").value == 0
    shares = found.cases[found.cases["structure"] == "lesion"]["truth_share_percent"]
    assert list(shares[:2]) == pytest.approx([0, 100 * 6 / 400])


def test_volumes_in_ml_and_percent(tmp_path):
    half = boxes(((2, 4), (10, 20), (10, 20)))
    found = evaluate_segmentation(predictions(tmp_path, [(BOX, half)] * 3), lesions=ORGAN)
    assert found.metric("lesion: volume error in ml (0 is best)").value == pytest.approx(-0.64)
    assert found.metric("lesion: volume error in % (0 is best)").value == pytest.approx(-50)
    assert found.metric("lesion: volume error in %, without sign, median (lower is better)").value == pytest.approx(50)
    assert found.metric("lesion: Dice").method == "not estimable from 3 patients"


def test_scans_of_one_patient_count_as_one(tmp_path):
    pairs = [(BOX, NEAR), (BOX, BOX)] * 6
    alone = evaluate_segmentation(predictions(tmp_path, pairs)).metric("lesion: Dice")
    grouped = evaluate_segmentation(predictions(tmp_path, pairs, patient=[f"P{i % 6}" for i in range(12)]))
    assert grouped.metric("lesion: Dice").cases == 12
    assert grouped.metric("lesion: Dice").high - grouped.metric("lesion: Dice").low > alone.high - alone.low
    assert not any("No patient is stated" in note for note in grouped.notes)


def test_the_rules_stand_beside_the_network_with_the_difference_on_the_same_patients(tmp_path):
    rng = np.random.default_rng(0)
    truths = [boxes(((2, 6), (8, 20), (8, 20 + extra))) for extra in rng.integers(0, 6, 8)]
    net = predictions(tmp_path, [(t, shifted(t, voxels=int(rng.integers(0, 2)), axis=2)) for t in truths])
    rule = predictions(
        tmp_path, [(t, shifted(t, voxels=int(rng.integers(3, 6)), axis=2)) for t in truths], model="rule: w"
    )
    found = evaluate_segmentation(net.with_baselines([rule]))
    network, beside = found.comparison.iloc[0], found.comparison.iloc[1]
    assert (network["role"], beside["role"]) == ("network", "trivial rule")
    assert beside["difference"] == pytest.approx(network["Dice"] - beside["Dice"])
    assert 0 < beside["difference low"] < beside["difference"] < beside["difference high"]
    assert not any("trivial rule" in note for note in found.notes)
    reverse = evaluate_segmentation(rule.with_baselines([net]))
    assert any("does as well as the network or better: net (lesion" in note for note in reverse.notes)
    assert any("No trivial rule" in note for note in evaluate_segmentation(net).notes)


def test_a_rule_on_other_cases_is_refused(tmp_path):
    net, rule = predictions(tmp_path, [(BOX, NEAR)] * 3), predictions(tmp_path, [(BOX, NEAR)] * 2, model="rule")
    with pytest.raises(DataError, match="not run on the cases of the network"):
        evaluate_segmentation(net.with_baselines([rule]))


def test_seeds_are_paired_by_case(tmp_path):
    net = predictions(tmp_path, [(BOX, NEAR), (BOX, BOX), (BOX, NEAR)] * 2)
    seeds = pd.concat([net.table.assign(seed=seed) for seed in (0, 1)], ignore_index=True)
    rule = predictions(tmp_path, [(BOX, shifted(BOX, voxels=3, axis=2))] * 6, model="rule")
    found = evaluate_segmentation(Predictions(seeds, net.task, "net").with_baselines([rule]))
    assert found.metric("lesion: Dice").cases == 12
    assert found.comparison.iloc[1]["difference"] == pytest.approx(np.mean([0.1, 0.3, 0.1]))
    assert any("Of 2 seeds" in note for note in found.notes)


def test_unknown_truth_is_left_out_and_counted_and_none_at_all_is_refused(tmp_path):
    found = evaluate_segmentation(predictions(tmp_path, [(BOX, NEAR), (None, NEAR), (BOX, NEAR)]))
    assert found.metric("lesion: Dice").cases == 2
    assert found.notes[0] == "1 rows have no known truth and were left out."
    with pytest.raises(DataError, match="No case has a true mask"):
        evaluate_segmentation(predictions(tmp_path, [(None, NEAR)]))


def test_what_cannot_be_measured_is_refused_in_words(tmp_path):
    pairs = [(BOX, NEAR)]
    with pytest.raises(SettingError, match=r'no structure "livr"\. There is: lesion'):
        evaluate_segmentation(predictions(tmp_path, pairs), organ="livr")
    with pytest.raises(SettingError, match="tolerance_mm=0"):
        evaluate_segmentation(predictions(tmp_path, pairs), tolerance_mm=0)
    with pytest.raises(DataError, match=r"confidence=2"):
        evaluate_segmentation(predictions(tmp_path, pairs), confidence=2)
    with pytest.raises(DataError, match="1 rows have no predicted mask"):
        evaluate_segmentation(predictions(tmp_path, [(BOX, None)]))
    smaller = boxes(((2, 6), (10, 20), (10, 20)), grid=Geometry.from_spacing((8, 40, 30), spacing_mm_zyx=(5, 0.8, 0.8)))
    with pytest.raises(DataError, match="different numbers of voxels"):
        evaluate_segmentation(predictions(tmp_path, [(BOX, smaller)]))


def test_two_real_files_of_which_one_is_cropped_are_refused(shared_data):
    folder = shared_data / "totalsegmentator"
    row = {"case": "a", "structure": "liver", "value": 5, "truth_value": 5, "volume_ml": 0.0}
    files = {"truth_file": str(folder / "example_seg.nii.gz"), "mask_file": str(folder / "example_ct.nii.gz")}
    with pytest.raises(DataError, match="different numbers of voxels"):
        evaluate_segmentation(Predictions(pd.DataFrame([row | files]), Segmentation(("liver",)), "net"))


def test_a_real_liver_against_itself_moved_by_a_slice(shared_data, tmp_path):
    from firstread.core.masks import read_mask

    truth = read_mask(shared_data / "totalsegmentator" / "example_seg.nii.gz", 5)
    axis = truth.geometry.orientation_zyx.index(next(c for c in truth.geometry.orientation_zyx if c in "SI"))
    values = np.roll(truth.values, 1, axis=axis)
    np.moveaxis(values, axis, 0)[0] = False  # the liver ends where the scan does
    moved = Volume(values, truth.geometry)
    found = evaluate_segmentation(predictions(tmp_path, [(truth, moved)], structures=("liver",)), lesions=ORGAN)
    assert 0.9 < found.metric("liver: Dice").value < 1
    assert found.metric("liver: HD in mm, median (lower is better)").value == pytest.approx(3.0, abs=0.01)
    assert found.metric("liver: surface Dice at 2 mm").value < 1


def test_masks_without_numbers_count_whatever_is_not_zero(tmp_path):
    table = predictions(tmp_path, [(BOX, NEAR)]).table.assign(value=None, truth_value=None)
    found = evaluate_segmentation(Predictions(table, Segmentation(("lesion",)), "net"))
    assert found.metric("lesion: Dice").value == pytest.approx(0.8)


def test_the_truth_of_a_region_is_its_numbers_and_not_all_that_is_there(tmp_path):
    """As in nnU-Net: whole tumour = 1, 2, 3, and another structure, 4, in the same file."""
    labels = np.zeros(GRID.size_zyx, np.uint8)
    labels[2:6, 10:20, 10:15], labels[2:6, 10:20, 15:20], labels[:, 30:] = 1, 3, 4
    truth = Volume(labels, GRID)
    net = predictions(tmp_path, [(truth, BOX)] * 2, structures=("whole tumour",))
    region = Predictions(net.table.assign(truth_value="1 2 3"), net.task, "net")
    assert evaluate_segmentation(region).metric("whole tumour: Dice").value == 1
    answer = predictions(tmp_path, [(BOX, truth)] * 2, structures=("whole tumour",), model="regions")
    answer = Predictions(answer.table.assign(value="1 2 3"), net.task, "net")
    assert evaluate_segmentation(answer).metric("whole tumour: Dice").value == 1
    region.table.to_csv(tmp_path / "p.csv", index=False)
    region.save(tmp_path / "p.parquet")
    from_csv = Predictions(pd.read_csv(tmp_path / "p.csv"), net.task, "net")
    for again in (from_csv, Predictions.load(tmp_path / "p.parquet")):
        assert again.table["truth_value"].tolist() == ["1 2 3", "1 2 3"]
        assert again.table["value"].tolist() == ["1", "1"]
        assert evaluate_segmentation(again).metric("whole tumour: Dice").value == 1


def test_it_shows_itself_with_the_scan_under_the_contours(tmp_path):
    from matplotlib.contour import ContourSet

    scan = Volume(np.where(BOX.values, 100, -900).astype(np.int16), GRID, unit="HU")

    class Scans:
        warnings = ()

        def find(self, case):
            return self

        def volume(self):
            return scan

    net = predictions(tmp_path, [(BOX, NEAR)] * 3 + [(BOX, NOTHING), (NOTHING, BOX)])
    found = evaluate_segmentation(net)
    assert "data:image/png;base64," in found._repr_html_()
    figure = found.figure()
    assert len(figure.axes) == 3
    assert len([item for item in figure.axes[2].get_children() if isinstance(item, ContourSet)]) == 1  # one is missed
    with_scans = evaluate_segmentation(replace(net, rules=(), cohort=Scans()))
    assert with_scans.figure().axes[2].images[0].get_array().max() == scan.shown("abdomen").max()


def test_the_first_words_of_a_report_are_dice_its_misses_and_the_best_rule(tmp_path):
    net = predictions(tmp_path, [(BOX, NEAR)] * 5 + [(BOX, NOTHING)])
    rule = predictions(tmp_path, [(BOX, shifted(BOX, voxels=4, axis=2))] * 6, model="rule: HU window")
    found = evaluate_segmentation(net.with_baselines([rule]))
    assert found.headline().startswith("lesion: Dice 0.667 [")
    assert found.headline().endswith(", 1 of 6 missed; the best trivial rule, HU window, 0.600.")
    worst = found.tables()["The cases with the lowest Dice"]
    assert worst["case"].iloc[0] == "c5"
    assert worst["outcome"].iloc[0] == "missed"
