"""Scan of image files into the rows of a cohort: broken files are reported, DICOM slices are sorted."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from natsort import natsort_keygen, ns

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.progress_bar import track
from firstread.core.provenance import Origin, Step
from firstread.core.version import package_version
from firstread.core.windows import WindowLike
from firstread.datasets.frames import read_frame_rows, without_extension
from firstread.datasets.patient_groups import assign_components
from firstread.dicom.headers import NoImageError

#: sort key with "image2" before "image10"
_NATURAL_KEY = natsort_keygen(alg=ns.IGNORECASE)

_MAX_NAMES_IN_WARNING = 5
#: extensions of files that describe images and are none
_DOCUMENTS = (
    *(".csv", ".tsv", ".xlsx", ".xls", ".ods", ".json", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".parquet"),
    *(
        ".txt",
        ".md",
        ".rst",
        ".pdf",
        ".doc",
        ".docx",
        ".rtf",
        ".html",
        ".log",
        ".py",
        ".ipynb",
        ".sh",
        ".sha256",
        ".md5",
    ),
    *(".bval", ".bvec"),
)


@dataclass
class FileScan:
    """Rows of the readable images, broken files with the reason, and DICOM objects without pixels."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    no_images: list[str] = field(default_factory=list)


def scan_files(files: Iterable[tuple[Path, dict[str, Any]]], *, base: Path) -> FileScan:
    """Read enough of each file to create its rows.

    Args:
        files: path and values that are known already (`label`, `split`, `patient`, ...), which override those of the
            file.
        base: folder that case names are relative to.

    Raises:
        DataError: no image, or more than half of the images, can be read.
    """
    scan = FileScan()
    files = list(files)
    for path, known in track(files, "Looking at the images"):
        name = relative_name(path, base)
        try:
            rows = read_frame_rows(path)
        except NoImageError:
            scan.no_images.append(name)
            continue
        except DataError as error:
            scan.broken[name] = error.what
            continue
        overrides = {key: value for key, value in known.items() if value is not None}
        for row in rows:
            scan.rows.append({"case": name, "file": str(path), **row, **overrides})
    _check_readable(scan, base)
    assign_components(scan.rows, base=base)
    _set_case_names(scan.rows)
    scan.rows = _sort_series(scan.rows)
    return scan


def _check_readable(scan: FileScan, base: Path) -> None:
    if not scan.rows and not scan.broken:
        raise DataError(
            f"All {len(scan.no_images)} DICOM files are without pixels: reports or contours, or cut off before them",
            where=base,
            expected="images",
        )
    total = len(scan.broken) + len({row["file"] for row in scan.rows})
    if len(scan.broken) * 2 > total:
        first, reason = next(iter(scan.broken.items()))
        raise DataError(
            f"{len(scan.broken)} of {total} images cannot be read. The first: {reason}",
            where=base / first,
            expected="PNG, JPEG, TIFF, BMP, GIF, WebP, DICOM or NIfTI",
            do="mend or remove the broken files",
        )


def relative_name(path: Path, base: Path) -> str:
    """Path relative to `base`, with forward slashes on every system."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return path.as_posix()


def build_cohort(
    scan: FileScan,
    *,
    classes: Sequence[str],
    name: str,
    window: WindowLike,
    parameters: dict[str, Any],
    description: str,
) -> Cohort:
    """The cohort of scanned files; files that were left out are listed in its first step and named in a warning."""
    left_out = {
        "broken images were left out": list(scan.broken),
        "DICOM files hold no image (reports, contours) and were left out": scan.no_images,
        "files are no images that firstread reads, and were left out": [
            name for name in parameters.get("other_files", ()) if not is_document(name)
        ],
    }
    sentences = [f"{len(names)} {what}: {_shorten(names)}." for what, names in left_out.items() if names]
    if sentences:
        sentences.append("All of them are listed in the first of the cohort's steps.")
        warnings.warn(" ".join(sentences), UserWarning, stacklevel=4)
    parameters = {**parameters, "left_out": scan.broken, "no_images": scan.no_images}
    step = Step("opened", parameters, version=package_version())
    origin = Origin(name, description)
    return Cohort.from_table(make_table(scan.rows), tuple(classes), origin, (step,), window=window)


def is_document(name: str) -> bool:
    """Whether a file describes images and is none: a table, a text, the directory of a DICOM medium."""
    path = PurePosixPath(name.lower())
    return path.suffix in _DOCUMENTS or path.name in (
        "dicomdir",
        "license",
        "readme",
        "citation",
        "version",
        "makefile",
    )


def _shorten(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_MAX_NAMES_IN_WARNING]) + (", ..." if len(names) > _MAX_NAMES_IN_WARNING else "")


def _set_case_names(rows: list[dict[str, Any]]) -> None:
    """Unique case names: the path without its extension where that is unique, and the frame of a stack."""
    short_names = {name: without_extension(name) for name in {row["case"] for row in rows}}
    counts: dict[str, int] = {}
    for short_name in short_names.values():
        counts[short_name] = counts.get(short_name, 0) + 1
    for row in rows:
        name = row["case"]
        base = short_names[name] if counts[short_names[name]] == 1 else name
        row["case"] = base if row["frame"] is None else f"{base}#{row['frame']}"


def _sort_series(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort the slices of each DICOM series by their place in the patient, else by InstanceNumber.

    Series stay in the order of their first file.
    """
    places = [row.pop("position_mm", None) for row in rows]
    if not any(row.get("series") for row in rows):
        return rows
    first_positions: dict[Any, int] = {}
    for position, row in enumerate(rows):
        first_positions.setdefault(_series_key(row), position)

    def sort_key(index: int) -> tuple[Any, ...]:
        row, place = rows[index], places[index]
        instance = row.get("instance")
        numbers = (place is None, place or 0.0, instance is None, instance or 0)
        return (first_positions[_series_key(row)], *numbers, _NATURAL_KEY(row["file"]), row["frame"] or 0)

    return [rows[index] for index in sorted(range(len(rows)), key=sort_key)]


def _series_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row.get("label"), row.get("series") or row["file"])
