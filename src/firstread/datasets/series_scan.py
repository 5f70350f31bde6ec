"""Open DICOM files with one row a series: each stack of slices is one case, with its volume."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.images import ImageInfo, sniff_format
from firstread.core.progress_bar import track
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.tasks import Classification
from firstread.core.version import package_version
from firstread.core.windows import WindowLike
from firstread.datasets.file_scan import relative_name
from firstread.datasets.folder_contents import list_image_files
from firstread.datasets.patient_groups import assign_components
from firstread.datasets.volume_cohort import image_row
from firstread.dicom.headers import NoImageError
from firstread.readers.dicom_reader import read_info_and_slices
from firstread.readers.dicom_series import SliceStack, group_slices
from firstread.readers.dicom_slices import Slice


def open_series(folder: Path, *, window: WindowLike = None) -> Cohort:
    """Open the DICOM files below a folder as a Cohort with one row a series, or a stack of one.

    Files are grouped by what their headers say, wherever they lie. Series that are no volume (slices are missing, a
    localizer, no positions) are listed in the first step, with the reason, and in a warning.

    Raises:
        DataError: no DICOM images, or no series is a volume.
    """
    infos, slices, left_out = _read_headers(folder)
    if not infos:
        raise DataError("The folder holds no DICOM images", where=folder, expected="DICOM files of one or more series")
    rows: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    names: dict[str, int] = {}
    for stack in group_slices(slices):
        name = relative_name(stack.files[0].parent, folder)
        if stack.geometry is None or len(set(stack.files)) not in (1, len(stack.files)):
            left_out[relative_name(stack.files[0], folder)] = (
                stack.problem.what if stack.problem else "One file holds slices of several volumes"
            )
            continue
        names[name] = names.get(name, 0) + 1
        _add_stack(rows, f"{name}#{names[name]}" if names[name] > 1 else name, stack, infos[stack.files[0]])
    assign_components(rows[0], base=folder)
    for row in rows[0]:
        for name in ("file", "frame", "label", "study", "series"):
            row.pop(name, None)
    if not rows[0]:
        reason = next(iter(left_out.values()))
        raise DataError(f"No series is a volume. The first: {reason}", where=folder, expected="series of slices")
    if left_out:
        shown = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        warnings.warn(
            f"{len(left_out)} series or files are no volumes and were left out ({shown}). All of them are listed in "
            "the first of the cohort's steps.",
            UserWarning,
            stacklevel=4,
        )
    step = Step("opened", {"folder": folder.name, "unit": "series", "left_out": left_out}, version=package_version())
    origin = Origin(folder.name, "DICOM series of your own")
    return Cohort(Tables.from_rows(*rows), Classification(()), origin, (step,), window)


def _read_headers(folder: Path) -> tuple[dict[Path, ImageInfo], list[Slice], dict[str, str]]:
    """Headers and slices of all readable DICOM images below a folder, and why each other file was left out."""
    infos: dict[Path, ImageInfo] = {}
    slices: list[Slice] = []
    left_out: dict[str, str] = {}
    paths: Iterable[Path] = [path for path in list_image_files(folder) if sniff_format(path) == "dicom"]
    for path in track(paths, "Looking at the DICOM files"):
        try:
            infos[path], found = read_info_and_slices(path)
            slices += found
        except NoImageError:
            continue
        except DataError as error:
            left_out[relative_name(path, folder)] = error.what
    return infos, slices, left_out


def _add_stack(
    rows: tuple[list[dict[str, Any]], list[dict[str, Any]]], case: str, stack: SliceStack, info: ImageInfo
) -> None:
    files = list(dict.fromkeys(stack.files))
    facts = {name: getattr(info, name) for name in ("patient", "component", "study", "series")}
    facts |= {"file": str(files[0]), "frame": None, "label": None}
    rows[0].append({"case": case, "unit": "series", "parent": info.study, **facts})
    own = replace(info, geometry=stack.geometry, frames=len(stack.slices), modality=stack.modality, unit=stack.unit)
    rows[1].append(image_row(case, "image", files, own))
