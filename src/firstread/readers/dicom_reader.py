"""DICOM reader: pictures, headers and volumes of DICOM files (entry point of the group `firstread.readers`)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from firstread.core.errors import DataError
from firstread.core.images import ImageInfo
from firstread.core.volume import Volume
from firstread.core.windows import WindowLike
from firstread.dicom.headers import convert_dicom_errors, describe_header, open_dicom
from firstread.dicom.pixel_aspect import read_pixel_aspect
from firstread.dicom.pixel_units import pixel_unit
from firstread.readers.dicom_pixels import read_dicom
from firstread.readers.dicom_series import SliceStack, group_series, group_slices
from firstread.readers.dicom_slices import Slice, read_slices
from firstread.readers.dicom_values import read_stack
from firstread.readers.frame_checks import check_frames

_MAX_NAMED_STACKS = 6


def read_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read one frame as 8-bit pixels, as `firstread.readers.dicom_pixels.read_dicom`; `window=None` is "file"."""
    return read_dicom(path, frame=frame, window="file" if window is None else window)


def read_info(path: str | Path) -> ImageInfo:
    """Read the header of a DICOM image, after checking that its frames can be decoded (`readers.frame_checks`).

    Returns:
        ImageInfo; the geometry is that of the one slice, or of all frames if they are one regular stack.

    Raises:
        DataError: as `firstread.readers.dicom_pixels.read_dicom`.
    """
    return read_info_and_slices(path)[0]


def read_info_and_slices(path: str | Path) -> tuple[ImageInfo, list[Slice]]:
    """The header as `read_info`, and its slices as `firstread.readers.dicom_series.group_slices` takes them."""
    path = Path(path)
    dataset = open_dicom(path, load_pixels=False)
    with convert_dicom_errors(path):
        check_frames(dataset, path)
        header, slices = describe_header(dataset), read_slices(dataset, path)
        stacks = group_slices(slices)
        info = ImageInfo(
            format="dicom",
            frames=header["frames"],
            rows=header["rows"],
            columns=header["columns"],
            geometry=stacks[0].geometry if len(stacks) == 1 else None,
            modality=header["modality"],
            unit=pixel_unit(dataset),
            patient=header["patient"],
            component=header["component"],
            study=header["study"],
            series=header["series"],
            instance=header["instance"],
            positions_mm=_positions(slices),
        )
        return info, slices


def _positions(slices: Sequence[Slice]) -> tuple[float, ...] | None:
    """Position of each slice along its normal; None where one states none."""
    planes = [one.plane for one in slices if one.plane]
    return tuple(plane.distance_mm for plane in planes) if len(planes) == len(slices) else None


def pixel_aspect(path: str | Path, *, frame: int | None = None) -> float:
    """Height of a pixel divided by its width, see `firstread.dicom.pixel_aspect`; nothing is decoded.

    Raises:
        DataError: as `read_info`.
    """
    dataset = open_dicom(path, load_pixels=False)
    with convert_dicom_errors(Path(path)):
        return read_pixel_aspect(dataset, frame or 0)


def read_volume(paths: Sequence[str | Path], *, frame: int | None = None) -> Volume:
    """Read the files of a series, or one multi-frame file, as a volume in real units.

    Slices are ordered by their position along the normal of the slices, whatever the files are called and numbered;
    the voxel grid is that of the scanner. A tilted gantry gives a sheared geometry.

    Args:
        paths: files in any order.
        frame: one frame of a multi-frame file, from 0, as a volume of one slice; nothing else is decoded.

    Raises:
        DataError: a file is broken or no image; or the files are no single volume: see `group_series`, which tells the
            stacks of such files apart.
    """
    if frame is not None:
        return read_stack(_one_frame(paths, frame))
    stacks = group_series(paths)
    if len(stacks) == 1:
        return read_stack(stacks[0])
    sizes = [_describe_stack(stack) for stack in stacks[:_MAX_NAMED_STACKS]]
    raise DataError(
        f"The files hold {len(stacks)} stacks of slices, not one volume: {'; '.join(sizes)}"
        + ("; ..." if len(stacks) > _MAX_NAMED_STACKS else ""),
        where=Path(paths[0]).parent,
        expected="slices of one stack: one series, orientation, size and, where positions repeat, one phase",
        do="read each stack by itself: firstread.readers.dicom_series.group_series(files) tells them apart",
    )


def _describe_stack(stack: SliceStack) -> str:
    """Number of slices, what tells the stack from others, and why it is no volume."""
    size = "1 slice" if len(stack.files) == 1 else f"{len(stack.files)} slices"
    tags = f" (by {', '.join(stack.separated_by)})" if stack.separated_by else ""
    return size + tags + (f", no volume: {stack.problem.what}" if stack.problem else "")


def _one_frame(paths: Sequence[str | Path], frame: int) -> SliceStack:
    if len(paths) != 1:
        raise DataError(
            f"A frame was asked of {len(paths)} files", expected="one file", do="name the file of the frame"
        )
    path = Path(paths[0])
    stacks = _read_stacks(path, path.stat().st_mtime_ns if path.is_file() else 0)
    frames = sum(len(stack.slices) for stack in stacks)
    for stack in stacks:
        index = next((index for index, one in enumerate(stack.slices) if one.frame == frame), None)
        if index is not None and stack.geometry is not None:  # the distance of the slices is known from the others
            grid = stack.geometry.cropped((index, 0, 0), (1, *stack.geometry.size_zyx[1:]))
            return replace(stack, slices=stack.slices[index : index + 1], geometry=grid)
        if index is not None:
            return group_slices(stack.slices[index : index + 1])[0]
    raise DataError(f"There is no frame {frame}: the file has {frames}", where=path, expected=f"0 to {frames - 1}")


@lru_cache(maxsize=2)
def _read_stacks(path: Path, _modified_ns: int) -> tuple[SliceStack, ...]:
    """The stacks of one file; the last two files are remembered, because the frames of one are read in turn."""
    return tuple(group_series([path]))
