"""Slices of one organ from volumes with segmentations: one picture a slice, labelled by whether a finding is in it.

All that is not the organ is replaced by the organ's median, so that a network sees the organ and nothing around it, and
a slice is cut to the organ and scaled to one size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.case import Case
from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError
from firstread.core.files import write_atomically
from firstread.core.geometry import Geometry
from firstread.core.progress_bar import track
from firstread.core.provenance import Step
from firstread.core.version import package_version
from firstread.readers.dicom_seg import read_segmentation, segment_names

_FACTS = ("patient", "component", "patient_source", "split", "site", "days", "age_years", "sex")


@dataclass(frozen=True)
class OrganSlices:
    """What is cut out of each volume.

    Attributes:
        organ: beginning of the name of the organ's segment.
        finding: beginning of the names of the segments of the finding.
        smallest_organ_mm2: a slice with less of the organ is left out.
        smallest_finding_mm2: a slice with less of the finding, but some of it, is left out: nobody would see it.
        width_hu: of the window, around the organ's median.
        size: pixels on each side of a picture.
    """

    organ: str = "Liver"
    finding: str = "Lesion"
    smallest_organ_mm2: float = 2_000.0
    smallest_finding_mm2: float = 30.0
    width_hu: float = 160.0
    size: int = 96

    @property
    def classes(self) -> tuple[str, str]:
        """Without and with the finding."""
        return f"no {self.finding.lower()}", f"with {self.finding.lower()}"


def cut_organ_slices(
    cohort: Cohort,
    segmentations: Mapping[str, Sequence[Path]],
    folder: str | Path,
    *,
    settings: OrganSlices | None = None,
) -> Cohort:
    """Cut pictures of an organ's slices out of volumes, and label them by a segmentation.

    Args:
        cohort: of volumes, one a case.
        segmentations: case -> DICOM SEG files that may be those of the volume; the first that fits its grid counts.
        folder: gets `slices/CASE/….png`.
        settings: which organ, which finding.

    Returns:
        One case a slice, with the patient, split and facts of its volume, and `parent`, the volume. Volumes without
        a segmentation that fits are listed in its last step, with the reason.

    Raises:
        DataError: no volume has a segmentation.
    """
    settings, folder = settings or OrganSlices(), Path(folder)
    rows: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for number, case in enumerate(track(cohort, "Cutting slices out of the volumes")):
        try:
            facts = _facts(cohort, number)
            pictures = list(_pictures(case, segmentations.get(case.case, ()), settings))
        except DataError as error:
            left_out[case.case] = error.what
            continue
        for place, label, picture in pictures:
            path = folder / "slices" / f"{number:05d}" / f"{place:04d}.png"
            _write_png(path, picture)
            rows.append({"case": f"{case.case}/{place + 1}", "file": str(path), "label": label, **facts})
    if not rows:
        reason = next(iter(left_out.values()), "there is none")
        raise DataError(f"No volume has a segmentation of the {settings.organ}. The first: {reason}")
    step = Step("cut to slices of an organ", {**vars(settings), "left_out": left_out}, version=package_version())
    steps = (*cohort.steps, step)
    return Cohort.from_table(make_table(rows), settings.classes, cohort.origin, steps)


def _facts(cohort: Cohort, number: int) -> dict[str, Any]:
    row = cohort.tables.cases.slice(number, 1).to_pylist()[0]
    return {name: row[name] for name in _FACTS if row.get(name) is not None} | {"unit": "frame", "parent": row["case"]}


def _pictures(case: Case, files: Sequence[Path], settings: OrganSlices) -> Iterator[tuple[int, str, np.ndarray]]:
    """Number, class and picture (size, size) of each slice that shows the organ."""
    volume = case.volume()
    finding, organ = _masks(files, volume.geometry, settings)
    spacing = volume.geometry.spacing_mm_zyx
    area_mm2 = spacing[1] * spacing[2]
    values = np.asarray(volume.values, np.float32)
    middle = float(np.median(values[organ]))
    shown = np.where(organ, values, middle)
    for place in np.flatnonzero(organ.sum(axis=(1, 2)) * area_mm2 >= settings.smallest_organ_mm2).tolist():
        found_mm2 = float(finding[place].sum() * area_mm2)
        if 0 < found_mm2 < settings.smallest_finding_mm2:
            continue
        crop = _square(shown[place], organ[place], fill=middle)
        gray = np.clip((crop - middle) / settings.width_hu + 0.5, 0, 1) * 255
        yield place, settings.classes[found_mm2 > 0], _resized(gray.astype(np.uint8), settings.size)


def _masks(files: Sequence[Path], grid: Geometry, settings: OrganSlices) -> tuple[np.ndarray, np.ndarray]:
    """Finding and organ, the finding included: bool (z, y, x)."""
    problem: DataError | None = None
    for file in files:
        names = segment_names(file)
        organ = [name for name in names if name.lower().startswith(settings.organ.lower())]
        finding = [name for name in names if name.lower().startswith(settings.finding.lower())]
        if not organ:
            problem = problem or DataError(f"The segmentation has no segment of the {settings.organ}")
            continue
        try:
            masks = [
                read_segmentation(file, grid=grid, structures=(name,)).labels.values > 0 for name in (*organ, *finding)
            ]
        except DataError as error:
            problem = error
            continue
        found = np.logical_or.reduce(masks[len(organ) :]) if finding else np.zeros(grid.size_zyx, bool)
        return found, np.logical_or.reduce(masks[: len(organ)]) | found
    raise problem or DataError("The volume has no segmentation")


def _square(values: np.ndarray, mask: np.ndarray, *, fill: float) -> np.ndarray:
    """Square around a mask, with a margin; (side, side)."""
    rows, columns = np.nonzero(mask)
    side = int(max(np.ptp(rows), np.ptp(columns))) + 9
    top, left = (int(part.min() + part.max() - side) // 2 for part in (rows, columns))
    padded = np.pad(values, side, constant_values=fill)
    return padded[top + side : top + 2 * side, left + side : left + 2 * side]


def _resized(picture: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))


def _write_png(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    write_atomically(path, lambda temporary: Image.fromarray(picture).save(temporary, format="PNG"))
