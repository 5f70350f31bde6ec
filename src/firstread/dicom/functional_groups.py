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
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in [*([per_frame[frame]] if frame < len(per_frame) else []), *shared[:1]]:
        items: Sequence | None = group.get(keyword)
        if items:
            return items[0]
    return None
