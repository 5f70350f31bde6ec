"""Rows of a cohort from one image file: one row for a picture, one for each frame or slice of a stack."""

from pathlib import Path
from typing import Any

from firstread.core.images import is_readable, read_info

#: file name extensions of images; a file without any of them is an image only if its first bytes say so
IMAGE_EXTENSIONS = (
    *(".nii.gz", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".dcm", ".dicom", ".nii", ".hdr"),
)


def is_image_file(path: Path) -> bool:
    """Whether a file is an image by its extension or by its first bytes; a pair of .hdr and .img is one image."""
    is_pixels_of_pair = path.suffix.lower() == ".img" and path.with_suffix(".hdr").is_file()
    return not is_pixels_of_pair and (path.name.lower().endswith(IMAGE_EXTENSIONS) or is_readable(path))


def without_extension(name: str) -> str:
    """Name of an image file without the extension of a known format."""
    lower = name.lower()
    for extension in IMAGE_EXTENSIONS:
        if lower.endswith(extension) and len(name) > len(extension):
            return name[: -len(extension)]
    return name


def read_frame_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one image file, with what its header states of patient, study, series and modality.

    `position_mm` is the place of each along the normal of the slices, by which they are put in order.

    Raises:
        DataError: the file is broken or no image.
    """
    info = read_info(path)
    names = ("patient", "component", "study", "series", "instance", "modality")
    stated = {name: value for name in names if (value := getattr(info, name)) is not None}
    is_single = info.frames == 1 and info.format != "nifti"
    positions = info.positions_mm or [None] * info.frames
    return [
        {"frame": None if is_single else frame, "position_mm": positions[frame], **stated}
        for frame in range(info.frames)
    ]
