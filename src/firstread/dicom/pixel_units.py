"""Unit of a DICOM image's values after rescale: Hounsfield units for CT, what the file states for others."""

from typing import TYPE_CHECKING

from firstread.dicom.functional_groups import functional_group

if TYPE_CHECKING:
    from pydicom import Dataset

#: defined terms of RescaleType that name a unit (PS3.3 C.11.1.1.2); "US" is "not specified"
_RESCALE_TYPES = ("HU", "HU_MOD", "OD", "MGML", "Z_EFF", "ED", "EDW", "PCT")
_CT_IMAGES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")


def pixel_unit(dataset: "Dataset", frame: int = 0) -> str:
    """Unit of a frame's values: "HU", a unit that the file states such as "BQML", or "" where it states none.

    A CT image without RescaleType is in Hounsfield units; a screenshot of a CT (secondary capture) is not.

    Source: DICOM PS3.3 C.8.2.1 (CT), C.8.9.1 (PET), C.11.1.1.2 (RescaleType).
    """
    if int(dataset.get("SamplesPerPixel") or 1) > 1 or dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        return ""
    transform = functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    kind = str(transform.get("RescaleType") or "").upper()
    if kind in _RESCALE_TYPES:
        return kind
    modality = dataset.get("Modality")
    if modality == "PT":
        return str(dataset.get("Units") or "")
    is_rescaled = "RescaleIntercept" in transform or str(dataset.get("SOPClassUID")) in _CT_IMAGES
    return "HU" if modality == "CT" and not kind and is_rescaled else ""
