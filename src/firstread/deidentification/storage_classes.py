"""Storage classes: which DICOM objects can be de-identified by rules, which wait for a person, which are held back.

An allow-list: an object of a class that is not named here is held back, because nobody has said what may identify a
patient in it.
"""

from typing import TYPE_CHECKING

from firstread.deidentification.iod_attributes import known_sop_classes
from firstread.deidentification.pixel_search import looks_drawn_on
from firstread.deidentification.profile import Profile
from firstread.deidentification.review_class import review_class
from firstread.dicom.pixel_elements import pixel_keyword

if TYPE_CHECKING:
    from pydicom import Dataset

_STORAGE = "1.2.840.10008.5.1.4.1.1."


def _uids(endings: str) -> frozenset[str]:
    """UIDs of storage classes by what follows the root of all of them."""
    return frozenset(_STORAGE + ending for ending in endings.split())


#: pixels are measured by the scanner; text is burned in only where the header says that a person made them
_MEASURED = _uids(
    "2 2.1 2.2 "  # CT
    "4 4.1 4.3 4.4 "  # MR
    "20 128 128.1 130 "  # nuclear medicine, PET
    "14.1 14.2 77.1.5.4 "  # intravascular and ophthalmic tomography
    "481.2 "  # RT dose
    "30 66.4 66.7 "  # parametric map, segmentation, label map
)
#: pixels that often carry text of the device or of a person
_WAITING = _uids(
    "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 "  # radiographs, mammograms, teeth
    "3 3.1 6 6.1 6.2 "  # ultrasound
    "5 "  # nuclear medicine, retired
    "7 7.1 7.2 7.3 7.4 "  # secondary capture
    "12.1 12.1.1 12.2 12.2.1 12.3 "  # angiography, fluoroscopy
    "13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 "  # tomosynthesis
    "77.1.1 77.1.1.1 77.1.2 77.1.2.1 77.1.3 77.1.4 77.1.4.1 77.1.6 "  # visible light
    "77.1.5.1 77.1.5.2 77.1.5.5 77.1.5.6 "  # ophthalmic photographs
    "481.1 "  # RT image
)
#: a dose may be histograms alone
_DOSE = _uids("481.2")
#: no pixels; attributes, references and coordinates
_WITHOUT_PIXELS = _uids(
    "481.3 481.5 481.8 "  # RT structure set, plan, ion plan
    "11.1 11.2 11.3 11.4 "  # presentation states
    "66.1 66.3 66.5 "  # registrations, surface segmentation
    "67 "  # real world value mapping
)
_STRUCTURED = _uids("88.11 88.22 88.33 88.34 88.35 88.40 88.50 88.59 88.65 88.67 88.68 88.71 ")
_DOCUMENTS = _uids("104.1 104.2 104.3 104.4 104.5")
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_SCREEN_TYPES = frozenset({"SCREEN SAVE", "SCREENSHOT", "SECONDARY CAPTURE", "DOSE_INFO", "PATIENT PROTOCOL", "REPORT"})
_NEEDS_OPTION = (
    "it needs the option clean_pixel_data, which searches the pixels, and a person who looks at a sheet of them"
)
_NEEDS_REVIEW = (
    "it waits for a person who looks at the sheet of its review class (write_review_sheets) and names the class in "
    "Profile(reviewed={...})"
)
#: values are counted or drawn by a program: nothing is burned into them
_LABELS = _uids("481.2 30 66.4 66.7")


def reason_to_hold_class(sop_class: str, profile: Profile) -> str | None:
    """Why objects of a SOP class are held back; None where rules are enough.

    Example:
        >>> reason_to_hold_class("1.2.840.10008.5.1.4.1.1.2", Profile()) is None
        True
        >>> reason_to_hold_class("1.2.840.10008.5.1.4.1.1.104.1", Profile())
        'An encapsulated document: its pages may name the patient, and no rule reads them'
    """
    if sop_class in _DOCUMENTS:
        return "An encapsulated document: its pages may name the patient, and no rule reads them"
    if sop_class == MEDIA_DIRECTORY:
        return "A DICOMDIR lists names and identifiers of patients; it is never copied"
    if sop_class in _STRUCTURED:
        if "clean_structured_content" in profile:
            return None
        return "A structured report: its sentences may name people; it needs the option clean_structured_content"
    if sop_class in _MEASURED | _WAITING | _WITHOUT_PIXELS and sop_class in known_sop_classes():
        return None
    return "The kind of object (SOP class) is not on the list of those that the rules are complete for"


def reason_to_hold_pixels(dataset: "Dataset", sop_class: str, profile: Profile) -> str | None:
    """Why the pixels of an image have to wait for an option or a person; None where they need not.

    Pixels are looked at by a person before text in them can be called absent: the header's word (BurnedInAnnotation
    NO) is not taken for it.
    """
    reason = reason_to_review(dataset, sop_class)
    if "clean_pixel_data" in profile:
        return f"{reason}: {_NEEDS_REVIEW}" if reason and review_class(dataset) not in profile.reviewed else None
    return f"{reason}: {_NEEDS_OPTION}" if reason else None


def reason_to_review(dataset: "Dataset", sop_class: str) -> str | None:
    """Why a person has to look at the pixels of an image, one of its class for all; None where nobody has to."""
    reasons = (
        (_text(dataset, "BurnedInAnnotation") == "YES", "The header says that text is burned in"),
        (sop_class in _WAITING, "Images of this kind often carry text"),
        (sop_class in _MEASURED and is_screen(dataset), "A picture of a screen"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def is_searched_for_text(dataset: "Dataset", sop_class: str) -> bool:
    """Whether text may be burned into an image: into all but labels, and slices of a scanner with measured noise alone.

    Raises:
        DataError: the pixels of a slice cannot be decoded.
    """
    if reason_to_review(dataset, sop_class):
        return True
    if sop_class not in _MEASURED - _LABELS or pixel_keyword(dataset) is None:
        return False
    is_original = _text(dataset, "ImageType").split("\\")[0] == "ORIGINAL"
    return not is_original or looks_drawn_on(dataset)


def is_screen(dataset: "Dataset") -> bool:
    """Whether the header says that the picture was taken from a screen."""
    return bool(_SCREEN_TYPES & set(_text(dataset, "ImageType").split("\\")))


def reason_to_hold_length(dataset: "Dataset", sop_class: str) -> str | None:
    """Why an object that should have pixels is held back; None where it has them or needs none."""
    if sop_class in (_MEASURED | _WAITING) - _DOSE and pixel_keyword(dataset) is None:
        return "An image without pixels: it was cut off before them"
    return None


def _text(dataset: "Dataset", keyword: str) -> str:
    value = dataset.get(keyword)
    if value is None:
        return ""
    return "\\".join(map(str, value)).upper() if hasattr(value, "append") else str(value).strip().upper()
