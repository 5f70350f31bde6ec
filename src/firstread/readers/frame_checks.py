"""Check that the frames of a DICOM file can be decoded, when it is opened and not in the middle of a training.

Compressed frames are decoded: all of them up to `MAX_DECODED_FRAMES`; of more, as many, evenly spread from the first to
the last, after it was checked that every frame is there and begins and ends as its compression demands. Frames that are
not compressed cannot be broken once the file is long enough (`firstread.dicom.image_checks`), so the first one stands
for all. What states how each frame is shown (window, rescale, lookup tables) is tried out for each.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError
from firstread.dicom.headers import convert_dicom_errors
from firstread.dicom.pixel_elements import (
    PIXEL_TAGS,
    bytes_per_frame,
    is_compressed,
    number_of_frames,
    pixel_keyword,
    transfer_syntax,
)
from firstread.readers.decoders import decode_frame, decoding_error
from firstread.readers.dicom_pixels import make_picture

if TYPE_CHECKING:
    from pydicom import Dataset

#: of a file with more compressed frames, so many are decoded
MAX_DECODED_FRAMES = 200
#: rows and columns of the part of a frame on which its window and tables are tried out
_PART = 8
#: the first and last bytes of a compressed frame, by the beginning of the transfer syntax UID
_JPEG, _JPEG_2000 = (b"\xff\xd8",), (b"\xff\x4f", b"\0\0\0\x0cjP")
_MARKS = {
    "1.2.840.10008.1.2.4.5": (_JPEG, b"\xff\xd9"),
    "1.2.840.10008.1.2.4.7": (_JPEG, b"\xff\xd9"),  # lossless
    "1.2.840.10008.1.2.4.8": (_JPEG, b"\xff\xd9"),  # JPEG-LS
    "1.2.840.10008.1.2.4.9": (_JPEG_2000, b"\xff\xd9"),
    "1.2.840.10008.1.2.4.20": (_JPEG_2000, b"\xff\xd9"),  # high-throughput
}


def check_frames(dataset: "Dataset", path: Path) -> None:
    """Decode the frames of an open file, as this module says.

    Raises:
        DataError: a frame is missing, broken, or compressed in a form that is not read.
    """
    with convert_dicom_errors(path):
        frames = number_of_frames(dataset)
        indices = np.unique(np.linspace(0, frames - 1, min(frames, MAX_DECODED_FRAMES)).round().astype(int)).tolist()
        if not is_compressed(dataset):
            part = decode_frame(_first_frame(dataset, path), 0)[:_PART, :_PART]
            for index in indices:
                make_picture(part, dataset, index=index)
            return
        if frames > len(indices):
            _check_marks(dataset, frames)
        for index in indices:
            make_picture(decode_frame(dataset, index)[:_PART, :_PART], dataset, index=index)


def _check_marks(dataset: "Dataset", frames: int) -> None:
    """Check that all frames are there, and begin and end as they should."""
    from pydicom.encaps import generate_frames

    syntax = str(transfer_syntax(dataset))
    first, last = next((marks for prefix, marks in _MARKS.items() if syntax.startswith(prefix)), ((b"",), b""))
    found = 0
    for frame in generate_frames(dataset.PixelData, number_of_frames=frames):
        if not frame.startswith(first) or last not in frame[-4:]:
            raise decoding_error(dataset)
        found += 1
    if found < frames:
        raise DataError(
            f"The DICOM file is cut short: it holds {found} of {frames} frames",
            where=getattr(dataset, "filename", None) or "a DICOM file",
            do="copy it again from where it came from, or leave it out",
        )


def _first_frame(dataset: "Dataset", path: Path) -> "Dataset":
    """The pixels of the first frame alone, so that a long file is not read whole; the dataset if it has been read."""
    from pydicom import Dataset

    keyword = pixel_keyword(dataset) or "PixelData"
    element = dataset.get_item(PIXEL_TAGS[keyword], keep_deferred=True)
    start = getattr(element, "value_tell", None)
    if element.value is not None or start is None or number_of_frames(dataset) == 1:
        return dataset
    with open(path, "rb") as file:
        file.seek(start)
        pixels = file.read(-int(-bytes_per_frame(dataset, keyword) // 1))
    first: Dataset = dataset.group_dataset(0x0028)
    if hasattr(dataset, "file_meta"):
        first.file_meta = dataset.file_meta
    del first.NumberOfFrames  # only from here: elements are shared with the dataset, and not to be changed
    first.add_new(PIXEL_TAGS[keyword], element.VR or "OW", pixels + b"\0" * (len(pixels) % 2))
    first.set_original_encoding(*dataset.original_encoding)
    return first
