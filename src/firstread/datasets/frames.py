"""Rows of a cohort from one image file: one row for a picture, one for each frame or slice of a stack."""

from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.core.images import read_image, sniff_format

#: file name extensions of images; a file without any of them is an image only if its first bytes say so
IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".nii", ".nii.gz")
_RASTER_FORMATS = ("png", "jpeg", "tiff", "bmp")


def is_image_file(path: Path) -> bool:
    """Whether a file is an image by its extension or by its first bytes."""
    return path.name.lower().endswith(IMAGE_EXTENSIONS) or sniff_format(path) in (*_RASTER_FORMATS, "dicom", "nifti")


def read_frame_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one image file: `frame`, and for DICOM `patient`, `series`, `instance`, `modality`.

    Pictures are decoded to the end, so that a broken one is found now and not in the middle of training. Of DICOM
    and NIfTI the header is checked against the length of the file.

    Raises:
        DataError: the file is broken or no image.
    """
    file_format = sniff_format(path)
    if file_format == "dicom":
        return _dicom_rows(path)
    if file_format == "nifti":
        return _nifti_rows(path)
    read_image(path)
    pages = _count_pages(path) if file_format == "tiff" else 1
    return [{"frame": None}] if pages == 1 else [{"frame": page, "patient": None} for page in range(pages)]


def _dicom_rows(path: Path) -> list[dict[str, Any]]:
    from firstread.dicom.headers import read_header

    header = read_header(path)
    metadata = {name: header[name] for name in ("patient", "series", "instance", "modality")}
    frames = header["frames"]
    return [{"frame": None if frames == 1 else frame, **metadata} for frame in range(frames)]


def _nifti_rows(path: Path) -> list[dict[str, Any]]:
    from firstread.dicom.pseudonyms import make_pseudonym
    from firstread.readers.nifti import count_slices

    patient = make_pseudonym(f"volume:{path.name}")  # slices of one volume must stay on one side of a split
    return [{"frame": index, "patient": patient} for index in range(count_slices(path))]


def _count_pages(path: Path) -> int:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError("The TIFF file is broken", where=path, do="leave it out") from error
