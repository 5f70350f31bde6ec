"""Named data sets as cohorts: phantoms made once, published sets with the splits and the classes they came with."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from natsort import natsorted, ns

from firstread.core.cohort import Cohort, Step
from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.paths import data_folder, version
from firstread.core.splits import split_contiguous, split_random
from firstread.datasets.catalogue import NamedData
from firstread.datasets.download import get_dataset, stray_files

_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
_SPLIT_FOLDERS = {"train": "train", "val": "validation", "test": "test"}


def open_named(entry: NamedData, *, split: str | None, seed: int) -> Cohort:
    """The cohort of a named data set with the split it was published with, unless another is asked for."""
    if entry.make:
        return open_phantoms(entry)
    cohort = _published(entry, get_dataset(entry.name))
    if entry.fractions is None or split not in (None, "random", "contiguous"):
        return cohort
    if split == "contiguous":
        return split_contiguous(cohort, fractions=entry.fractions)
    return split_random(cohort, fractions=entry.fractions, seed=seed)


def open_phantoms(entry: NamedData) -> Cohort:
    """Phantom patients of a named set; made at the first call, read from disk ever after."""
    folder = data_folder() / f"{entry.folder}-v{import_module('firstread.phantoms').VERSION}"
    if folder.is_dir():
        try:
            cohort = Cohort.load(folder)
            if len(cohort) and all(Path(file).is_file() for file in cohort.table["file"]):
                return cohort
        except DataError:
            pass
        warnings.warn(f"The phantoms in {folder} were damaged and are made again.", UserWarning, stacklevel=2)
    getattr(import_module("firstread.phantoms.teaching_sets"), entry.make)(folder)
    return Cohort.load(folder)


def _published(entry: NamedData, folder: Path) -> Cohort:
    names = list(entry.checksums) if not entry.archive else _image_names(folder)
    rows = [row for name in natsorted(names, alg=ns.IGNORECASE) if (row := _row(entry, folder, name))]
    stray = stray_files(folder)
    step = Step("opened", {"data": entry.name, "stray_files": len(stray), "stray_names": stray[:50]}, version=version())
    return Cohort(make_table(rows), entry.classes, entry.origin, (step,))


def _row(entry: NamedData, folder: Path, name: str) -> dict[str, Any] | None:
    path = Path(name)
    keys = [path.parent.name, path.stem]
    label = next((entry.class_folders[key] for key in keys if key in entry.class_folders), None)
    if label is None:
        return None
    return {
        "case": path.with_suffix("").as_posix(),
        "file": str(folder / name),
        "label": label,
        "split": _SPLIT_FOLDERS.get(path.parts[0]),
    }


def _image_names(folder: Path) -> list[str]:
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in _IMAGE_ENDINGS and path.is_file()
    ]
