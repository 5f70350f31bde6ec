"""Pixels without identity: text blacked, all outside of ultrasound regions blank, overlays in unused bits cleared."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstread.core.errors import DataError, MissingDependencyError
from firstread.deidentification.pixel_bits import clear_bits, overlay_bits, used_mask
from firstread.deidentification.pixel_boxes import copy_dataset, frame_view, paint_boxes
from firstread.deidentification.pixel_ranks import MARK, RANKS
from firstread.deidentification.pixel_regions import boxes_outside, ultrasound_regions
from firstread.deidentification.pixel_search import FoundText, TextSearch, search_text
from firstread.deidentification.text_detector import Box, TextDetector, load_text_detector
from firstread.dicom.pixel_elements import get_int, is_compressed, number_of_frames, pixel_keyword

if TYPE_CHECKING:
    from pydicom import Dataset

#: of the decoded frames of a file
MAX_DECODED_BYTES = 1024**3
#: share of an image above which it is a page of text rather than an image
_PAGE_SHARE = 0.4
_TOO_LARGE = "The decoded pixels take more memory than is given to one file, so that no text was looked for"
_PAGE = "Most of the picture is text: a person has to look at it"
_UNUSED_BITS = "Something lies in bits of the pixels that the header calls unused, where an overlay may hide"


@dataclass(frozen=True)
class CleanedPixels:
    """An image without text, or the reason why it is held back.

    Args:
        dataset: a new dataset, or the given one where nothing had to be changed; None where it is held back.
        held: a sentence; None where it is not held back.
        boxes: texts that were found, marks among them; those that are not marks are black now.
        blanked: what lies outside of the ultrasound regions.
    """

    dataset: "Dataset | None" = field(repr=False)
    held: str | None = None
    boxes: tuple[FoundText, ...] = ()
    blanked: tuple[Box, ...] = ()

    @property
    def actions(self) -> dict[str, int]:
        """What was done to the pixels -> how often, for the audit."""
        done = {f"pixels: {rank} text blacked": 0 for rank in RANKS if rank != MARK}
        for text in self.boxes:
            if text.rank != MARK:
                done[f"pixels: {text.rank} text blacked"] += 1
        done["pixels: blank outside of ultrasound regions"] = int(bool(self.blanked))
        return {name: count for name, count in done.items() if count}


def clean_pixels(
    dataset: "Dataset",
    values: frozenset[tuple[str, str]],
    *,
    search: bool = True,
    detector: TextDetector | None = None,
) -> CleanedPixels:
    """Remove text from the pixels of an image; the dataset given is not changed.

    Args:
        values: (kind, text) of the patient's identity values (`nested_identity_values`), to rank what was read by.
        search: False where nothing can be burned in: then overlays in unused bits are cleared, and no more.
        detector: by default that of `load_text_detector`.

    Example:
        >>> from pydicom import dcmread
        >>> from pydicom.data import get_testdata_file
        >>> image = dcmread(get_testdata_file("CT_small.dcm"))
        >>> clean_pixels(image, frozenset(), search=False).dataset is image
        True
    """
    try:
        return _clean(dataset, values, search, detector)
    except DataError as error:
        return CleanedPixels(None, error.what)


def _clean(
    dataset: "Dataset", values: frozenset[tuple[str, str]], search: bool, detector: TextDetector | None
) -> CleanedPixels:
    if pixel_keyword(dataset) is None:
        return CleanedPixels(dataset)
    if not search:
        return CleanedPixels(*_clear_overlays(dataset))
    if decoded_bytes(dataset) > MAX_DECODED_BYTES:
        return CleanedPixels(None, _TOO_LARGE)
    try:
        detector = detector or load_text_detector()
    except MissingDependencyError as error:
        return CleanedPixels(None, f"{error.what}: {error.do}")
    return _black_text(dataset, values, detector)


def _black_text(dataset: "Dataset", values: frozenset[tuple[str, str]], detector: TextDetector) -> CleanedPixels:
    outside = boxes_outside(ultrasound_regions(dataset), int(dataset.Rows), int(dataset.Columns))
    found = search_text(dataset, values, detector, outside)
    if held := found.held or (_PAGE if _is_page(dataset, found) else None):
        return CleanedPixels(None, held, found.found, outside)
    output, held = _clear_overlays(dataset)
    if output is None:
        return CleanedPixels(None, held, found.found, outside)
    boxes = (*outside, *found.hidden)
    output = paint_boxes(output, boxes) if boxes else copy_dataset(output)
    output.BurnedInAnnotation = "NO"
    return CleanedPixels(output, None, found.found, outside)


def decoded_bytes(dataset: "Dataset") -> int:
    """Memory that all frames of an image take once they are decoded."""
    size = 1
    for keyword in ("Rows", "Columns", "SamplesPerPixel"):
        size *= get_int(dataset, keyword) or 1
    bits = 64 if pixel_keyword(dataset) == "DoubleFloatPixelData" else get_int(dataset, "BitsAllocated") or 32
    return size * number_of_frames(dataset) * max(bits // 8, 1)


def _is_page(dataset: "Dataset", found: TextSearch) -> bool:
    import numpy as np

    covered = np.zeros((int(dataset.Rows), int(dataset.Columns)), bool)
    for box in found.hidden:
        covered[box.y0 : box.y1, box.x0 : box.x1] = True
    return float(covered.mean()) > _PAGE_SHARE


def _clear_overlays(dataset: "Dataset") -> "tuple[Dataset | None, str | None]":
    """The dataset without overlay planes in its pixels; itself where there are none."""
    bits = overlay_bits(dataset)
    output = dataset
    if is_compressed(dataset):
        if not bits:
            return dataset, None
        if decoded_bytes(dataset) > MAX_DECODED_BYTES:
            return None, _TOO_LARGE
        output = paint_boxes(dataset, ())
    elif used_mask(dataset) is None and not bits:
        return dataset, None
    stored = bytearray(output.PixelData)
    if clear_bits(frame_view(stored, output), output, bits):
        return None, _UNUSED_BITS
    if stored == output.PixelData:
        return dataset, None
    output = copy_dataset(output) if output is dataset else output
    output["PixelData"].value = bytes(stored)
    return output, None
