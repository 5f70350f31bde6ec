"""Files of one series: what each header states, its slices, and digests by which copies are found; broken files too."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError
from firstread.curation.curation_schemas import INSTANCES
from firstread.dicom.archive_index import read_columns
from firstread.dicom.headers import NoImageError, convert_dicom_errors, open_dicom
from firstread.dicom.pixel_elements import get_int, get_numbers, get_str, pixel_keyword
from firstread.readers.dicom_slices import Slice, read_slices

if TYPE_CHECKING:
    from pydicom import Dataset

#: text of the header that descriptions are made from, in the order in which it is believed
WORDS = ("SeriesDescription", "ProtocolName", "StudyDescription")
_TEXTS = (
    *WORDS,
    "BodyPartExamined",
    "ConvolutionKernel",
    "ContrastBolusAgent",
    "DerivationDescription",
    "PatientPosition",
    "ViewPosition",
    "Laterality",
    "ImageLaterality",
    "PresentationIntentType",
)
_NUMBERS = ("SliceThickness", "XRayTubeCurrent", "Exposure", "EchoTime", "RepetitionTime", "DiffusionBValue")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_CHUNK_BYTES = 1 << 20
_MIN_FILE_BYTES = 132


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """What one file of a series states.

    Attributes:
        path: of the file.
        row: its row of INSTANCES, without `stack`.
        slices: one, or one a frame; () where its place is not known at all.
        texts: keyword -> text; what is not stated is left out.
        numbers: keyword -> number.
        image_type: values of ImageType, in capitals.
        acquired_s, bolus_s: seconds of the day at which the image was acquired and the injection began.
        photometric: PhotometricInterpretation.
        patient_orientation: PatientOrientation of a projection.
        anatomic_region: meaning of the first AnatomicRegionSequence item.
    """

    path: Path
    row: dict[str, object]
    slices: tuple[Slice, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    image_type: tuple[str, ...] = ()
    acquired_s: float | None = None
    bolus_s: float | None = None
    photometric: str = ""
    patient_orientation: tuple[str, ...] = ()
    anatomic_region: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether the file cannot be read, or ends early."""
        return self.row["status"] == "broken"


def read_files(paths: Iterable[str | Path], *, root: str | Path) -> list[SeriesFile]:
    """Read the headers of files, in the order of their names; nothing is raised for a file that is broken.

    Args:
        paths: of the files.
        root: folder to which the names in the tables are relative.
    """
    return [read_file(path, root=root) for path in sorted(map(Path, paths), key=str)]


def read_file(path: str | Path, *, root: str | Path) -> SeriesFile:
    """Read the header of one file, see `read_files`."""
    path = Path(path)
    row: dict[str, object] = dict.fromkeys(INSTANCES.names)
    row |= {"file": _relative(path, Path(root)), "status": "ok"}
    try:
        row["sha256"] = _sha256(path)
        dataset = open_dicom(path, load_pixels=False)
        with convert_dicom_errors(path):
            row["pixel_sha256"] = _pixel_sha256(dataset)
            return _describe(path, row, dataset)
    except NoImageError as error:
        return _without_pixels(path, row | {"status": "no_image", "reason": error.what})
    except DataError as error:
        return _without_pixels(path, row | {"status": "broken", "reason": error.what})
    except OSError:
        return SeriesFile(path, row | {"status": "broken", "reason": "The file cannot be read"})


def _without_pixels(path: Path, row: dict[str, object]) -> SeriesFile:
    """What the header of a file without usable pixels still states."""
    from pydicom import dcmread

    try:
        if path.stat().st_size < _MIN_FILE_BYTES:
            raise DataError("The file is too short", where=path)
        with convert_dicom_errors(path):
            dataset = dcmread(path, force=True, stop_before_pixels=True, defer_size=64 * 1024)
            if not get_str(dataset, "SOPClassUID"):
                raise DataError("The file states no class", where=path)
            return _describe(path, row, dataset)
    except (DataError, OSError):
        return SeriesFile(path, row)


def _describe(path: Path, row: dict[str, object], dataset: "Dataset") -> SeriesFile:
    stated = read_columns(dataset)
    row |= {name: stated[name] for name in ("instance", "series", "study", "patient", "modality", "sop_class")}
    row |= {
        "instance_number": stated["instance_number"],
        "series_number": get_int(dataset, "SeriesNumber"),
        "frame_of_reference": get_str(dataset, "FrameOfReferenceUID"),
        "study_date": stated["study_date"],
        "study_time_s": seconds_of_day(stated["study_time"]),
        "age_years": age_in_years(stated["age"]),
        "sex": stated["sex"] if stated["sex"] in ("F", "M", "O") else None,
        "site": stated["institution"],
        "scanner": " ".join(filter(None, (stated["manufacturer"], stated["scanner"]))) or None,
        "study_description": stated["study_description"],
    }
    slices = () if row["status"] == "no_image" or "Rows" not in dataset else _slices(dataset, path)
    if slices and slices[0].plane:
        row["position_mm"] = round(slices[0].plane.distance_mm, 3)
    texts = {keyword: _text(dataset, keyword) for keyword in _TEXTS}
    numbers = {keyword: get_numbers(dataset, keyword)[:1] for keyword in _NUMBERS}
    image_type = str(stated["image_type"] or "").upper().split("\\")
    return SeriesFile(
        path=path,
        row=row,
        slices=slices,
        texts={keyword: text for keyword, text in texts.items() if text},
        numbers={keyword: value[0] for keyword, value in numbers.items() if value},
        image_type=tuple(part.strip() for part in image_type if part.strip()),
        acquired_s=seconds_of_day(_text(dataset, "AcquisitionTime")) or _time_of(_text(dataset, "AcquisitionDateTime")),
        bolus_s=seconds_of_day(_text(dataset, "ContrastBolusStartTime")),
        photometric=str(stated["photometric"] or ""),
        patient_orientation=tuple(_text(dataset, "PatientOrientation").split("\\")),
        anatomic_region=_anatomic_region(dataset),
    )


def _slices(dataset: "Dataset", path: Path) -> tuple[Slice, ...]:
    """The slices of an open file; those of a localizer or a mosaic keep their plane for what is said of it."""
    try:
        return tuple(read_slices(dataset, path))
    except Exception:  # a damaged element makes pydicom raise anything; the file then has no place
        return ()


def seconds_of_day(text: object) -> float | None:
    """Seconds since midnight of a DICOM time (TM); None where it is none.

    Example:
        >>> seconds_of_day("101530.5"), seconds_of_day("25"), seconds_of_day(None)
        (36930.5, None, None)
    """
    digits = re.fullmatch(r"(\d\d):?(\d\d)?:?(\d\d(?:\.\d*)?)?", str(text or "").strip())
    if not digits:
        return None
    hours, minutes, seconds = (float(part or 0) for part in digits.groups())
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds < 61 else None


def age_in_years(text: object) -> int | None:
    """Whole years of a DICOM age (AS); 90 is 90 or more.

    Example:
        >>> age_in_years("064Y"), age_in_years("018M"), age_in_years("093Y"), age_in_years("old")
        (64, 1, 90, None)
    """
    found = _AGE.fullmatch(str(text or "").strip().upper())
    if not found:
        return None
    years = int(found[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[found[2]]
    return min(int(years), 90)


def _time_of(text: str) -> float | None:
    return seconds_of_day(re.sub(r"[+-]\d{4}$", "", text)[8:]) if len(text) > 8 else None


def _text(dataset: "Dataset", keyword: str) -> str:
    from pydicom.multival import MultiValue

    try:
        value = dataset.get(keyword)
    except Exception:  # a damaged element says nothing
        return ""
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(map(str, value))
    return "" if value is None else str(value).strip(" \0")[:1024]


def _anatomic_region(dataset: "Dataset") -> str:
    try:
        items = dataset.get("AnatomicRegionSequence") or []
        return str(items[0].get("CodeMeaning") or "")[:64] if len(items) else ""
    except Exception:  # a damaged element says nothing
        return ""


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pixel_sha256(dataset: "Dataset") -> str | None:
    """Digest of the pixels as they are stored, with their size: the same picture in another header has the same."""
    keyword = pixel_keyword(dataset)
    if keyword is None:
        return None
    pixels = bytes(dataset[keyword].value or b"")
    if not pixels.strip(pixels[:1]):  # of an empty picture there are many
        return None
    return hashlib.sha256(f"{dataset.Rows} {dataset.Columns} ".encode() + pixels).hexdigest()
