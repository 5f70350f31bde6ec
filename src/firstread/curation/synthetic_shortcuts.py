"""Synthetic shortcuts: a side marker on images of one class, and label noise.

A lesson trains on such images and tests without them, so that a trainee sees a network learn the marker and not the
anatomy, as networks learned the portable unit's marker in chest radiographs (Zech 2018,
doi 10.1371/journal.pmed.1002683).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError, suggest
from firstread.core.files import write_atomically
from firstread.core.images import to_grayscale
from firstread.core.progress_bar import track
from firstread.core.provenance import Step


def add_marker(cohort: Cohort, *, on: Sequence[str], folder: str | Path, text: str = "L") -> Cohort:
    """Add a bright side marker to every image of some classes, in the upper corner of its own side.

    All images are written again, with or without a marker, so that no difference of file format reveals the class.

    Args:
        cohort: the images; its files are not changed.
        on: the classes that get the marker.
        folder: where the new PNG files go.
        text: the letter on the marker.

    Returns:
        A cohort with the same cases, labels and splits, and the column `marker` (True or False).

    Raises:
        SettingError: a name in `on` is not a class of the cohort.
    """
    for name in on:
        if name not in cohort.classes:
            raise SettingError(f'There is no class called "{name}".{suggest(name, cohort.classes)}', where="on")
    folder = Path(folder)
    files = []
    for index, case in enumerate(track(cohort, "Planting markers", total=len(cohort))):
        pixels = to_grayscale(case.image())
        if case.label in on:
            pixels = draw_marker(pixels, text=text)
        files.append(str(write_atomically(folder / f"{index:05d}.png", partial(_save_png, pixels=pixels))))
    step = Step("plant_marker", {"on": list(on), "text": text})
    marked = cohort.table["label"].isin(list(on)).tolist()
    tables = cohort.tables.with_files(files, [None] * len(files)).with_cases_column("marker", marked)
    return replace(cohort, tables=tables, steps=(*cohort.steps, step), parent=None)


def add_label_noise(cohort: Cohort, *, share: float, seed: int = 0) -> Cohort:
    """Replace a share of the training and validation labels by wrong ones, as in labels read from reports.

    Args:
        cohort: with labels; those of the test split stay right.
        share: 0 to 1, the probability of each label to be replaced by another class.
        seed: for the choice of labels.

    Returns:
        The cohort with the column `label_is_wrong`.

    Raises:
        SettingError: a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise SettingError(f"share={share} is not possible", expected="0 to 1")
    rng = np.random.default_rng(seed)
    is_wrong = (rng.random(len(cohort)) < share) & (cohort.table["split"] != "test").to_numpy() & (cohort.targets >= 0)
    wrong_targets = (cohort.targets + rng.integers(1, len(cohort.classes), len(cohort))) % len(cohort.classes)
    labels = [
        cohort.classes[target] if wrong else label
        for label, target, wrong in zip(cohort.table["label"], wrong_targets, is_wrong, strict=True)
    ]
    step = Step("mistake_labels", {"share": share}, seed=seed)
    return cohort.with_column("label", labels, step=step).with_column("label_is_wrong", is_wrong.tolist())


def draw_marker(pixels: np.ndarray, *, text: str = "L") -> np.ndarray:
    """Copy of an image (H, W) with a bright letter on a dark plate, a fifth of its height tall, in an upper corner.

    An "R" stands in the left corner and anything else in the right one: image left is the patient's right, and a marker
    on the wrong side is the first thing that a radiologist sees. The plate is as dark as the film beside a patient, so
    that the letter is seen on a shoulder as well as on air.
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(pixels)
    rows, columns = pixels.shape
    height, margin = max(10, rows // 5), (columns // 32, rows // 32)
    on_left = text.strip().upper().startswith("R")
    place = (margin[0] * 2 if on_left else columns - 1 - margin[0] * 2, margin[1] * 2)
    font, anchor = ImageFont.load_default(size=height), "la" if on_left else "ra"
    canvas = ImageDraw.Draw(picture)
    left, top, right, bottom = canvas.textbbox(place, text, font=font, anchor=anchor, stroke_width=height // 14)
    canvas.rectangle((left - margin[0], top - margin[1], right + margin[0], bottom + margin[1]), fill=0)
    canvas.text(place, text, fill=255, font=font, stroke_width=height // 14, anchor=anchor)
    return np.asarray(picture)


def _save_png(path: Path, *, pixels: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, format="PNG", compress_level=1)  # fast: the files are read once or twice
