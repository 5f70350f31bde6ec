"""Functional groups of enhanced multi-frame DICOM images: what holds for one frame, and what all frames share."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset, Sequence


def functional_group(dataset: "Dataset", frame: int, keyword: str) -> "Dataset | None":
    """The item of a functional group for a frame: per-frame if present, else shared, else None.

    Args:
        frame: from 0.
        keyword: of the group's sequence, such as "PlanePositionSequence".

    Source: DICOM PS3.3 C.7.6.16.
    """
    return find_group(frame_groups(dataset, frame), keyword)


def frame_groups(dataset: "Dataset", frame: int) -> tuple["Dataset", ...]:
    """The functional groups of a frame, then those that all frames share; () in a single-frame file."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    return (*([per_frame[frame]] if frame < len(per_frame) else []), *shared[:1])


def find_group(groups: tuple["Dataset", ...], keyword: str) -> "Dataset | None":
    """The first item of a functional group in `frame_groups`."""
    for group in groups:
        items: Sequence | None = group.get(keyword) if keyword in group else None
        if items:
            return items[0]
    return None
