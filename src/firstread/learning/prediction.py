"""`predict`: what a network answers for each case, by its task: class scores, or masks on the scan's own grid."""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.geometry import Geometry
from firstread.core.masks import true_masks
from firstread.core.paths import home_folder
from firstread.core.predictions import CONTEXT_COLUMNS, Predictions
from firstread.core.progress_bar import track
from firstread.core.provenance import Origin
from firstread.core.task_protocol import Task, answer_names, same_answers
from firstread.core.tasks import Classification, Segmentation
from firstread.core.volume import Volume
from firstread.learning.examples import ArrayExamples, Examples, load_pictures
from firstread.learning.loop import sequential_batches
from firstread.learning.models.protocol import Model, check_predictor
from firstread.learning.volume_slices import read_network_volume, slice_batches
from firstread.readers.nifti import write_nifti

if TYPE_CHECKING:
    import pandas as pd


def predict(
    model: Model, cases: Cohort | Case, *, baselines: bool = True, folder: str | Path | None = None
) -> Predictions:
    """Predict cases, on the device that the network was trained on.

    Args:
        model: a trained network.
        cases: a cohort (targets may be missing), or one case.
        baselines: let the trivial rules stand beside the network in `evaluate`. They are fitted then, on the training
            split of the cohort that the cases come from (`cases.parent`). Without a training split there are none.
        folder: where masks are written; default a new one under firstread's own folder. Not used for classes.

    Returns:
        Predictions with the columns of the network's task: for classes a row a case with a score for each class; for a
        segmentation a row a case and structure, with the file of the mask and its volume. The truth beside them is the
        word of the reader whom the cohort's task names.

    Raises:
        DataError: no cases, or a file that cannot be read.
        SettingError: not a network and cases, or a single case for a segmentation.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=64))
        >>> model = fr.build_model(classes=cohort.classes, size=32)
        >>> predictions = fr.predict(model, cohort.test)
        >>> len(predictions), predictions.scores.sum(axis=1).round(6).tolist()
        (2, [1.0, 1.0])
    """
    check_predictor(model)
    if not isinstance(cases, (Cohort, Case)):
        raise SettingError("predict takes a network and a cohort or one case, in this order")
    if isinstance(cases, Case) and not isinstance(model.task, Classification):
        raise SettingError(f"A {model.task.kind} is predicted for a cohort", do="predict(model, cohort[:1])")
    cohort = _case_to_cohort(cases, model.task) if isinstance(cases, Case) else cases
    if not len(cohort):
        raise DataError("There are no cases to predict", do="check the split: cohort.counts() shows how many are where")
    # the cohort's task also says whose word is the truth
    task = cohort.task if same_answers(model.task, cohort.task) else model.task
    name, known = str(model.describe().get("backbone") or task.kind), cohort if baselines else None
    if isinstance(task, Classification):
        scores = _predict_pictures(model, cohort)
        return Predictions.from_scores(cohort.table, scores, classes=task.classes, task=task, model=name, cohort=known)
    sink = MaskFolder(Path(folder) if folder else _new_folder())
    if model.inputs.is_volume:
        for case in track(cohort, "Predicting volumes", total=len(cohort), unit="volume"):
            probabilities, grid, image = predict_volume(model, case)
            task.decode(case.case, probabilities, grid=grid, image=image, sink=sink)
    else:
        for case_name, outputs in zip(cohort.table["case"], _predict_pictures(model, cohort), strict=True):
            task.decode(case_name, outputs, grid=None, image=None, sink=sink)
    return Predictions(_complete_rows(sink.rows, task, cohort), task, name, cohort=known)


def predict_scores(model: Model, images: np.ndarray) -> np.ndarray:
    """Class probabilities (N, K) of uint8 images (N, S, S) or (N, S, S, 3)."""
    return _predict_examples(model, ArrayExamples(images, np.full(len(images), -1)))


@torch.inference_mode()
def predict_volume(model: Model, case: Case) -> tuple[np.ndarray, Geometry, Geometry]:
    """Probabilities of a case's voxels, slice by slice.

    Returns:
        (probabilities, grid, image): float32 (1 + S, z, y, x) on the network's grid, that grid, and the geometry of the
        case's image, as `Task.decode` takes them.
    """
    model.eval()
    volume, own_grid = read_network_volume(case, model.inputs)
    height, width = volume.values.shape[1:]
    parts = []
    for batch in slice_batches(volume.values, model.inputs, batch_size=model.inputs.inference_batch_size):
        parts.append(model.probabilities(model(model.prepare(batch)))[:, :, :height, :width].numpy())
    return np.concatenate(parts).swapaxes(0, 1), volume.geometry, own_grid


class MaskFolder:
    """Sink for predictions: rows in a list, masks as NIfTI files in a folder.

    Args:
        folder: of the masks; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []

    def add_row(self, values: Any) -> None:
        """Add a row with the columns of the task's schema."""
        self.rows.append(dict(values))

    def write_mask(self, case: str, values: np.ndarray, geometry: Geometry) -> str:
        """Store a label map, uint8 (z, y, x); returns the path of its file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        readable = re.sub(r"[^A-Za-z0-9_-]+", "-", case)[:60]
        file = self.folder / f"{len(self.rows):06d}-{readable}.nii.gz"
        return str(write_nifti(file, Volume(values, geometry)))


def _complete_rows(rows: list[dict[str, Any]], task: Task, cohort: Cohort) -> "pd.DataFrame":
    """A table of a network's answers with the truth, and with what is known of the cases."""
    import pandas as pd

    schema, truths = task.schema(), _find_truths(task, cohort)
    facts = cohort.table.set_index("case")
    completed = []
    for row in rows:
        truth = truths.get(tuple(row[name] for name in schema.key), dict.fromkeys(schema.truth))
        known = {name: facts.loc[row["case"], name] for name in CONTEXT_COLUMNS if name in facts}
        completed.append({**row, **truth, **known})
    return pd.DataFrame(completed)


def _find_truths(task: Task, cohort: Cohort) -> dict[tuple[str, ...], dict[str, Any]]:
    """Key of a row -> its columns of truth, where the truth is known."""
    if isinstance(task, Segmentation):
        return true_masks(cohort, task.structures, reader=task.reader)
    columns, task_targets = task.schema().truth, getattr(task, "targets", None)
    if task_targets is None or len(columns) != 1:
        return {}
    values = zip(cohort.table["case"], task_targets(cohort.tables), strict=True)
    return {(case,): {columns[0]: value} for case, value in values}


def _predict_pictures(model: Model, cohort: Cohort) -> np.ndarray:
    """Outputs of a network for the picture of each case: (N, ...), as `Task.decode` takes them."""
    return _predict_examples(model, load_pictures(cohort, model.inputs, cohort.targets, once=True))


@torch.inference_mode()
def _predict_examples(model: Model, examples: Examples) -> np.ndarray:
    """Class probabilities (N, K), or what else the network's task asks for."""
    model.eval()
    batches = sequential_batches(examples, prepare=model.prepare, batch_size=model.inputs.inference_batch_size)
    return np.concatenate([model.probabilities(model(batch)).cpu().numpy() for batch, _ in batches])


def _new_folder() -> Path:
    return home_folder() / "predictions" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _case_to_cohort(case: Case, task: Task) -> Cohort:
    classes = answer_names(task)
    row = {"case": case.case, "file": case.file, "frame": case.frame, "patient": case.patient, "split": case.split}
    row["label"] = case.label if case.label in classes else None
    return Cohort.from_table(make_table([row]), classes, Origin("one case"), window=case.window)
