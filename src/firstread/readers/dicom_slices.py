"""Headers of DICOM slices: what a file or frame states of its place, its kind and what tells its stack from others."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from firstread.core.errors import DataError
from firstread.dicom.headers import pseudonymize
from firstread.dicom.image_plane import ImagePlane, read_image_plane
from firstread.dicom.pixel_elements import is_color, number_of_frames
from firstread.dicom.pixel_units import is_rescale_broken, pixel_unit
from firstread.readers.stack_tags import read_stack_tags

if TYPE_CHECKING:
    from pydicom import Dataset

#: SOP classes of segmentations: binary or fractional, and label map
SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


class SliceKind(NamedTuple):
    """What must agree within a stack, besides the plane."""

    series: str | None
    frame_of_reference: str
    modality: str | None
    rows: int
    columns: int
    is_color: bool
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Slice:
    """Header of one slice: a single-frame file, or a frame of a multi-frame file.

    Attributes:
        path: of the file.
        frame: index in the file, 0 in a single-frame file.
        kind: what must agree within a stack.
        plane: place in the patient; None where it is not known.
        problem: why this is no slice of a volume, or None.
        uid: SOPInstanceUID; None where it is missing.
        instance: InstanceNumber, then the frame; None where it is missing.
        tags: values of the tags that may tell stacks apart, by the tag's keyword.
    """

    path: Path
    frame: int
    kind: SliceKind
    plane: ImagePlane | None
    problem: DataError | None
    uid: str | None
    instance: tuple[int, int] | None
    tags: dict[str, str]


def read_slices(dataset: "Dataset", path: Path) -> list[Slice]:
    """Headers of the slices of an open file: one, or one a frame; what is broken in them becomes their `problem`."""
    problem = _refusal(dataset, path)
    kind = SliceKind(
        pseudonymize(dataset, "SeriesInstanceUID", "S"),
        str(dataset.get("FrameOfReferenceUID") or ""),
        str(dataset.get("Modality") or "") or None,
        int(dataset.Rows),
        int(dataset.Columns),
        is_color(dataset),
    )
    return [_read_slice(dataset, path, frame, kind, problem) for frame in range(number_of_frames(dataset))]


def _read_slice(dataset: "Dataset", path: Path, frame: int, kind: SliceKind, problem: DataError | None) -> Slice:
    plane = None
    if problem is None and not kind.is_color and is_rescale_broken(dataset, frame):
        problem = no_unit_error(path)
    try:
        plane = None if problem else read_image_plane(dataset, frame)
    except DataError as error:
        problem = error
    except Exception:  # a damaged element makes pydicom raise anything; the picture may still be whole
        problem = DataError("The place of the image in the patient is stated in a damaged element", where=path)
    uid, instance = dataset.get("SOPInstanceUID"), dataset.get("InstanceNumber")
    return Slice(
        path=path,
        frame=frame,
        kind=kind._replace(unit=pixel_unit(dataset, frame)),
        plane=plane,
        problem=problem,
        uid=str(uid) if uid else None,
        instance=(instance, frame) if isinstance(instance, int) else None,
        tags=read_stack_tags(dataset, frame) if plane else {},
    )


def no_unit_error(path: object) -> DataError:
    """The error for a volume whose values cannot be brought to their unit."""
    return DataError(
        "The rescale slope or intercept is missing, zero or no number, so the values have no unit",
        where=path,
        do="read it as a picture, or leave it out",
    )


def _refusal(dataset: "Dataset", path: Path) -> DataError | None:
    """Why a file's frames are no slices of an image, whatever position they state."""
    if str(dataset.get("SOPClassUID")) in SEGMENTATION_CLASSES:
        return DataError(
            "This is a segmentation, not an image",
            where=path,
            do="read it with firstread.readers.dicom_seg.read_segmentation, on the grid of its scan",
        )
    stated = dataset.get("ImageType") or ()
    kinds = [stated] if isinstance(stated, str) else [str(kind) for kind in stated]
    if dataset.get("Modality") == "CT" and "LOCALIZER" in kinds:
        return DataError("This is a localiser (scout view): a projection, not a slice", where=path, do="leave it out")
    if "MOSAIC" in kinds:
        return DataError(
            "This is a mosaic: many slices side by side in one picture",
            where=path,
            do="export the series as one slice a file, or as an enhanced multi-frame image",
        )
    return None
