"""Trivial baselines of a segmentation: an HU window, and the mean label map, fitted on the training cases."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.case import Case
from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.masks import NO_TRUTH, true_masks
from firstread.core.paths import home_folder
from firstread.core.predictions import CONTEXT_COLUMNS, Predictions
from firstread.core.progress_bar import track
from firstread.core.task_protocol import task_to_json
from firstread.core.tasks import Segmentation
from firstread.core.volume import Volume
from firstread.curation.segmentation_rules import MeanLabelMap, WindowRule
from firstread.readers.nifti import write_nifti

if TYPE_CHECKING:
    import pandas as pd

#: training cases that the rules are fitted on, evenly spaced; more change neither a percentile nor a mean
MAX_TRAINING_CASES = 40
#: folders of label maps, one for each pair of cohorts, that firstread keeps
MAX_FOLDERS = 16


def segmentation_baselines(
    train: Cohort, cases: Cohort, *, folder: str | Path | None = None
) -> tuple[Predictions, ...]:
    """Predictions of the trivial rules for `cases`, fitted on `train` (entry point of the group `baselines`).

    Args:
        train: cases with scans and masks; those that lack a mask of a structure are left out.
        cases: to segment; masks may be missing.
        folder: for the label maps; by default one of firstread's own for these two cohorts, used again the next time.
            Firstread keeps the `MAX_FOLDERS` of its own that were used last.

    Returns:
        "rule: HU window" and "rule: mean label map", see `firstread.curation.segmentation_rules`.

    Raises:
        SettingError: the cohort's task is no segmentation.
        DataError: no training case has masks of all structures, or a file cannot be read.
    """
    task = train.task
    if not isinstance(task, Segmentation):
        raise SettingError(f"These rules are for a segmentation, and the task is {task.kind}")
    window, mean = WindowRule(len(task.structures)), MeanLabelMap(len(task.structures))
    for scan, labels in _training_pairs(train, task):
        window.add(scan, labels)
        mean.add(scan, labels)
    if not mean.cases:
        raise DataError("No training case has a mask of every structure", expected=", ".join(task.structures))
    rules: dict[str, WindowRule | MeanLabelMap] = {"rule: HU window": window, "rule: mean label map": mean}
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in rules}
    target = Path(folder) if folder is not None else _use_folder(_fingerprint(train, cases))
    truths, table = true_masks(cases, task.structures, reader=task.reader), cases.table
    known = [name for name in CONTEXT_COLUMNS if name in table]
    for position, case in enumerate(track(cases, "Segmenting by trivial rules", total=len(cases))):
        facts = {"case": case.case, **{name: table[name].iloc[position] for name in known}}
        scan = case.volume()
        for name, rule in rules.items():
            file = target / name.removeprefix("rule: ").replace(" ", "-") / f"{position:05d}.nii.gz"
            labels = rule.labels(scan)
            write_nifti(file, labels)
            rows[name] += [
                {**facts, **row, **truths.get((case.case, row["structure"]), NO_TRUTH)}
                for row in task.mask_rows(labels, str(file))
            ]
    return tuple(Predictions(_frame(made), task, name) for name, made in rows.items())


def _training_pairs(train: Cohort, task: Segmentation) -> Iterator[tuple[Volume, Volume]]:
    """Scan and label map of the training cases that have all masks, at most `MAX_TRAINING_CASES`, evenly spaced."""
    truths = true_masks(train, task.structures, reader=task.reader)
    names = train.table["case"]
    complete = [i for i, case in enumerate(names) if all((case, name) in truths for name in task.structures)]
    chosen = np.unique(np.linspace(0, len(complete) - 1, min(len(complete), MAX_TRAINING_CASES)).round().astype(int))
    for index in track([complete[i] for i in chosen] if complete else [], "Fitting trivial rules", total=len(chosen)):
        yield _pair(train[index], task)


def _pair(case: Case, task: Segmentation) -> tuple[Volume, Volume]:
    scan = case.volume()
    return scan, case.mask_volume(task.structures, grid=scan.geometry, reader=task.reader)


def _frame(rows: list[dict[str, object]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows)


def _use_folder(name: str) -> Path:
    """Folder of firstread's own for label maps; of the others those are removed that were not used for longest."""
    folder = home_folder() / "rules" / name
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    used: dict[Path, int] = {}
    for other in folder.parent.iterdir():
        with suppress(OSError):  # another process may remove it at the same time
            used[other] = other.stat().st_mtime_ns
    for unused in sorted(used, key=used.__getitem__, reverse=True)[MAX_FOLDERS:]:
        shutil.rmtree(unused, ignore_errors=True)
    return folder


def _fingerprint(train: Cohort, cases: Cohort) -> str:
    """Name of a folder for two cohorts: task, cases, files of images and training masks, and when they were changed."""
    masks = train.tables.targets.select(["case", "kind", "name", "value", "file", "reader"]).to_pylist()
    digest = sha256(f"{task_to_json(train.task)}\n{masks}\n".encode())
    files = {str(row["file"]) for row in masks if row["file"]}
    for cohort in (train, cases):
        digest.update("\0".join(cohort.table["case"]).encode())
        files.update(file for file in cohort.table["file"] if file)
    for file in sorted(files):
        changed = Path(file).stat().st_mtime_ns if Path(file).exists() else 0
        digest.update(f"{file}\0{changed}\n".encode())
    return digest.hexdigest()[:16]
