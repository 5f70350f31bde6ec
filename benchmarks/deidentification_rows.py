"""One row of a phantom archive's truth against one output file; read with pydicom and numpy alone."""

import re
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom

STEP = re.compile(r"\(([0-9a-f]{4}),([0-9a-f]{4})\)(?:\[(\d+)\])?")
#: share of a box that has to be of one color for its text to be hidden
HIDDEN_SHARE = 0.8
DATE = re.compile(r"\d{8}")
CODECS = ("utf-8", "latin-1", "iso2022_jp", "iso2022_kr", "euc_kr", "gb18030")


@dataclass(frozen=True)
class Output:
    """What a program made of a file.

    Args:
        path: the output, which may not be there.
        name: the path that the program gave it; "" where the caller chose it.
        held: why it was not written.
    """

    path: Path
    name: str = ""
    held: str = ""

    @cached_property
    def written(self) -> bool:
        return self.path.is_file()

    @cached_property
    def dataset(self) -> pydicom.Dataset:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(self.path, force=True)

    @cached_property
    def data(self) -> bytes:
        return self.path.read_bytes()


@dataclass(frozen=True)
class ArchiveMappings:
    """What the originals' UIDs, patients and dates became, by what most of the files say."""

    uids: dict[str, str]
    patients: dict[str, str]
    shift_days: dict[str, int]

    @classmethod
    def of(cls, actions: pd.DataFrame, outputs: dict[str, Output]) -> "ArchiveMappings":
        uids: dict[str, Counter[str]] = defaultdict(Counter)
        patients: dict[str, Counter[str]] = defaultdict(Counter)
        shifts: dict[str, Counter[int]] = defaultdict(Counter)
        wanted = actions[actions["action"].isin(["uid_consistent", "patid_consistent", "date_shifted"])]
        for file, rows in wanted.groupby("file", observed=True, sort=False):
            output = outputs.get(str(file))
            if output is None or not output.written:
                continue
            for row in rows.itertuples(index=False):
                texts = texts_at(output.dataset, row.tag_path)
                if len(texts) != 1:
                    continue
                if row.action == "uid_consistent":
                    uids[row.value][texts[0]] += 1
                elif row.action == "patid_consistent":
                    patients[row.value][texts[0]] += 1
                elif (days := days_between(row.value, texts[0])) is not None:
                    shifts[row.patient][days] += 1
        first = {name: counts.most_common(1)[0][0] for name, counts in shifts.items()}
        most = [{key: counts.most_common(1)[0][0] for key, counts in found.items()} for found in (uids, patients)]
        return cls(most[0], most[1], first)


def check_row(row: Any, output: Output, original: Path, mappings: ArchiveMappings, *, has_option: bool) -> bool | None:
    """Whether a row of the truth is fulfilled; None where it does not apply to the program."""
    if not has_option and row.action != "date_shifted":
        return None
    if row.tag_path == "path":
        return None if not output.name else row.value not in output.name
    if row.tag_path in ("preamble", "trailing"):
        data = output.data[:128] if row.tag_path == "preamble" else output.data
        return not any(form in data for form in encodings(row.value))
    if row.action in ("pixels_hidden", "pixels_retained"):
        return _check_pixels(row, output, original)
    return _check_element(row, element_at(output.dataset, row.tag_path), mappings, has_option)


def _check_element(row: Any, element: pydicom.DataElement | None, mappings: ArchiveMappings, has_option: bool) -> bool:
    texts = texts_of(element)
    if row.action == "tag_retained":
        return element is not None
    if row.action == "text_notnull":
        return any(texts)
    if row.action == "text_retained":
        return row.value in "\\".join(texts)
    if row.action == "text_removed":
        return not _holds(row.value, element, texts)
    if row.action == "date_shifted":
        return _is_shifted(row, texts, mappings) if has_option else row.value not in texts
    if row.action == "uid_changed":
        return row.value not in texts
    known = mappings.uids if row.action == "uid_consistent" else mappings.patients
    return bool(any(texts) and known.get(row.value) in texts and row.value not in texts)


def element_at(dataset: pydicom.Dataset, tag_path: str) -> pydicom.DataElement | None:
    """The element at a path such as (0040,0275)[0].(0010,0010); None where there is none."""
    current, element = dataset, None
    steps = [(int(group + number, 16), item) for group, number, item in STEP.findall(tag_path)]
    for tag, item in steps:
        place = dataset.file_meta if tag >> 16 == 2 else current
        if tag not in place:
            return None
        element = place[tag]
        if item != "":
            if element.VR != "SQ" or int(item) >= len(element.value):
                return None
            current = element.value[int(item)]
    return element


def texts_at(dataset: pydicom.Dataset, tag_path: str) -> list[str]:
    return texts_of(element_at(dataset, tag_path))


def texts_of(element: pydicom.DataElement | None) -> list[str]:
    """Values of an element as texts; those of bytes as Latin-1."""
    if element is None or element.VR == "SQ" or element.value is None:
        return []
    value = element.value
    if isinstance(value, bytes):
        return [value.decode("latin-1")]
    values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return [str(item).strip(" \0") for item in values]


def encodings(text: str) -> list[bytes]:
    found = []
    for codec in CODECS:
        try:
            found.append(text.encode(codec))
        except UnicodeEncodeError:
            continue
    return found


def _holds(value: str, element: pydicom.DataElement | None, texts: list[str]) -> bool:
    """Whether a value stands in an element as a word of its own."""
    if element is None:
        return False
    if isinstance(element.value, bytes):
        return any(form in element.value for form in encodings(value))
    return any(value in text and word(value).search(text) for text in [*texts, "\\".join(texts)])


@lru_cache(maxsize=1 << 14)
def word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])")


def days_between(before: str, after: str) -> int | None:
    """Days from one DA or DT value to another; None where one is none, or their times of day differ."""
    if not DATE.match(before) or not DATE.match(after) or before[8:] != after[8:]:
        return None
    try:
        days = [date(int(text[:4]), int(text[4:6]), int(text[6:8])) for text in (before, after)]
    except ValueError:
        return None
    return (days[1] - days[0]).days


def _is_shifted(row: Any, texts: list[str], mappings: ArchiveMappings) -> bool:
    """Whether one value of the element is the date moved as the patient's other dates are, the time of day kept."""
    days = mappings.shift_days.get(row.patient)
    if not days or not DATE.match(row.value):
        return bool(row.value not in texts)
    moved = date(int(row.value[:4]), int(row.value[4:6]), int(row.value[6:8])) + timedelta(days)
    return f"{moved:%Y%m%d}{row.value[8:]}" in texts


def _check_pixels(row: Any, output: Output, original: Path) -> bool:
    element = element_at(output.dataset, row.tag_path)
    if row.tag_path != "(7fe0,0010)" or element is None:
        return (element is None) == (row.action == "pixels_hidden")
    y0, x0, y1, x1 = row.box
    frame = slice(None) if pd.isna(row.frame) else slice(int(row.frame), int(row.frame) + 1)
    after = _frames(output.path)[frame, y0:y1, x0:x1]
    if row.action == "pixels_retained":
        return bool(np.array_equal(after, _frames(original)[frame, y0:y1, x0:x1]))
    return all((np.all(shown == shown[0, 0], axis=-1)).mean() >= HIDDEN_SHARE for shown in after)


@lru_cache(maxsize=4)
def _frames(path: Path) -> np.ndarray:
    """Decoded pixels (frames, rows, columns, samples)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        array = dataset.pixel_array
    if dataset.get("SamplesPerPixel", 1) == 1:
        array = array[..., None]
    return array if array.ndim == 4 else array[None]
