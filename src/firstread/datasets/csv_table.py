"""Read a CSV of file paths and labels into a Cohort.

Columns are found by name, in any spelling of case, spaces and underscores: the file (`file`, `path`, `image`, ...),
the label (`label`, `class`, `target`, ...), and if they are there the patient (`patient`, `patient_id`, `subject`,
...), the split and the frame. All other columns are kept as metadata. Paths are relative to the CSV. Patients are given
pseudonyms.
"""

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from natsort import natsorted, ns

from firstread.core.cohort import Cohort
from firstread.core.columns import parse_split_name
from firstread.core.errors import DataError
from firstread.core.windows import WindowLike
from firstread.datasets.file_scan import build_cohort, scan_files
from firstread.dicom.pseudonyms import component_pseudonym, make_pseudonym

if TYPE_CHECKING:
    import pandas as pd

COLUMN_SYNONYMS = {
    "file": ("file", "filename", "path", "filepath", "image", "imagepath", "imagefile", "imagename", "img", "dicom"),
    "label": ("label", "labels", "class", "target", "category", "diagnosis", "finding", "classname"),
    "patient": ("patient", "patientid", "subject", "subjectid", "pid", "patientnumber"),
    "split": ("split", "set", "partition", "subset"),
    "frame": ("frame", "slice"),
}
_NA_VALUES = ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "?"]  # but "None" may be a class
_MAX_BYTES = 500_000_000

#: path of the file, and its values
_FileRow = tuple[Path, dict[str, Any]]
#: path of the file, its values, and the line in the CSV
_NumberedRow = tuple[Path, dict[str, Any], int]


def open_table(path: Path, *, window: WindowLike = None) -> Cohort:
    """Open a CSV of image paths and labels as a Cohort.

    Rows without a label are kept, without a split, so that nothing trains on them. Files that are missing or broken
    are left out with a warning.

    Raises:
        DataError: no column for the file, no labels at all, most files missing, or one file with two different labels.
    """
    path = Path(path)
    table = read_table(path)
    columns = guess_columns(list(table.columns))
    if "file" not in columns:
        raise DataError(
            "The table has no column for the image files",
            where=path,
            expected=f"a column called {', '.join(COLUMN_SYNONYMS['file'][:4])} or the like, in the first line",
            do="name the column with the paths of the images 'file'",
        )
    if table.empty:
        raise DataError("The table has no rows", where=path, expected="one row for each image")
    if "label" in columns and table[columns["label"]].isna().all():
        raise DataError("Every label in the table is missing", where=f"{path}, column '{columns['label']}'")
    rows = _parse_rows(table, columns, path)
    present: list[_FileRow] = []
    missing_lines: list[int] = []
    for file, values, line in rows:
        if file.is_file():
            present.append((file, values))
        else:
            missing_lines.append(line)
    if len(missing_lines) * 2 > len(rows):
        raise DataError(
            f"{len(missing_lines)} of the {len(rows)} files that the table names are not there",
            where=path,
            expected="paths relative to the folder of the table, or whole paths",
            do=f"check the column '{columns['file']}'; the first missing is in line {missing_lines[0]}",
        )
    return _cohort_from_rows(present, path=path, columns=columns, missing_lines=missing_lines, window=window)


def is_cohort_table(path: Path) -> bool:
    """Whether a CSV names image files and labels, by its header line."""
    try:
        columns = guess_columns(list(read_table(path, max_rows=1).columns))
    except DataError:
        return False
    return "file" in columns and "label" in columns


def read_table(path: Path, *, max_rows: int | None = None) -> "pd.DataFrame":
    """Read a CSV as text: separated by comma, semicolon or tab, in UTF-8 or in the encoding of Excel."""
    import pandas as pd

    if path.stat().st_size > _MAX_BYTES:
        raise DataError("The table is larger than firstread reads", where=path, expected=f"{_MAX_BYTES:,} bytes")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            separator = _detect_separator(path, encoding)
            table = pd.read_csv(
                path,
                dtype=str,
                sep=separator,
                encoding=encoding,
                nrows=max_rows,
                skipinitialspace=True,
                keep_default_na=False,
                na_values=_NA_VALUES,
            )
            return table.dropna(how="all").map(lambda value: value.strip() if isinstance(value, str) else value)
        except UnicodeDecodeError:
            continue
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
            raise _unreadable_error(path) from error
    raise _unreadable_error(path)


def guess_columns(names: list[str]) -> dict[str, str]:
    """Column of a cohort -> column of the table, for the columns that are recognised."""
    normalized = {re.sub(r"[\s_\-.]", "", str(name).lower()): name for name in reversed(names)}
    columns = {}
    for column, synonyms in COLUMN_SYNONYMS.items():
        match = next((normalized[name] for name in synonyms if name in normalized), None)
        if match is not None:
            columns[column] = match
    return columns


def _parse_rows(table: "pd.DataFrame", columns: dict[str, str], path: Path) -> list[_NumberedRow]:
    import pandas as pd

    extra_columns = [name for name in table.columns if name not in columns.values()]
    rows = []
    for line, (_, cells) in enumerate(table.iterrows(), start=2):
        values = {column: None if pd.isna(cells[name]) else cells[name] for column, name in columns.items()}
        if values["file"] is None:
            raise DataError(f"Line {line} names no file", where=f"{path}, column '{columns['file']}'")
        parsed = {
            "label": values.get("label"),
            "split": _parse_split(values.get("split"), path, line),
            "patient": make_pseudonym(f"PatientID::{values['patient']}") if values.get("patient") else None,
            "component": component_pseudonym(values.get("patient")),
            "frame": _parse_frame(values.get("frame"), path, line),
        }
        metadata = {_metadata_name(name): cells[name] for name in extra_columns if not pd.isna(cells[name])}
        rows.append((path.parent / values["file"].replace("\\", "/"), {**metadata, **parsed}, line))
    return rows


def _cohort_from_rows(
    rows: list[_FileRow], *, path: Path, columns: dict[str, str], missing_lines: list[int], window: WindowLike
) -> Cohort:
    rows, repeated = _drop_repeated_rows(rows, path)
    classes = natsorted({values["label"] for _, values in rows if values["label"] is not None}, alg=ns.IGNORECASE)
    unlabeled = sum(values["label"] is None for _, values in rows)
    if "label" in columns and len(classes) == 1:
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
        "columns": columns,
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


def _metadata_name(name: str) -> str:
    return f"{name} (table)" if name in ("case", "file", "frame", "label", "patient", "split") else str(name)


def _detect_separator(path: Path, encoding: str) -> str:
    with open(path, encoding=encoding) as file:
        header = file.readline(100_000)
    return max((",", ";", "\t"), key=header.count)


def _unreadable_error(path: Path) -> DataError:
    expected = "a CSV with the names of the columns in its first line"
    return DataError("The table cannot be read", where=path, expected=expected, do="save it again as CSV (UTF-8)")


def _shorten(lines: list[int]) -> str:
    return ", ".join(map(str, lines[:10])) + (", ..." if len(lines) > 10 else "")


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)
