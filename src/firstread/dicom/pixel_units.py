"""Unit of a DICOM image's values and the way to them: rescale slope and intercept, Hounsfield units for CT."""

from typing import TYPE_CHECKING

from firstread.dicom.functional_groups import functional_group
from firstread.dicom.pixel_elements import get_numbers, is_color

if TYPE_CHECKING:
    from pydicom import Dataset

#: defined terms of RescaleType that name a unit (PS3.3 C.11.1.1.2); "US" is "not specified"
_RESCALE_TYPES = ("HU", "HU_MOD", "OD", "MGML", "Z_EFF", "ED", "EDW", "PCT")
_CT_IMAGES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")


def pixel_unit(dataset: "Dataset", frame: int = 0) -> str:
    """Unit of a frame's values: "HU", a unit that the file states such as "BQML", or "" where it states none.

    A CT image without RescaleType is in Hounsfield units; a screenshot of a CT (secondary capture) is not. Values that
    cannot be rescaled as the file says have no unit.

    Source: DICOM PS3.3 C.8.2.1 (CT), C.8.9.1 (PET), C.11.1.1.2 (RescaleType).
    """
    if is_color(dataset) or is_rescale_broken(dataset, frame):
        return ""
    transform = modality_transform(dataset, frame)
    kind = str(transform.get("RescaleType") or "").upper()
    if kind in _RESCALE_TYPES:
        return kind
    modality = dataset.get("Modality")
    if modality == "PT":
        return str(dataset.get("Units") or "")
    is_rescaled = "RescaleIntercept" in transform or str(dataset.get("SOPClassUID")) in _CT_IMAGES
    return "HU" if modality == "CT" and not kind and is_rescaled else ""


def modality_transform(dataset: "Dataset", frame: int = 0) -> "Dataset":
    """What states the transformation of a frame's stored values: its functional group, or the dataset itself."""
    return functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset


def linear_rescale(transform: "Dataset") -> tuple[float, float] | None:
    """Rescale slope and intercept; None where there are none, a modality LUT, or none that can be used.

    A slope of 0, or a value that is empty or no number, makes the pair unusable, as in dcmtk.
    """
    if transform.get("ModalityLUTSequence"):
        return None
    slope, intercept = (get_numbers(transform, name)[:1] for name in ("RescaleSlope", "RescaleIntercept"))
    return (slope[0], intercept[0]) if slope and intercept and slope[0] != 0 else None


def is_rescale_broken(dataset: "Dataset", frame: int = 0) -> bool:
    """Whether a frame states a rescale slope or intercept that cannot be used."""
    transform = modality_transform(dataset, frame)
    is_stated = "RescaleSlope" in transform or "RescaleIntercept" in transform
    return is_stated and not transform.get("ModalityLUTSequence") and linear_rescale(transform) is None
