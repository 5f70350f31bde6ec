"""What the levels of folders mean: split, class or patient.

```
a/  b/                    classes               patient01/a/   patient02/b/    patients, with classes below them
train/a/  test/b/         splits, then classes  ANON001/  ANON002/             patients, and no classes
a/train/  b/test/         classes, then splits  images/a/  images/b/           a container, then classes
```
"""

from collections.abc import Sequence
from dataclasses import dataclass

from firstread.core.columns import parse_split_name
from firstread.datasets.patient_evidence import are_patient_folders, is_container


@dataclass(frozen=True)
class FolderLevels:
    """Class and split of each image by its folders.

    Attributes:
        labels: (N,) name of the class folder of each image, or None.
        splits: (N,) split of each image, or None.
        has_patient_folders: whether the folders where classes were expected are one for each patient.
        has_split_folders: whether the splits are the upper level.
    """

    labels: list[str | None]
    splits: list[str | None]
    has_patient_folders: bool
    has_split_folders: bool

    @property
    def class_depth(self) -> int:
        """Level of the class folders, from 1, without containers."""
        return 2 if self.has_split_folders else 1


def interpret_folders(folders: Sequence[tuple[str, ...]], *, are_pictures: bool) -> FolderLevels:
    """Class and split of images by the names of the folders that they lie in.

    Args:
        folders: (N,) names of the folders of each image, from the root of the data set down.
        are_pictures: whether all images are pictures such as PNG; below the patients of DICOM files lie studies and
            series, and no classes.

    Example:
        >>> levels = interpret_folders([("train", "a"), ("test", "b")], are_pictures=True)
        >>> levels.labels, levels.splits
        (['a', 'b'], ['train', 'test'])
    """
    levels = [without_containers(parts) for parts in folders]
    top = {parse_split_name(parts[0]) for parts in levels if parts}
    has_split_folders = "train" in top or len(top - {None}) > 1
    pairs = [_label_and_split(parts, has_split_folders) for parts in levels]
    labels, splits = [label for label, _ in pairs], [split for _, split in pairs]
    names = sorted({label for label in labels if label})
    is_by_patient = are_patient_folders(names)
    if is_by_patient:
        depth = 2 if has_split_folders else 1
        labels = _labels_below_patients(levels, depth) if are_pictures else [None] * len(levels)
    return FolderLevels(labels, splits, is_by_patient, has_split_folders)


def without_containers(parts: Sequence[str]) -> tuple[str, ...]:
    """Names of folders without those that only hold images, such as "images" or "png"."""
    return tuple(part for part in parts if not is_container(part))


def _label_and_split(parts: tuple[str, ...], has_split_folders: bool) -> tuple[str | None, str | None]:
    if has_split_folders:
        split = parse_split_name(parts[0]) if parts else None
        return parts[1] if split and len(parts) > 1 else None, split
    split = parse_split_name(parts[1]) if len(parts) > 1 else None  # class/train as well as train/class
    return parts[0] if parts else None, split


def _labels_below_patients(levels: Sequence[tuple[str, ...]], depth: int) -> list[str | None]:
    """Classes in the level below the patients: a few names that several patients share; else none."""
    labels = [parts[depth] if len(parts) > depth else None for parts in levels]
    patients: dict[str, set[str]] = {}
    for label, parts in zip(labels, levels, strict=True):
        if label is not None:
            patients.setdefault(label, set()).add(parts[depth - 1])
    everybody = set().union(*patients.values())
    are_classes = (
        None not in labels
        and 1 < len(patients) <= len(everybody) / 2
        and min(map(len, patients.values())) > 1
        and not are_patient_folders(sorted(patients))
    )
    return labels if are_classes else [None] * len(levels)
