"""Planting a shortcut on purpose: a side marker that stands on one class only.

A lesson trains on such images and tests without them, so that a trainee sees a network learn the marker and not the
anatomy, as networks learned the portable unit's marker in chest radiographs (Zech 2018,
doi 10.1371/journal.pmed.1002683).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from firstread.core.cohort import Cohort, Step
from firstread.core.errors import SettingError, suggest
from firstread.core.files import write_atomically
from firstread.core.images import to_grayscale
from firstread.core.progress import track


def plant_marker(cohort: Cohort, *, on: Sequence[str], folder: str | Path, text: str = "L") -> Cohort:
    """A copy of a cohort in which every image of some classes carries a bright side marker in its upper corner.

    All images are written anew, marked or not, so that no difference of file format tells the classes apart.

    Args:
        cohort: the images; they are left as they are.
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
    for index, study in enumerate(track(cohort, "Planting markers", total=len(cohort))):
        pixels = to_grayscale(study.image())
        if study.label in on:
            pixels = draw_marker(pixels, text=text)
        files.append(str(write_atomically(folder / f"{index:05d}.png", lambda path, image=pixels: _save(path, image))))
    table = cohort.table.assign(file=files, frame=None, marker=cohort.table["label"].isin(list(on)))
    step = Step("plant_marker", {"on": list(on), "text": text})
    return replace(cohort, table=table, steps=(*cohort.steps, step), whole=None)


def draw_marker(pixels: np.ndarray, *, text: str = "L") -> np.ndarray:
    """A copy of a grayscale image (H, W) with a bright letter, a seventh of its height tall, in the upper left corner."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(pixels)
    height = max(8, pixels.shape[0] // 7)
    corner = (pixels.shape[1] // 24, pixels.shape[0] // 24)
    ImageDraw.Draw(picture).text(
        corner, text, fill=255, font=ImageFont.load_default(size=height), stroke_width=height // 14
    )
    return np.asarray(picture)


def _save(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, format="PNG")
