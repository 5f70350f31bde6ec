"""`open_dataset`: images and classes as a Cohort, from a name or from a path."""

from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError, suggest
from firstread.datasets.catalogue import CATALOGUE, find_named
from firstread.datasets.named import open_named

SPLIT_KINDS = ("patient", "random", "contiguous")


def open_dataset(
    name_or_path: str | Path, *, split: str | None = None, seed: int = 0, window: Any = None
) -> Cohort:
    """Open images and their classes as a Cohort."""
    if split is not None and split not in SPLIT_KINDS:
        raise SettingError(f'There is no split called "{split}".{suggest(split, SPLIT_KINDS)}')
    if str(name_or_path) in CATALOGUE:
        return open_named(find_named(str(name_or_path)), split=split, seed=seed)
    raise find_named(str(name_or_path))
