"""Review class: images of one kind of machine and one size, of which a person looks at a sheet."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.deidentification.identity import nested_identity_values
from firstread.deidentification.pixel_regions import ultrasound_regions
from firstread.deidentification.value_search import clean_text
from firstread.dicom.headers import convert_dicom_errors
from firstread.dicom.pixel_elements import get_int, get_str

if TYPE_CHECKING:
    from pydicom import Dataset

_LONGEST = 40
_UNWANTED = re.compile(r"[^\w .+()/-]+")


def review_class(dataset: "Dataset") -> str:
    """Name of an image's review class: modality, SOP class, maker's model, size. It names no patient and no place.

    Raises:
        DataError: the header is damaged.

    Example:
        >>> from pydicom import Dataset
        >>> image = Dataset()
        >>> image.SOPClassUID, image.Modality = "1.2.840.10008.5.1.4.1.1.7", "OT"
        >>> image.ManufacturerModelName, image.Rows, image.Columns = "Viewer 7 of Doe", 480, 640
        >>> image.PatientName = "Doe^Jane"
        >>> review_class(image)
        'OT Secondary Capture Image Storage, Viewer 7 of, 640 x 480'
    """
    with convert_dicom_errors(Path("dataset")):
        return _review_class(dataset)


def _review_class(dataset: "Dataset") -> str:
    from pydicom.uid import UID

    values = frozenset(nested_identity_values(dataset))
    modality, model = (
        _UNWANTED.sub(" ", clean_text((get_str(dataset, keyword) or "")[:_LONGEST], values, descriptions=True)).strip()
        for keyword in ("Modality", "ManufacturerModelName")
    )
    sop_class = UID(str(dataset.get("SOPClassUID") or ""))
    kind = sop_class.name if sop_class.is_valid and not sop_class.name[:1].isdigit() else "unknown class"
    size = f"{get_int(dataset, 'Columns') or 0} x {get_int(dataset, 'Rows') or 0}"
    parts = [f"{modality[:16]} {kind}".strip(), model, size]
    if "Ultrasound" in kind and not ultrasound_regions(dataset):
        parts.append("without regions")
    return ", ".join(part for part in parts if part)
