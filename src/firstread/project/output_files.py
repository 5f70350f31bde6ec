"""The outputs in `20-deidentified`: found, and made to be those of a run, no more and no fewer."""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds

from firstread.project.file_outcomes import OUTCOMES

_PATTERN = "P*/T*/S*/I*.dcm"
_LEFTOVERS = "P*/T*/S*/.I*.dcm.*.dcm"


def find_outputs(folder: Path) -> Iterator[Path]:
    """All outputs."""
    return folder.glob(_PATTERN)


def missing_outputs(parts: Path, folder: Path) -> int:
    """Number of outputs that a run wrote and that are not there."""
    batches = ds.dataset(parts / "outcomes", schema=OUTCOMES).to_batches(columns=["output"])
    return sum(1 for batch in batches for path in batch["output"].to_pylist() if path and not (folder / path).is_file())


def remove_orphans(parts: Path, folder: Path) -> int:
    """Remove outputs that no row of a run has, such as those of files that are held back now; returns how many.

    Paths are compared by 64 bits of a hash, eight bytes an output, so that memory stays flat.
    """
    batches = ds.dataset(parts / "outcomes", schema=OUTCOMES).to_batches(columns=["output"])
    known = (_number(path) for batch in batches for path in batch["output"].to_pylist() if path)
    kept = np.sort(np.fromiter(known, np.uint64))
    gone = 0
    for path in find_outputs(folder):
        number = np.uint64(_number(path.relative_to(folder).as_posix()))
        place = int(np.searchsorted(kept, number))
        if place == len(kept) or kept[place] != number:
            path.unlink(missing_ok=True)
            gone += 1
            _remove_empty(path.parent, folder)
    for leftover in folder.glob(_LEFTOVERS):  # what a run that was killed had begun
        leftover.unlink(missing_ok=True)
        _remove_empty(leftover.parent, folder)
    return gone


def _remove_empty(folder: Path, top: Path) -> None:
    with suppress(OSError):
        while folder != top:
            folder.rmdir()
            folder = folder.parent


def _number(path: str) -> int:
    return int.from_bytes(blake2b(path.encode(), digest_size=8).digest())
