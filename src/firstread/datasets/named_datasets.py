"""Open named data sets as Cohorts: phantoms simulated once, published sets with their classes and splits."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from natsort import natsorted, ns

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.paths import data_folder
from firstread.core.provenance import Step
from firstread.core.splits import split_contiguous, split_random
from firstread.core.version import package_version
from firstread.datasets.catalogue import NamedDataset
from firstread.datasets.download import download_dataset, read_stray_files

_IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg")
_SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}


def open_named_dataset(entry: NamedDataset, *, split: str | None, seed: int) -> Cohort:
    """Open a named data set as a Cohort, with its published split unless another is requested."""
    if entry.factory:
        return open_phantoms(entry)
    cohort = _published_cohort(entry, download_dataset(entry.name))
    if entry.fractions is None or split not in (None, "random", "contiguous"):
        return cohort
    if split == "contiguous":
        return split_contiguous(cohort, fractions=entry.fractions)
    return split_random(cohort, fractions=entry.fractions, seed=seed)


def open_phantoms(entry: NamedDataset) -> Cohort:
    """Open a named data set of phantom patients: simulated at the first call, then read from disk."""
    folder = data_folder() / f"{entry.folder}-v{import_module('firstread.phantoms').VERSION}"
    if folder.is_dir():
        try:
            cohort = Cohort.load(folder)
            if len(cohort) and all(Path(file).is_file() for file, _ in cohort.tables.first_images()):
                return cohort
        except DataError:
            pass
        warnings.warn(f"The phantoms in {folder} were damaged and are made again.", UserWarning, stacklevel=2)
    getattr(import_module("firstread.phantoms.teaching_sets"), entry.factory)(folder)
    return Cohort.load(folder)


def _published_cohort(entry: NamedDataset, folder: Path) -> Cohort:
    names = list(entry.checksums) if not entry.archive else _find_image_names(folder)
    rows = [row for name in natsorted(names, alg=ns.IGNORECASE) if (row := _image_row(entry, folder, name))]
    stray = read_stray_files(folder)
    parameters = {"data": entry.name, "stray_files": len(stray), "stray_names": stray[:50]}
    step = Step("opened", parameters, version=package_version())
    return Cohort.from_table(make_table(rows), entry.classes, entry.origin, (step,))


def _image_row(entry: NamedDataset, folder: Path, name: str) -> dict[str, Any] | None:
    path = Path(name)
    keys = [path.parent.name, path.stem]
    label = next((entry.class_folders[key] for key in keys if key in entry.class_folders), None)
    if label is None:
        return None
    return {
        "case": path.with_suffix("").as_posix(),
        "file": str(folder / name),
        "label": label,
        "split": _SPLIT_NAMES.get(path.parts[0]),
    }


def _find_image_names(folder: Path) -> list[str]:
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in _IMAGE_EXTENSIONS and path.is_file()
    ]
