"""A pile of DICOM series as a lesson opens it: what arrived, series by series, with the place of every slice."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError, SettingError
from firstread.core.progress_bar import track
from firstread.dicom.headers import open_dicom_object
from firstread.dicom.image_plane import read_image_plane
from firstread.dicom.pixel_elements import pixel_keyword
from firstread.lessons.dicom_file import LEFT_ALIGNED, scroll_box

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from matplotlib.figure import Figure
    from pydicom import Dataset

#: a lesson opens the series of some dozen patients, not a whole archive
MAX_FILES = 20_000
#: beside the folder of a phantom pile: what was planted; a folder of one's own has none
_TRUTH, _CLINICAL = "truth.csv", "clinical.csv"


@dataclass(frozen=True)
class PileSeries:
    """One series of a pile.

    Attributes:
        number: its place in the pile, from 1.
        patient: as the files state it.
        modality, description, contrast: of the series; contrast is the agent, or empty.
        series: its UID.
        slices: (position in millimetres, file), from the feet up; the position is None where a file states none.
        planted: what is wrong with it, in the words of `phantoms.archive.teaching_pile`; None where nobody knows.
    """

    number: int
    patient: str
    modality: str
    description: str
    contrast: str
    series: str
    slices: "tuple[tuple[float | None, Path], ...]" = field(repr=False)
    planted: str | None = None

    @property
    def case(self) -> str:
        """What the series is called where answers are kept."""
        return self.series

    @property
    def label(self) -> str | None:
        """What was planted, as the button says it; None where nobody knows."""
        return None if self.planted is None else BUTTON_OF[self.planted]

    @property
    def files(self) -> tuple[Path, ...]:
        """Its files with pixels, from the feet up."""
        return tuple(path for _, path in self.slices)

    @property
    def heights_mm(self) -> list[float]:
        """Positions of its slices, ascending; empty if they are not known."""
        heights = [height for height, _ in self.slices if height is not None]
        return heights if len(heights) == len(self.slices) else []

    @property
    def caption(self) -> str:
        """What the header says of it."""
        images = f"{len(self.slices)} image{'' if len(self.slices) == 1 else 's'}"
        return " · ".join([self.description or "no description", images, self.contrast or "no contrast agent"])

    def image(self) -> "np.ndarray":
        """A section along the slices and three slices of it, or its one picture: uint8."""
        from firstread.lessons.stack_picture import draw_stack

        return draw_stack(self.files, heights_mm=self.heights_mm, modality=self.modality)


    def show(self) -> "Figure":
        """The picture, large."""
        from firstread.core.figures import show_images

        return show_images([self.image()], [f"series {self.number}: {self.caption}"], columns=1, size_inches=6.0)


#: what was planted -> what the learner's button says; the order of the buttons
BUTTON_OF = {
    "fine": "fine",
    "slices missing": "slices missing",
    "liver cut off": "liver cut off",
    "noise": "too noisy",
    "unenhanced called venous": "not venous",
    "other body part": "no abdomen",
    "localizer": "localizer",
    "twice": "here twice",
}


@dataclass(frozen=True)
class Pile:
    """All series of a folder.

    Attributes:
        folder: that holds the files.
        series: in an order in which neighbours are of different patients.
    """

    folder: Path
    series: tuple[PileSeries, ...] = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> "Pile":
        """Read the headers of all DICOM files below a folder.

        Raises:
            DataError: there is no image, or there are more files than a lesson opens.
        """
        found: dict[str, list[tuple[float | None, Path, Dataset]]] = {}
        for path in track(_list_files(folder), "Reading headers", unit="file"):
            dataset = _read_image(path)
            if dataset is not None:
                uid = str(dataset.get("SeriesInstanceUID") or path)
                found.setdefault(uid, []).append((_height_mm(dataset), path, dataset))
        if not found:
            raise DataError(
                "There is no DICOM file with an image in this folder", where=folder, do="choose a folder with studies"
            )
        planted = _read_truth(folder.parent / _TRUTH)
        series = tuple(
            _make_series(number, uid, found[uid], planted) for number, uid in enumerate(_shuffled(found), start=1)
        )
        return cls(folder, series)

    @property
    def has_truth(self) -> bool:
        """True if it is known what was planted."""
        return all(one.planted is not None for one in self.series)

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """Patients, as the files state them."""
        return tuple(dict.fromkeys(one.patient for one in self.series))

    def clinical_table(self) -> "pa.Table | None":
        """The clinical table beside the folder, one row a patient; None if there is none."""
        file = self.folder.parent / _CLINICAL
        if not file.is_file():
            return None
        from pyarrow import csv as arrow_csv

        return arrow_csv.read_csv(file, convert_options=arrow_csv.ConvertOptions(strings_can_be_null=True))

    @property
    def summary(self) -> str:
        """How much there is."""
        images = sum(len(one.slices) for one in self.series)
        return f"{len(self.series)} series of {len(self.patients)} patients, {images:,} images"

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, number: int) -> PileSeries:
        """The series with this number, from 1.

        Raises:
            SettingError: there is no such series.
        """
        if not 1 <= number <= len(self.series):
            raise SettingError(f"There is no series {number}", expected=f"1 to {len(self.series)}")
        return self.series[number - 1]

    def __repr__(self) -> str:
        return "\n".join([*(f"{one.number:3} {one.patient:10} {one.caption}" for one in self.series), self.summary])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{one.number}</td><td>{escape(one.patient)}</td><td>{escape(one.modality)}</td>"
            f"<td style='overflow-wrap:anywhere'>{escape(one.description)}</td><td>{len(one.slices)}</td>"
            f"<td>{escape(one.contrast)}</td></tr>"
            for one in self.series
        )
        names = ("series", "patient", "modality", "description", "images", "contrast agent")
        head = "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
        return f"{scroll_box(head + rows, label='series of the pile')}<div>{self.summary}</div>{LEFT_ALIGNED}"


def _list_files(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    if len(files) > MAX_FILES:
        raise DataError(
            f"There are more than {MAX_FILES:,} files here", where=folder, do="choose a folder with some dozen patients"
        )
    return files


def _read_image(path: Path) -> "Dataset | None":
    """The header of a DICOM file with pixels; None for anything else."""
    try:
        dataset = open_dicom_object(path)
    except DataError:
        return None
    return dataset if pixel_keyword(dataset) is not None else None


def _height_mm(dataset: "Dataset") -> float | None:
    """Position of a slice along its normal, upwards; None if it is not stated."""
    try:
        plane = read_image_plane(dataset)
    except DataError:
        return None
    return plane.distance_mm


def _make_series(
    number: int, uid: str, members: "list[tuple[float | None, Path, Dataset]]", planted: dict[str, str]
) -> PileSeries:
    first = members[0][2]
    ordered = sorted(members, key=lambda one: (one[0] is None, one[0] or 0.0, one[1]))
    return PileSeries(
        number=number,
        patient=str(first.get("PatientID") or "not stated"),
        modality=str(first.get("Modality") or "?"),
        description=str(first.get("SeriesDescription") or ""),
        contrast=str(first.get("ContrastBolusAgent") or ""),
        series=uid,
        slices=tuple((height, path) for height, path, _ in ordered),
        planted=planted.get(uid),
    )


def _shuffled(uids: Iterable[str]) -> Iterator[str]:
    """Series in an order that is the same every time, and tells nothing."""
    import hashlib

    yield from sorted(uids, key=lambda uid: hashlib.sha256(uid.encode()).digest())


def _read_truth(file: Path) -> dict[str, str]:
    """Series -> what was planted in it; empty where nobody knows."""
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8", newline="") as text:
        return {row["series"]: row["fault"] for row in csv.DictReader(text)}
