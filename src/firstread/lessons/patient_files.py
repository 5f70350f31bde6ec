"""A patient's DICOM files as a lesson opens them: by series, as pictures, and what names the patient in them."""

import os
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError, SettingError, suggest
from firstread.deidentification.identity import nested_identity_values
from firstread.deidentification.identity_index import IdentityIndex, gather_identities, readable_datasets
from firstread.dicom.pixel_elements import pixel_keyword
from firstread.lessons.dicom_file import LEFT_ALIGNED, DicomFile

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from pydicom import Dataset

    from firstread.deidentification.deidentification_result import Deidentification
    from firstread.lessons.manual_deidentification import ManualDeidentification

#: a lesson opens a patient, not an archive
MAX_FILES = 5_000
_MOST_PICTURES = 12
_TITLE_CHARACTERS = 48


@dataclass(frozen=True)
class SeriesFiles:
    """Files of one series, in the order of their instance numbers; `pictures` are those that hold pixels."""

    modality: str
    kind: str
    description: str
    files: tuple[Path, ...]
    pictures: tuple[Path, ...]

    @property
    def middle(self) -> Path:
        """The file in the middle, one with pixels if there is any."""
        files = self.pictures or self.files
        return files[len(files) // 2]


@dataclass(frozen=True)
class PatientFiles:
    """The DICOM files of a folder.

    Attributes:
        folder: that holds them.
        series: files by series, in the order of their folders.
        kept: what an earlier run of the lesson had removed by hand: keywords.
        on_change: is told the keywords that are removed by hand.
    """

    folder: Path
    series: tuple[SeriesFiles, ...] = field(repr=False)
    kept: tuple[str, ...] = field(default=(), repr=False)
    on_change: Callable[[list[str]], None] = field(default=lambda keywords: None, repr=False)

    @classmethod
    def open(
        cls, folder: Path, *, kept: Iterable[str] = (), on_change: Callable[[list[str]], None] | None = None
    ) -> "PatientFiles":
        """Find the DICOM files below a folder.

        Raises:
            DataError: there is none, or there are more than a lesson opens.
        """
        series = _group_series(sorted(_list_files(folder)))
        if not series:
            raise DataError("There is no DICOM file in this folder", where=folder, do="choose a folder with a study")
        return cls(folder, series, tuple(kept), on_change or (lambda keywords: None))

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        return tuple(path for one in self.series for path in one.files)

    @cached_property
    def identities(self) -> IdentityIndex:
        """What names the patients, gathered from all files."""
        return gather_identities(self.files)

    def identity_values(self, dataset: "Dataset") -> frozenset[tuple[str, str]]:
        """(kind, text) of all that names the patient of a dataset, or people around the patient."""
        identity = self.identities.identity(dataset)
        return replace(identity, values=identity.values | nested_identity_values(dataset)).searched_values(frozenset())

    def image(self, modality: str = "") -> DicomFile:
        """The middle file of the longest series with pictures, of one modality where one is named.

        Raises:
            SettingError: no file is of this modality, or none holds a picture.
        """
        pictures = [one for one in self.series if one.pictures]
        wanted = [one for one in pictures if not modality or one.modality == modality.upper()]
        if not wanted:
            known = sorted({one.modality for one in pictures})
            of = f' of the modality "{modality}"' if modality else ""
            raise SettingError(f"No file holds a picture{of}.{suggest(modality, known)}", where=self.folder)
        return DicomFile(max(wanted, key=lambda one: len(one.pictures)).middle)

    def show(self, files: "Iterable[DicomFile | Path] | None" = None) -> "Figure":
        """One picture of each series, or those of the files that are given; documents are gray tiles."""
        from firstread.core.figures import show_images

        if files is None:
            shown = [one.middle for one in self.series]
        else:
            shown = [Path(getattr(file, "source", getattr(file, "path", file))) for file in files]  # type: ignore[arg-type]
        pictures = [_picture(path) for path in shown[:_MOST_PICTURES]]
        return show_images([pixels for pixels, _ in pictures], [title for _, title in pictures], columns=2, size_inches=4.6)

    def compare_pseudonyms(self, results: "Mapping[str, Deidentification]") -> "pd.DataFrame":
        """What one image's patient, study and day became in several de-identified folders; one column a folder.

        Raises:
            SettingError: a folder holds no file.
        """
        import pandas as pd

        found = {"original": self.image().dataset()}
        for name, result in results.items():
            outputs = _list_files(result.folder)
            written = next((dataset for _, dataset in readable_datasets(outputs)), None)
            if written is None:
                raise SettingError(f'"{name}" holds no file', do="de-identify the patient's folder first")
            found[name] = written
        keywords = ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "StudyTime", "PatientAge")
        rows = {key: [str(dataset.get(key) or "") for dataset in found.values()] for key in keywords}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(found))

    def deidentify_by_hand(self, image: DicomFile) -> "ManualDeidentification":
        """The lines of a file's header with a box beside each: what is ticked is removed."""
        from firstread.lessons.manual_deidentification import ManualDeidentification

        dataset = image.dataset()
        values = self.identity_values(dataset)
        return ManualDeidentification(
            image, values, root=self.folder, removed=self.kept, on_change=self.on_change
        )

    def __repr__(self) -> str:
        rows = (f"{one.modality:4} {one.kind}, {one.description}: {len(one.files)} files" for one in self.series)
        return "\n".join([*rows, f"{len(self.files)} files in {self.folder.name}"])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(one.modality)}</td><td>{escape(one.kind)}</td><td>{escape(one.description)}</td>"
            f"<td>{len(one.files)}</td>"
            f"<td style='overflow-wrap:anywhere'>{escape(str(one.files[0].relative_to(self.folder)))}</td></tr>"
            for one in self.series
        )
        head = "<tr><th>modality</th><th>kind</th><th>description</th><th>files</th><th>the first file</th></tr>"
        return f"<table class='firstread-header'>{head}{rows}</table><div>{len(self.files)} files</div>{LEFT_ALIGNED}"


def _group_series(files: Iterable[Path]) -> tuple[SeriesFiles, ...]:
    """Files that are DICOM by series, in the order in which the series were met."""
    found: dict[str, list[tuple[int, Path]]] = {}
    facts: dict[str, tuple[str, str, str]] = {}
    pictures: set[Path] = set()
    for path, dataset in readable_datasets(files):
        uid = str(dataset.get("SeriesInstanceUID") or path)
        number = str(dataset.get("InstanceNumber") or "")
        found.setdefault(uid, []).append((int(number) if number.isdigit() else 0, path))
        facts.setdefault(uid, _describe(dataset))
        if pixel_keyword(dataset) is not None:
            pictures.add(path)
    ordered = {uid: tuple(path for _, path in sorted(members)) for uid, members in found.items()}
    return tuple(
        SeriesFiles(*facts[uid], members, tuple(path for path in members if path in pictures))
        for uid, members in ordered.items()
    )


def _list_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        if len(found) > MAX_FILES:
            raise DataError(
                f"There are more than {MAX_FILES:,} files here", where=folder, do="choose the folder of one patient"
            )
    return [path for path in found if path.is_file()]


def _describe(dataset: "Dataset") -> tuple[str, str, str]:
    """Modality, kind of object and description of the series that a dataset belongs to."""
    from pydicom.uid import UID

    kind = UID(str(dataset.get("SOPClassUID") or "")).name.removesuffix(" Storage")
    return str(dataset.get("Modality") or "?"), kind, str(dataset.get("SeriesDescription") or "")


def _picture(path: Path) -> "tuple[np.ndarray, str]":
    """8-bit picture and title of a file; a gray tile where it has none."""
    import numpy as np

    from firstread.readers.dicom_pixels import read_dicom

    title = "no DICOM"
    try:
        modality, kind, description = _describe(DicomFile(path).dataset())
        title = textwrap.shorten(f"{modality}, {description or kind}", _TITLE_CHARACTERS, placeholder=" …")
        return read_dicom(path), title
    except DataError:
        return np.full((48, 64), 150, np.uint8), f"{title} (no picture)"
