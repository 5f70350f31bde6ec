"""Rows of a cohort from one image file: one row for a picture, one for each frame or slice of a stack."""

from pathlib import Path
from typing import Any

from firstread.core.images import is_readable, read_info

#: file name extensions of images; a file without any of them is an image only if its first bytes say so
IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".nii", ".nii.gz")


def is_image_file(path: Path) -> bool:
    """Whether a file is an image by its extension or by its first bytes."""
    return path.name.lower().endswith(IMAGE_EXTENSIONS) or is_readable(path)


def read_frame_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one image file: `frame`, and what the header states of patient, study, series and modality.

    Pictures are decoded to the end, so that a broken one is found now and not in the middle of training. Of DICOM
    and NIfTI the header is checked against the length of the file.

    Raises:
        DataError: the file is broken or no image.
    """
    info = read_info(path)
    names = ("patient", "component", "study", "series", "instance", "modality")
    stated = {name: value for name in names if (value := getattr(info, name)) is not None}
    is_single = info.frames == 1 and info.format != "nifti"
    return [{"frame": None if is_single else frame, **stated} for frame in range(info.frames)]
