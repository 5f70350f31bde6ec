"""A tiny example of each registered kind of task, for the contract tests."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from firstread.core.cohort import Cohort
from firstread.core.geometry import Geometry
from firstread.core.predictions import Predictions
from firstread.core.provenance import Origin
from firstread.core.tables import Tables
from firstread.core.task_protocol import Task
from firstread.core.tasks import Classification, Segmentation
from firstread.core.volume import Volume
from firstread.readers.nifti import write_nifti

GRID = Geometry.from_spacing((6, 24, 24), spacing_mm_zyx=(5, 4, 4))
PATIENTS, TRAINED_ON = 16, 8


@dataclass(frozen=True)
class Example:
    """A cohort with train and test split, predictions of its test cases, and a network's outputs for one case.

    Attributes:
        cohort: every case has a reference standard.
        answers: better than chance, not perfect; with `cohort.test` as their cohort.
        outputs: of a network for the first test case.
        grid: of the outputs and of the case's image, or None.
    """

    cohort: Cohort
    answers: Predictions
    outputs: np.ndarray
    grid: Geometry | None = None

    @property
    def task(self) -> Task:
        return self.cohort.task


def patient_cases() -> list[dict]:
    """Sixteen patients of one case each, the first half to train on."""
    return [
        {"case": f"case {i}", "patient": f"P{i}", "split": "train" if i < TRAINED_ON else "test"}
        for i in range(PATIENTS)
    ]


def with_targets(cohort: Cohort, change: Callable) -> Cohort:
    """A copy of the cohort in which `change` made another table of the targets."""
    tables = cohort.tables
    return replace(cohort, tables=Tables(tables.cases, tables.images, change(tables.targets)))


def without_test_targets(cohort: Cohort) -> Cohort:
    """A copy in which nothing is said of the test cases."""
    names = cohort.test.tables.cases["case"]
    return with_targets(cohort, lambda rows: rows.filter(pc.invert(pc.is_in(rows["case"], value_set=names))))


def with_other_test_targets(cohort: Cohort) -> Cohort:
    """A copy in which each test case has what was said of another one."""
    names = cohort.test.tables.cases["case"].to_pylist()
    other = dict(zip(names, [*names[1:], names[0]], strict=True))

    def change(rows):
        cases = [other.get(name, name) for name in rows["case"].to_pylist()]
        return rows.set_column(rows.column_names.index("case"), "case", [cases])

    return with_targets(cohort, change)


def classification(folder: Path) -> Example:
    """Bright and dark pictures; a case in four is answered wrongly."""
    from PIL import Image

    rng, task = np.random.default_rng(0), Classification(("dark", "bright"))
    cases, images, targets = patient_cases(), [], []
    for index, case in enumerate(cases):
        label = task.classes[index % 2]
        pixels = rng.integers(0, 90, (24, 24)) + (120 if label == "bright" else 0)
        file = folder / f"picture{index:02d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(file)
        images.append({"case": case["case"], "name": "image", "files": [str(file)]})
        targets.append({"case": case["case"], "kind": "class", "name": task.name, "value": label})
    cohort = Cohort(Tables.from_rows(cases, images, targets), task, Origin("pictures"))
    bright = np.where(cohort.test.targets == 1, 0.8, 0.3) + rng.uniform(-0.15, 0.15, len(cohort.test))
    bright[::4] = 1 - bright[::4]
    answers = Predictions.from_scores(cohort.test.table, bright, classes=task.classes, cohort=cohort.test)
    return Example(cohort, answers, np.array([0.3, 0.7]))


def _box(start: int, size: int) -> np.ndarray:
    labels = np.zeros(GRID.size_zyx, np.uint8)
    labels[1:5, start : start + size, 6:16] = 1
    labels[2:4, start + 2 : start + 5, 8:11] = 2
    return labels


def segmentation(folder: Path) -> Example:
    """A bright organ with a dark lesion; the answers lie one voxel off."""
    rng, task = np.random.default_rng(0), Segmentation(("organ", "lesion"))
    cases, images, targets, rows = patient_cases(), [], [], []
    for index, case in enumerate(cases):
        labels = _box(5 + index % 3, 9 + index % 2)
        scan = np.choose(labels, [-80, 110, 50]) + rng.normal(0, 5, labels.shape)
        predicted = np.roll(labels, index % 3, axis=2)
        files = [
            str(write_nifti(folder / f"{name}{index:02d}.nii.gz", Volume(values, GRID, unit)))
            for name, values, unit in (
                ("scan", scan.astype(np.int16), "HU"),
                ("mask", labels, ""),
                ("answer", predicted, ""),
            )
        ]
        images.append({"case": case["case"], "name": "image", "files": files[:1], "modality": "CT", "unit": "HU"})
        for value, name in enumerate(task.structures, 1):
            targets.append({"case": case["case"], "kind": "mask", "name": name, "value": str(value), "file": files[1]})
            volume_ml = float((predicted == value).sum() * GRID.voxel_volume_ml)
            row = {**case, "structure": name, "mask_file": files[2], "value": value, "volume_ml": volume_ml}
            rows.append(row | {"truth_file": files[1], "truth_value": value})
    cohort = Cohort(Tables.from_rows(cases, images, targets), task, Origin("scans"))
    table = pd.DataFrame([row for row in rows if row["split"] == "test"])
    outputs = np.stack([_box(6, 9) == value for value in range(3)]).astype(np.float32)
    return Example(cohort, Predictions(table, task, "net", cohort=cohort.test), outputs, GRID)


#: kind of a registered task -> its example
EXAMPLES: dict[str, Callable[[Path], Example]] = {"classification": classification, "segmentation": segmentation}


def make_example(kind: str, folder: Path) -> Example:
    """The example of a kind of task, with its files in a folder."""
    assert kind in EXAMPLES, f'The task "{kind}" is registered; add a tiny cohort of it to tests/contracts/examples.py'
    return EXAMPLES[kind](folder)
