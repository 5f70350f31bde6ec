"""Read a CSV of file paths and labels into a Cohort.

Columns are found by name (`firstread.datasets.table_columns`): the file, the label, and if they are there what states
the patient, the study and the series, the split and the frame. All other columns are kept as facts, but for those that
name a person. Files are looked for relative to the CSV, with or without an extension, also in the folders below it.
Patients, studies and series are given pseudonyms.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from natsort import natsorted, ns

from firstread.core.class_names import class_spellings, describe_spellings, find_several_classes
from firstread.core.cohort import Cohort
from firstread.core.columns import COLUMNS, parse_split_name
from firstread.core.errors import DataError
from firstread.core.patient_identity import is_placeholder, normalize_patient
from firstread.core.windows import WindowLike
from firstread.datasets.file_scan import build_cohort, scan_files
from firstread.datasets.image_finder import ImageFinder
from firstread.datasets.patient_groups import STATED
from firstread.datasets.table_columns import (
    COLUMN_SYNONYMS,
    IDENTITY_COLUMNS,
    candidate_columns,
    guess_id_columns,
    is_weak,
    normalize_column,
)
from firstread.datasets.table_text import read_table
from firstread.dicom.pseudonyms import component_pseudonym, make_pseudonym

if TYPE_CHECKING:
    import pandas as pd

#: keyword of DICOM and prefix of the pseudonyms of each level, as `firstread.dicom.headers` makes them
_LEVELS = {"patient": ("PatientID", "P"), "study": ("StudyInstanceUID", "T"), "series": ("SeriesInstanceUID", "S")}
_MAX_CLASSES_OF_A_GUESS = 20

#: path of the file, and its values
_FileRow = tuple[Path, dict[str, Any]]


@dataclass(frozen=True)
class _Columns:
    """Columns of a table: those of a cohort, those that state what a case has in common with others, and facts."""

    known: dict[str, str]
    ids: dict[str, list[str]]
    facts: list[str]
    left_out: list[str]


def open_table(path: Path, *, window: WindowLike = None) -> Cohort:
    """Open a CSV of image paths and labels as a Cohort.

    Rows without a label are kept, without a split, so that nothing trains on them. Files that are missing or broken
    are left out with a warning. Spellings of one class ("a", "A ", or "1" and "1.0") are joined, which is said.

    Raises:
        DataError: no column for the file, no labels at all, most files missing, one file with two different labels, or
            labels that name several classes.
    """
    path = Path(path)
    table = read_table(path)
    finder = ImageFinder(path.parent)
    columns = _choose_columns(table, finder, path)
    if table.empty:
        raise DataError("The table has no rows", where=path, expected="one row for each image")
    _check_labels(table, columns, path)
    present: list[_FileRow] = []
    missing_lines: list[int] = []
    for name, values, line in _parse_rows(table, columns, path):
        file = finder.find(name)
        if file is None:
            missing_lines.append(line)
        else:
            present.append((file, values))
    if len(missing_lines) * 2 > len(table):
        raise DataError(
            f"{len(missing_lines)} of the {len(table)} files that the table names are not there",
            where=path,
            expected="paths relative to the folder of the table, whole paths, or names that one file below it has",
            do=f"check the column '{columns.known['file']}'; the first missing is in line {missing_lines[0]}",
        )
    return _cohort_from_rows(present, path=path, columns=columns, missing_lines=missing_lines, window=window)


def is_cohort_table(path: Path) -> bool:
    """Whether a CSV names images and their labels."""
    try:
        table = read_table(path, max_rows=20)
        columns = _choose_columns(table, ImageFinder(path.parent), path)
    except DataError:
        return False
    return "label" in columns.known


def _choose_columns(table: "pd.DataFrame", finder: ImageFinder, path: Path) -> _Columns:
    names = list(table.columns)
    known = {}
    files = candidate_columns(names, "file")
    found = next((name for name in files if finder.finds_any(table[name].dropna())), None)
    file = found or next((name for name in files if not is_weak(name, "file")), None)
    if file is None:
        raise DataError(
            "The table has no column for the image files",
            where=path,
            expected=f"a column called {', '.join(COLUMN_SYNONYMS['file'][:4])} or the like, in the first line",
            do="name the column with the paths of the images 'file'",
        )
    known["file"] = file
    for column in ("label", "split", "frame"):
        candidates = [name for name in candidate_columns(names, column) if name != file]
        usable = [name for name in candidates if not is_weak(name, column) or _holds_splits(table[name])]
        known |= {column: usable[0]} if usable else {}
    ids = guess_id_columns([name for name in names if name not in known.values()])
    taken = {*known.values(), *(name for columns in ids.values() for name in columns)}
    left_out = [name for name in names if name not in taken and normalize_column(name) in IDENTITY_COLUMNS]
    return _Columns(known, ids, [name for name in names if name not in (*taken, *left_out)], left_out)


def _holds_splits(values: "pd.Series") -> bool:
    present = values.dropna().unique()
    return len(present) > 0 and all(parse_split_name(value) for value in present)


def _check_labels(table: "pd.DataFrame", columns: _Columns, path: Path) -> None:
    if "label" not in columns.known:
        _warn_of_missing_label_column(table, columns)
        return
    where = f"{path}, column '{columns.known['label']}'"
    labels = table[columns.known["label"]].dropna()
    if labels.empty:
        raise DataError("Every label in the table is missing", where=where)
    several = find_several_classes(labels.unique())
    if several is not None:
        raise DataError(
            f"Some images have several labels in one cell, with '{several[1]}' between them",
            where=f"{where}, line {labels.index[labels == several[0]][0]}",
            expected="one class for each image",
            do="make a column 'label' for one finding at a time, such as yes or no; or leave out images with several",
        )
    spellings = class_spellings(labels)
    if text := describe_spellings(spellings):
        _warn(text)
    if {"-1", "0", "1"} <= {f"{float(name):g}" for name in spellings if _is_number(name)}:
        _warn(
            "The labels are -1, 0 and 1, three classes. Where -1 means uncertain or not assessed, as in CheXpert, "
            "leave these cells empty or decide what they are."
        )


def _warn_of_missing_label_column(table: "pd.DataFrame", columns: _Columns) -> None:
    few = [name for name in columns.facts if 2 <= table[name].nunique() <= _MAX_CLASSES_OF_A_GUESS]
    hint = f" Columns that could be meant: {', '.join(few[:8])}{', ...' if len(few) > 8 else ''}." if few else ""
    _warn(
        f"The table has no column of labels ({', '.join(COLUMN_SYNONYMS['label'][:5])}, ...), so the images have no "
        f"classes.{hint} Name the column with the classes 'label'."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parse_rows(table: "pd.DataFrame", columns: _Columns, path: Path) -> list[tuple[str, dict[str, Any], int]]:
    """Name of the file, values and number of the line of each row."""
    import pandas as pd

    spellings = class_spellings(table[columns.known["label"]].dropna()) if "label" in columns.known else {}
    rows = []
    for line, record in zip(table.index, table.to_dict("records"), strict=True):
        cells: dict[str, str | None] = {str(name): None if pd.isna(value) else value for name, value in record.items()}
        values = {column: cells[name] for column, name in columns.known.items()}
        if values["file"] is None:
            raise DataError(f"Line {line} names no file", where=f"{path}, column '{columns.known['file']}'")
        parsed = {
            "label": spellings.get(values.get("label") or ""),
            "split": _parse_split(values.get("split"), path, line),
            "frame": _parse_frame(values.get("frame"), path, line),
            **_stated_ids(cells, columns.ids),
        }
        facts = {_fact_name(name): cells[name] for name in columns.facts if cells[name] is not None}
        rows.append((values["file"], {**facts, **parsed}, line))
    return rows


def _stated_ids(cells: dict[str, str | None], ids: dict[str, list[str]]) -> dict[str, Any]:
    """Pseudonyms of patient, study and series; `identifiers` are those that all columns of a patient state."""
    stated: dict[str, Any] = {}
    for kind, (keyword, prefix) in _LEVELS.items():
        present = [(name, value) for name in ids.get(kind, ()) if (value := cells[name]) and not is_placeholder(value)]
        if not present:
            continue
        name, value = present[0]
        is_keyword = kind == "patient" or normalize_column(name) == keyword.casefold()
        text = f"{keyword}::{value}" if is_keyword else f"{normalize_column(name)}::{normalize_patient(value)}"
        stated[kind] = make_pseudonym(text, prefix=prefix)
        if kind == "patient":
            stated["component"] = component_pseudonym(value)
            stated["identifiers"] = [
                make_pseudonym(f"{normalize_column(other)}::{normalize_patient(text)}") for other, text in present[1:]
            ]
    return stated


def _cohort_from_rows(
    rows: list[_FileRow], *, path: Path, columns: _Columns, missing_lines: list[int], window: WindowLike
) -> Cohort:
    rows, repeated = _drop_repeated_rows(rows, path)
    classes = natsorted({values["label"] for _, values in rows if values["label"] is not None}, alg=ns.IGNORECASE)
    unlabeled = sum(values["label"] is None for _, values in rows)
    if "label" in columns.known and len(classes) == 1:
        raise DataError(f'Every labelled row has the class "{classes[0]}"', where=path, expected="at least two classes")
    for _, values in rows:
        if values["label"] is None and classes:
            values["split"] = None
    scan = scan_files(rows, base=path.parent)
    scan.rows = _drop_repeated_frames(scan.rows)
    if unlabeled and classes:
        _warn(f"{unlabeled} rows have no label; they are kept, but in no split.")
    if missing_lines:
        _warn(
            f"{len(missing_lines)} files that the table names are not there and were left out "
            f"(lines {_shorten(missing_lines)})."
        )
    parameters = {
        "table": path.name,
        "columns": {**columns.known, **columns.ids},
        "columns_left_out": columns.left_out,
        "unlabeled": unlabeled,
        "missing_files_in_lines": missing_lines,
        "repeated_rows": repeated,
        "stray_files": 0,
    }
    return build_cohort(
        scan,
        classes=classes,
        name=path.stem,
        window=window,
        parameters=parameters,
        description="images named in a table of your own",
    )


def _drop_repeated_rows(rows: list[_FileRow], path: Path) -> tuple[list[_FileRow], int]:
    labels: dict[tuple[str, Any], Any] = {}
    unique = []
    for file, values in rows:
        key = (str(file), values["frame"])
        if key in labels:
            if labels[key] != values["label"]:
                raise DataError(
                    f"The file {file.name} has two different labels", where=path, do="decide which one is right"
                )
            continue
        labels[key] = values["label"]
        unique.append((file, values))
    return unique, len(rows) - len(unique)


def _drop_repeated_frames(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep one row for each frame: a stack whose row names one frame was expanded to equal rows."""
    unique: dict[tuple[str, int | None], dict[str, Any]] = {}
    for row in rows:
        unique.setdefault((row["file"], row["frame"]), row)
    return list(unique.values())


def _parse_split(value: str | None, path: Path, line: int) -> str | None:
    if value is None:
        return None
    name = parse_split_name(value)
    if name is None:
        raise DataError(
            f"Line {line} has an unknown split", where=f"{path}, column 'split'", expected="train, validation, test"
        )
    return name


def _parse_frame(value: str | None, path: Path, line: int) -> int | None:
    if value is None:
        return None
    try:
        return int(float(value))
    except ValueError:
        raise DataError(f"The frame in line {line} is not a whole number", where=path) from None


def _fact_name(name: str) -> str:
    return f"{name} (table)" if name in (*COLUMNS, *STATED) else str(name)


def _shorten(lines: list[int]) -> str:
    return ", ".join(map(str, lines[:10])) + (", ..." if len(lines) > 10 else "")


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)
