"""Open a folder of NIfTI volumes with label maps: pairs that are told apart by their names.

```
images/p1.nii.gz  labels/p1.nii.gz        p1/ct.nii.gz  p1/liver_mask.nii.gz       volume-1.nii  segmentation-1.nii
```

What the numbers of the label maps mean stands in a file `labels.json`, such as {"liver": 1, "lesion": 2}; without it
the structures are called "label 1", "label 2", ...
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from natsort import natsorted, ns

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.files import read_json
from firstread.core.images import read_volume
from firstread.core.progress_bar import track
from firstread.core.windows import WindowLike
from firstread.datasets.file_scan import relative_name
from firstread.datasets.frames import without_extension
from firstread.datasets.volume_cohort import VolumeFiles, build_volume_cohort

#: more numbers than these in a label map mean that it is an image
MAX_STRUCTURES = 254
_MAX_NAMES_BYTES = 1_000_000
_MASK_WORDS = re.compile(r"(?<![a-z])(segmentations?|segs?|masks?|labels?|gt|annotations?)(?![a-z])")
_IMAGE_WORDS = re.compile(r"(?<![a-z])(images?|imaging|imgs?|volumes?|scans?|ct|mri?|data)(?![a-z])")
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


def find_pairs(folder: Path, images: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pairs of a volume and its label map, by name; empty if less than half of the volumes have one.

    Args:
        folder: that the names are relative to.
        images: files below it; those that are not NIfTI by name do not count.
    """
    files = [path for path in images if path.name.lower().endswith((".nii", ".nii.gz"))]
    by_name: dict[str, tuple[list[Path], list[Path]]] = {}
    by_folder: dict[str, tuple[list[Path], list[Path]]] = {}
    for path in natsorted(files, alg=ns.IGNORECASE):
        name = without_extension(relative_name(path, folder).lower())
        is_mask = bool(_MASK_WORDS.search(name))
        by_name.setdefault(_pair_key(name), ([], []))[is_mask].append(path)
        by_folder.setdefault(str(path.parent), ([], []))[is_mask].append(path)
    for groups in (by_name, by_folder):
        pairs = [(images[0], masks[0]) for images, masks in groups.values() if len(images) == len(masks) == 1]
        if len(pairs) * 4 >= len(files):
            return pairs
    return []


def open_pairs(folder: Path, pairs: Sequence[tuple[Path, Path]], *, window: WindowLike = None) -> Cohort:
    """Open pairs of volumes and label maps as a Cohort for segmentation.

    Raises:
        DataError: a file cannot be read, an image and its label map do not lie on one grid, or a label map is an image.
    """
    stated = folder / "labels.json"
    values = _read_names(stated) if stated.is_file() else _find_values([mask for _, mask in pairs])
    files = [
        VolumeFiles(without_extension(relative_name(image, folder)), {"image": image}, mask) for image, mask in pairs
    ]
    parameters = {"folder": folder.name, "format": "pairs of NIfTI files", "labels": values}
    return build_volume_cohort(
        files, values=values, name=folder.name, window=window, parameters=parameters, base=folder
    )


def _pair_key(name: str) -> str:
    """What is left of a path without the words for images and masks."""
    parts = [_NOT_LETTERS.sub(" ", _IMAGE_WORDS.sub(" ", _MASK_WORDS.sub(" ", part))) for part in name.split("/")]
    return "/".join(part.strip() for part in parts if part.strip())


def _read_names(path: Path) -> dict[str, list[int]]:
    names = read_json(path, max_bytes=_MAX_NAMES_BYTES)
    is_valid = isinstance(names, dict) and all(type(n) is int and 0 < n <= 65535 for n in names.values())
    if not is_valid or not names:
        raise DataError("labels.json does not name the structures", where=path, expected='such as {"liver": 1}')
    return {str(name): [number] for name, number in names.items()}


def _find_values(masks: Sequence[Path]) -> dict[str, list[int]]:
    """The numbers that occur in label maps, each as a structure."""
    found: set[int] = set()
    for path in track(masks, "Looking at the label maps"):
        values = np.unique(read_volume(path).values)
        if len(values) > MAX_STRUCTURES or (values != np.rint(values)).any() or values.min() < 0:
            raise DataError(
                "This was taken for a label map, and holds the values of an image",
                where=path,
                expected=f"at most {MAX_STRUCTURES} whole numbers",
                do="give images and label maps names that tell them apart, such as images/ and labels/",
            )
        found |= {int(value) for value in values}
    found.discard(0)
    if not found:
        raise DataError("All label maps are empty", where=masks[0], expected="numbers above 0 inside the structures")
    return {f"label {number}": [number] for number in sorted(found)}
