"""segmentation_baselines: the rules on a cohort, as predictions that evaluate measures."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.masks import read_mask
from firstread.core.predictions import Predictions
from firstread.core.provenance import Origin
from firstread.core.tables import Tables
from firstread.core.tasks import Segmentation
from firstread.curation import segmentation_baselines as segmentation_baselines_module
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


def test_another_task_has_another_folder(cohort):
    one = Cohort(cohort.tables, Segmentation(TASK.structures[:1]), Origin("simulated"))
    files = [set(segmentation_baselines(c.train, c.test)[0].table["mask_file"]) for c in (cohort, one)]
    assert not files[0] & files[1]


def test_the_folders_that_were_used_last_are_kept(cohort, firstread_home, monkeypatch):
    monkeypatch.setattr(segmentation_baselines_module, "MAX_FOLDERS", 2)
    (firstread_home / "rules" / "older").mkdir(parents=True)
    for old in (firstread_home / "rules").iterdir():
        os.utime(old, (0, 0))
    first = segmentation_baselines(cohort.train[:3], cohort.test[:1])[0]
    segmentation_baselines(cohort.train[:2], cohort.test[:1])
    segmentation_baselines(cohort.train[:3], cohort.test[:1])  # used again
    last = segmentation_baselines(cohort.train[:1], cohort.test[:1])[0]
    kept = {path.name for path in (firstread_home / "rules").iterdir()}
    assert kept == {Path(rule.table["mask_file"][0]).parts[-3] for rule in (first, last)}
    assert all(Path(rule.table["mask_file"][0]).exists() for rule in (first, last))


def test_rules_are_fitted_on_the_masks_of_the_tasks_reader(cohort, tmp_path):
    """The second reader's masks are empty; where no reader is named, nobody's word counts."""
    own = cohort.tables.targets.to_pylist()
    empty = str(write_nifti(tmp_path / "empty.nii.gz", patient(0)[1].labelled([99])))
    targets = [{**row, "reader": "A"} for row in own] + [{**row, "reader": "B", "file": empty} for row in own]
    tables = Tables(cohort.tables.cases, cohort.tables.images, pa.Table.from_pylist(targets))
    two = Cohort(tables, Segmentation(TASK.structures, reader="A"), Origin("simulated"))
    rules = segmentation_baselines(two.train, two.test, folder=tmp_path / "two")
    alone = segmentation_baselines(cohort.train, cohort.test, folder=tmp_path / "alone")
    for rule, other in zip(rules, alone, strict=True):
        assert rule.task == two.task
        assert rule.table["volume_ml"].tolist() == other.table["volume_ml"].tolist()
        assert rule.table["truth_file"].tolist() == other.table["truth_file"].tolist()
    nobody = Cohort(tables, TASK, Origin("simulated"))
    with pytest.raises(DataError, match="No training case has a mask of every structure"):
        segmentation_baselines(nobody.train, nobody.test, folder=tmp_path / "nobody")


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
