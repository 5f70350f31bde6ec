"""From a list of files to a cohort: broken ones are set aside and told, never silently; DICOM is put in order."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from natsort import natsort_keygen, ns

from firstread.core.cohort import Cohort, Origin, Step
from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.paths import version
from firstread.core.progress_bar import track
from firstread.datasets.frames import rows_of_file
from firstread.dicom.headers import NoImageError

#: "image2" before "image10"
_NATURAL = natsort_keygen(alg=ns.IGNORECASE)

_NAMED_IN_A_WARNING = 5


@dataclass
class Gathered:
    """Rows of readable images, the files that were set aside with the reason, and DICOM objects that are no images."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    no_images: list[str] = field(default_factory=list)


def gather(files: Iterable[tuple[Path, dict[str, Any]]], *, base: Path) -> Gathered:
    """Read every file so far that its rows are known.

    Args:
        files: path and what is known of it already (`label`, `split`, `patient`, ...), which goes before what the
            file says.
        base: folder that case names are relative to.

    Raises:
        DataError: no image, or more than half of the images, can be read.
    """
    found = Gathered()
    files = list(files)
    for path, known in track(files, "Looking at the images"):
        name = relative_name(path, base)
        try:
            rows = rows_of_file(path)
        except NoImageError:
            found.no_images.append(name)
            continue
        except DataError as error:
            found.broken[name] = error.what
            continue
        given = {key: value for key, value in known.items() if value is not None}
        for row in rows:
            found.rows.append({"case": name, "file": str(path), **row, **given})
    _check_readable(found, base)
    _name_cases(found.rows)
    found.rows = _series_in_order(found.rows)
    return found


def _check_readable(found: Gathered, base: Path) -> None:
    if not found.rows and not found.broken:
        raise DataError(
            f"All {len(found.no_images)} DICOM files are without pixels: reports or contours, or cut off before them",
            where=base,
            expected="images",
        )
    total = len(found.broken) + len({row["file"] for row in found.rows})
    if len(found.broken) * 2 > total:
        first, reason = next(iter(found.broken.items()))
        raise DataError(
            f"{len(found.broken)} of {total} images cannot be read. The first: {reason}",
            where=base / first,
            expected="PNG, JPEG, TIFF, BMP, DICOM or NIfTI",
            do="mend or remove the broken files",
        )


def relative_name(path: Path, base: Path) -> str:
    """Path as seen from `base`, with forward slashes on every system."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return path.as_posix()


def as_cohort(
    found: Gathered, *, classes: Sequence[str], name: str, window: Any, facts: dict[str, Any], description: str
) -> Cohort:
    """The cohort of gathered rows, with what was left out in its first step and in a warning."""
    if found.broken:
        warnings.warn(
            f"{len(found.broken)} broken images were left out: {_some(found.broken)}. "
            "All of them are listed in the first of the cohort's steps.",
            UserWarning,
            stacklevel=4,
        )
    step = Step("opened", {**facts, "left_out": found.broken, "no_images": found.no_images}, version=version())
    origin = Origin(name, description)
    return Cohort(make_table(found.rows), tuple(classes), origin, (step,), window=window)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_NAMED_IN_A_WARNING]) + (", ..." if len(names) > _NAMED_IN_A_WARNING else "")


def _name_cases(rows: list[dict[str, Any]]) -> None:
    """Unique case names: the path without its ending where that is unique, and the frame of a stack."""
    files = {row["case"] for row in rows}
    short = {name: _without_ending(name) for name in files}
    taken: dict[str, int] = {}
    for value in short.values():
        taken[value] = taken.get(value, 0) + 1
    for row in rows:
        name = row["case"]
        base = short[name] if taken[short[name]] == 1 else name
        row["case"] = base if row["frame"] is None else f"{base}#{row['frame']}"


def _without_ending(name: str) -> str:
    lower = name.lower()
    for ending in (".nii.gz", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".nii"):
        if lower.endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name


def _series_in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Slices of one DICOM series follow their InstanceNumber, whatever their files are called."""
    if not any(row.get("series") for row in rows):
        return rows
    place: dict[Any, int] = {}
    for position, row in enumerate(rows):
        key = (row.get("label"), row.get("series") or row["file"])
        place.setdefault(key, position)

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        first = place[(row.get("label"), row.get("series") or row["file"])]
        instance = row.get("instance")
        return (first, instance is None, instance or 0, _NATURAL(row["file"]), row["frame"] or 0)

    return sorted(rows, key=order)
