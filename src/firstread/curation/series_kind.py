"""Kind of a stack: original, derived, localizer, screenshot, dose page or other, from headers and geometry."""

from dataclasses import dataclass

from firstread.curation.description_words import KIND_WORDS, find_words
from firstread.curation.series_files import WORDS, SeriesFile

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: kinds of objects that are images of a patient: CT, MR, PET, radiographs, ultrasound, angiography, mammography, NM
_IMAGE_CLASSES = (
    *("1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.3"),
    *("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.12"),
    *("1.2.840.10008.5.1.4.1.1.13", "1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.128"),
    *("1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.481.1", "1.2.840.10008.5.1.4.1.1.77"),
)
_SCREENS = {"SCREEN SAVE", "SCREENSHOT", "SCREEN_SAVE", "SCREENSAVE"}
_SECONDARY = {"SECONDARY", "MPR", "MIP", "REFORMATTED", "PROJECTION IMAGE"}


@dataclass(frozen=True)
class SeriesKind:
    """Kind of a stack, and how it is known."""

    name: str
    evidence: str


def is_image_class(sop_class: str) -> bool:
    """Whether a SOP class is one of images of a patient, enhanced ones and those of older editions included.

    Example:
        >>> is_image_class("1.2.840.10008.5.1.4.1.1.6.1"), is_image_class("1.2.840.10008.5.1.4.1.1.66.4")
        (True, False)
    """
    return any(sop_class == one or sop_class.startswith(f"{one}.") for one in _IMAGE_CLASSES)


def name_kind(file: SeriesFile) -> SeriesKind:
    """Kind of a stack by the header of one of its files; a localizer before a derived image before an original."""
    modality, image_type = str(file.row["modality"] or ""), set(file.image_type)
    words = find_words(" ".join(file.texts.get(keyword, "") for keyword in WORDS[:2]), KIND_WORDS)
    sop_class = str(file.row["sop_class"] or "")
    is_capture = sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}.")
    is_capture = is_capture or bool(image_type & _SCREENS)
    rules = (
        (is_capture and "dose" in words, "dose", f"a captured screen, description: {words.get('dose')}"),
        (is_capture, "screenshot", "a captured screen (SOP class or ImageType)"),
        (image_type & {"LOCALIZER", "SCOUT"}, "localizer", "ImageType LOCALIZER"),
        (
            "localizer" in words and modality in ("CT", "MR", "PT"),
            "localizer",
            f"description: {words.get('localizer')}",
        ),
        (sop_class and not is_image_class(sop_class), "other", "an object that is no image of the patient"),
        ("DERIVED" in image_type, "derived", "ImageType DERIVED"),
        ("DerivationDescription" in file.texts, "derived", "a derivation is described"),
        (image_type & _SECONDARY, "derived", "ImageType of a secondary image"),
        ("derived" in words and "ORIGINAL" not in image_type, "derived", f"description: {words.get('derived')}"),
        ("ORIGINAL" in image_type, "original", "ImageType ORIGINAL"),
    )
    found = ((name, evidence) for holds, name, evidence in rules if holds)
    return SeriesKind(*next(found, ("original", "nothing says otherwise")))
