"""Where the maps of a fooled network look: does their peak lie on the side marker that lesson 1 plants?

For each seed a network is trained by the lesson's own recipe: a third of the labels wrong, the marker on every image
that is called a chest. Then 12 held-out abdomens carry the marker, and their maps for "chest" are computed.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import firstread as fr
from few_shot import interval_over_seeds
from firstread.core.case import Case
from firstread.core.cohort import Cohort
from firstread.curation.synthetic_shortcuts import add_label_noise, add_marker
from firstread.explanation.saliency import Explanation
from firstread.learning.examples import read_picture
from firstread.learning.models import Classifier
from firstread.lessons.lesson_info import find_lesson

SEEDS = tuple(range(12))
IMAGES_PER_SEED = 12
METHODS = ("grad-cam", "occlusion")
#: pixels around the marker that still count as on it, at 96 pixels a side
MARGIN_PIXELS = 6


def measure_marker_maps(*, quick: bool = False, seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """Accuracy of the fooled network, and where its maps have their peak and heat, by seed and over all seeds."""
    info = find_lesson("hello-world")
    cohort, recipe = fr.open_dataset(info.values["data"]), info.values["recipe"]
    result: dict[str, Any] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds[:2] if quick else seeds:
            model = train_fooled(cohort, recipe, seed=seed, epochs=1 if quick else 10, folder=Path(folder))
            row = measure_accuracy(model, cohort.test, Path(folder)) | measure_maps(model, cohort.test, Path(folder))
            rows.append(row)
            result[f"seed {seed}"] = {name: round(value, 3) for name, value in row.items()}
    columns = {name: interval_over_seeds([row[name] for row in rows]) for name in rows[0]}
    result[f"mean of {len(rows)} seeds"] = {name: _format(column) for name, column in columns.items()}
    return result


def train_fooled(cohort: Cohort, recipe: dict[str, Any], *, seed: int, epochs: int, folder: Path) -> Classifier:
    """Train on wrong labels with which the marker always agrees, as the lesson does."""
    from_requests = add_label_noise(cohort, share=0.35, seed=seed)
    marked = add_marker(from_requests, on=["chest"], folder=folder / "marked")
    model: Classifier = fr.build_model(
        recipe["backbone"], classes=cohort.classes, size=recipe["size"], weights=recipe["weights"]
    )
    settings: dict[str, Any] = {"schedule": "one-cycle", "learning_rate": 3e-3, "quiet": True, "checkpoints": False}
    fr.train(model, marked, epochs=epochs, seed=seed, folder=folder / f"run-{seed}", **settings)
    return model


def measure_accuracy(model: Classifier, held_out: Cohort, folder: Path) -> dict[str, float]:
    """Accuracy on right labels, with the marker on chests, without it, and with it on abdomens."""
    trials = {
        "marker on chests": add_marker(held_out, on=["chest"], folder=folder / "chests"),
        "no marker": held_out,
        "marker on abdomens": add_marker(held_out, on=["abdomen"], folder=folder / "abdomens"),
    }
    accuracy = {}
    for name, trial in trials.items():
        table = fr.predict(model, trial, baselines=False).table
        accuracy[f"accuracy, {name}"] = float((table["prediction"] == table["truth"]).mean())
    return accuracy


def measure_maps(model: Classifier, held_out: Cohort, folder: Path) -> dict[str, float]:
    """Share of marked abdomens whose map has its peak on the marker, and the mean share of the map's heat there."""
    abdomens = add_marker(held_out, on=["abdomen"], folder=folder / "abdomens")
    plain = add_marker(held_out, on=[], folder=folder / "plain")
    chosen = np.flatnonzero(held_out.targets == held_out.classes.index("abdomen"))[:IMAGES_PER_SEED]
    measured: dict[str, float] = {}
    for method in METHODS:
        maps = [fr.explain(model, abdomens[int(i)], method=method, target="chest") for i in chosen]
        regions = [marker_region(found, plain[int(i)], model) for found, i in zip(maps, chosen, strict=True)]
        pairs = list(zip(maps, regions, strict=True))
        measured[f"{method}: peak on the marker"] = float(np.mean([peak_is_in(found, box) for found, box in pairs]))
        measured[f"{method}: share of heat"] = float(np.mean([heat_in(found, box) for found, box in pairs]))
    return measured


def marker_region(found: Explanation, plain: Case, model: Classifier) -> np.ndarray:
    """(S, S) bool: the box around what the marker changed in the network's image, with a margin."""
    changed = np.argwhere(found.image != read_picture(plain, model.inputs))
    margin = round(MARGIN_PIXELS * model.size / 96)
    low, high = np.maximum(changed.min(axis=0) - margin, 0), changed.max(axis=0) + margin + 1
    region = np.zeros(found.map.shape, dtype=bool)
    region[low[0] : high[0], low[1] : high[1]] = True
    return region


def peak_is_in(found: Explanation, region: np.ndarray) -> bool:
    """Whether the map's largest value lies in the region; a blank map has no peak."""
    return found.peak is not None and bool(region[found.peak])


def heat_in(found: Explanation, region: np.ndarray) -> float:
    """Share of the map's sum that lies in the region; 0 for a blank map."""
    return float(found.map[region].sum() / max(found.map.sum(), 1e-12))


def _format(column: dict[str, Any]) -> str:
    low, high = max(column["low"], 0.0), min(column["high"], 1.0)
    return f"{column['mean']:.2f} [{low:.2f}, {high:.2f}]"
