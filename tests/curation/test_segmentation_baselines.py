"""segmentation_baselines: the rules on a cohort, as predictions that evaluate measures."""

import numpy as np
import pyarrow.compute as pc
import pytest

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.masks import read_mask
from firstread.core.predictions import Predictions
from firstread.core.provenance import Origin
from firstread.core.tables import Tables
from firstread.core.tasks import Segmentation
from firstread.curation.segmentation_baselines import segmentation_baselines
from firstread.evaluation.segmentation import evaluate_segmentation
from firstread.readers.nifti import write_nifti

from .simulated_abdomen import patient

TASK = Segmentation(("organ", "lesion"))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Eight simulated patients, six to train on and two to test."""
    folder = tmp_path_factory.mktemp("patients")
    cases, images, targets = [], [], []
    for index in range(8):
        scan, labels = patient(index)
        files = [
            str(write_nifti(folder / f"{name}{index}.nii.gz", v)) for name, v in (("scan", scan), ("mask", labels))
        ]
        case = {"case": f"case {index}", "patient": f"P{index}", "component": f"P{index}"}
        cases.append(case | {"split": "train" if index < 6 else "test"})
        images.append({"case": case["case"], "name": "image", "files": [files[0]], "modality": "CT", "unit": "HU"})
        for value, name in enumerate(TASK.structures, 1):
            row = {"case": case["case"], "kind": "mask", "name": name, "value": str(value), "file": files[1]}
            targets.append(row)
    return Cohort(Tables.from_rows(cases, images, targets), TASK, Origin("simulated"))


def test_both_rules_are_predictions_of_the_test_cases(cohort, tmp_path):
    rules = segmentation_baselines(cohort.train, cohort.test, folder=tmp_path)
    assert [rule.model for rule in rules] == ["rule: HU window", "rule: mean label map"]
    for rule in rules:
        assert rule.task == TASK
        assert list(rule.table["case"]) == ["case 6", "case 6", "case 7", "case 7"]
        assert list(rule.table["patient"]) == ["P6", "P6", "P7", "P7"]
        first = rule.table.iloc[0]
        mask = read_mask(first["mask_file"], first["value"])
        assert mask.values.sum() * mask.geometry.voxel_volume_ml == pytest.approx(first["volume_ml"])
        assert rule.table["mask_file"].str.startswith(str(tmp_path)).all()
    found = evaluate_segmentation(rules[0].with_baselines(rules[1:]))
    assert found.metric("organ: Dice").value > 0.9
    assert found.comparison["name"].nunique() == 2


def test_the_rules_are_fitted_on_training_cases_only_and_written_to_a_folder_of_their_own(cohort, firstread_home):
    first = segmentation_baselines(cohort.train, cohort.test)
    again = segmentation_baselines(cohort.train, cohort.test)
    other = segmentation_baselines(cohort.train[:3], cohort.test)
    files = [set(made[0].table["mask_file"]) for made in (first, again, other)]
    assert files[0] == files[1]
    assert not files[0] & files[2]
    assert all(str(firstread_home) in file for file in files[0])


def test_cases_without_a_mask_are_segmented_and_have_no_truth(cohort, tmp_path):
    tables = cohort.tables
    kept = tables.targets.filter(pc.not_equal(tables.targets["case"], "case 7"))
    partly = Cohort(Tables(tables.cases, tables.images, kept), TASK, Origin("simulated"))
    rule = segmentation_baselines(partly.train, partly.test, folder=tmp_path)[0]
    assert rule.table["truth_file"].isna().tolist() == [False, False, True, True]
    assert any("2 rows have no known truth" in note for note in evaluate_segmentation(rule).notes)
    with pytest.raises(DataError, match="No training case has a mask of every structure"):
        segmentation_baselines(partly.test[1:], partly.test, folder=tmp_path)


def test_another_kind_of_task_is_refused(tiny_cohort, tmp_path):
    with pytest.raises(SettingError, match="the task is classification"):
        segmentation_baselines(tiny_cohort.train, tiny_cohort.test, folder=tmp_path)


def test_predictions_that_know_their_cohort_have_the_rules_beside_them(cohort, tmp_path):
    rule = segmentation_baselines(cohort.train, cohort.test, folder=tmp_path)[1]
    network = Predictions(rule.table, TASK, "net", cohort=cohort.test)
    found = evaluate_segmentation(network)
    assert list(found.comparison["name"].unique()) == ["net", "rule: HU window", "rule: mean label map"]
    scan = found.figure().axes[2].images[0].get_array()
    assert scan.shape == (64, 72)
    assert len(np.unique(scan)) > 10  # the scan, not a mask
