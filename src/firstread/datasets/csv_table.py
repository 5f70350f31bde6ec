"""A CSV of paths and labels as a cohort.

Columns are found by name, in any spelling of case, spaces and underscores: the file (`file`, `path`, `image`, ...),
the label (`label`, `class`, `target`, ...), and if they are there the patient (`patient`, `patient_id`, `subject`,
...), the split and the frame. All other columns are kept as facts. Paths are relative to the CSV. Patients are given
pseudonyms.
"""

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from natsort import natsorted, ns

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.splits import split_name
from firstread.datasets.file_scan import as_cohort, gather
from firstread.dicom.pseudonyms import pseudonym

if TYPE_CHECKING:
    import pandas as pd

COLUMN_NAMES = {
    "file": ("file", "filename", "path", "filepath", "image", "imagepath", "imagefile", "imagename", "img", "dicom"),
    "label": ("label", "labels", "class", "target", "category", "diagnosis", "finding", "classname"),
    "patient": ("patient", "patientid", "subject", "subjectid", "pid", "patientnumber"),
    "split": ("split", "set", "partition", "subset"),
    "frame": ("frame", "slice"),
}
_MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "?"]  # but "None" may be a class
_LARGEST_BYTES = 500_000_000


def open_table(path: Path, *, window: Any = None) -> Cohort:
    """The images that a CSV names, with its labels.

    Rows without a label are kept, without a split, so that nothing trains on them. Files that are missing or broken
    are left out and told.

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
            expected=f"a column called {', '.join(COLUMN_NAMES['file'][:4])} or the like, in the first line",
            do="name the column with the paths of the images 'file'",
        )
    if table.empty:
        raise DataError("The table has no rows", where=path, expected="one row for each image")
    if "label" in columns and table[columns["label"]].isna().all():
        raise DataError("Every label in the table is missing", where=f"{path}, column '{columns['label']}'")
    rows = _rows(table, columns, path)
    present, missing = [], []
    for row in rows:
        (present if row[0].is_file() else missing).append(row)
    if len(missing) * 2 > len(rows):
        raise DataError(
            f"{len(missing)} of the {len(rows)} files that the table names are not there",
            where=path,
            expected="paths relative to the folder of the table, or whole paths",
            do=f"check the column '{columns['file']}'"
            + (f"; the first missing is in line {missing[0][2]}" if missing else ""),
        )
    return _cohort(path, columns, [row[:2] for row in present], missing, window)


def is_cohort_table(path: Path) -> bool:
    """Whether a CSV names image files and labels, by its first line."""
    try:
        columns = guess_columns(list(read_table(path, rows=1).columns))
    except DataError:
        return False
    return "file" in columns and "label" in columns


def read_table(path: Path, *, rows: int | None = None) -> "pd.DataFrame":
    """A CSV as text: separated by comma, semicolon or tab, in UTF-8 or as Excel saves it."""
    import pandas as pd

    if path.stat().st_size > _LARGEST_BYTES:
        raise DataError("The table is larger than firstread reads", where=path, expected=f"{_LARGEST_BYTES:,} bytes")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            separator = _separator(path, encoding)
            table = pd.read_csv(
                path,
                dtype=str,
                sep=separator,
                encoding=encoding,
                nrows=rows,
                skipinitialspace=True,
                keep_default_na=False,
                na_values=_MISSING,
            )
            return table.dropna(how="all").map(lambda value: value.strip() if isinstance(value, str) else value)
        except UnicodeDecodeError:
            continue
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
            raise _unreadable(path) from error
    raise _unreadable(path)


def guess_columns(names: list[str]) -> dict[str, str]:
    """Our name -> the table's name, for the columns that are recognised."""
    plain = {re.sub(r"[\s_\-.]", "", str(name).lower()): name for name in reversed(names)}
    found = {}
    for ours, theirs in COLUMN_NAMES.items():
        match = next((plain[name] for name in theirs if name in plain), None)
        if match is not None:
            found[ours] = match
    return found


def _rows(table: "pd.DataFrame", columns: dict[str, str], path: Path) -> list[tuple[Path, dict[str, Any], int]]:
    import pandas as pd

    others = [name for name in table.columns if name not in columns.values()]
    rows = []
    for position, (_, line) in enumerate(table.iterrows()):
        values = {ours: None if pd.isna(line[theirs]) else line[theirs] for ours, theirs in columns.items()}
        if values["file"] is None:
            raise DataError(f"Line {position + 2} names no file", where=f"{path}, column '{columns['file']}'")
        known = {"label": values.get("label"), "split": _split(values.get("split"), path, position)}
        known["patient"] = pseudonym(f"PatientID::{values['patient']}") if values.get("patient") else None
        known["frame"] = _frame(values.get("frame"), path, position)
        facts = {_fact_name(name): line[name] for name in others if not pd.isna(line[name])}
        rows.append((path.parent / values["file"].replace("\\", "/"), {**facts, **known}, position + 2))
    return rows


def _cohort(path: Path, columns: dict[str, str], rows: list[Any], missing: list[Any], window: Any) -> Cohort:
    rows, repeated = _without_repeats(rows, path)
    classes = natsorted({known["label"] for _, known in rows if known["label"] is not None}, alg=ns.IGNORECASE)
    unlabelled = sum(known["label"] is None for _, known in rows)
    if "label" in columns and len(classes) == 1:
        raise DataError(f'Every labelled row has the class "{classes[0]}"', where=path, expected="at least two classes")
    for _, known in rows:
        if known["label"] is None and classes:
            known["split"] = None
    found = gather(rows, base=path.parent)
    found.rows = _only_the_frames_named(found.rows)
    lines = [row[2] for row in missing]
    if unlabelled and classes:
        _warn(f"{unlabelled} rows have no label; they are kept, but in no split.")
    if missing:
        _warn(f"{len(missing)} files that the table names are not there and were left out (lines {_few(lines)}).")
    facts = {
        "table": path.name,
        "columns": columns,
        "unlabelled": unlabelled,
        "missing_files_in_lines": lines,
        "repeated_rows": repeated,
        "stray_files": 0,
    }
    return as_cohort(
        found,
        classes=classes,
        name=path.stem,
        window=window,
        facts=facts,
        description="images named in a table of your own",
    )


def _without_repeats(rows: list[Any], path: Path) -> tuple[list[Any], int]:
    seen: dict[tuple[str, Any], Any] = {}
    kept = []
    for file, known in rows:
        key = (str(file), known["frame"])
        if key in seen:
            if seen[key] != known["label"]:
                raise DataError(
                    f"The file {file.name} has two different labels", where=path, do="decide which one is right"
                )
            continue
        seen[key] = known["label"]
        kept.append((file, known))
    return kept, len(rows) - len(kept)


def _only_the_frames_named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A stack whose row names one frame was expanded to all, each with that frame: keep one."""
    unique = {}
    for row in rows:
        unique.setdefault((row["file"], row["frame"]), row)
    return list(unique.values())


def _split(value: str | None, path: Path, position: int) -> str | None:
    if value is None:
        return None
    name = split_name(value)
    if name is None:
        raise DataError(
            f"Line {position + 2} has an unknown split",
            where=f"{path}, column 'split'",
            expected="train, validation, test",
        )
    return name


def _frame(value: str | None, path: Path, position: int) -> int | None:
    if value is None:
        return None
    try:
        return int(float(value))
    except ValueError:
        raise DataError(f"The frame in line {position + 2} is not a whole number", where=path) from None


def _fact_name(name: str) -> str:
    return f"{name} (table)" if name in ("case", "file", "frame", "label", "patient", "split") else str(name)


def _separator(path: Path, encoding: str) -> str:
    with open(path, encoding=encoding) as file:
        first = file.readline(100_000)
    return max((",", ";", "\t"), key=first.count)


def _unreadable(path: Path) -> DataError:
    return DataError(
        "The table cannot be read", where=path, expected="a CSV with the names of the columns in its first line",
        do="save it again as CSV (UTF-8)",
    )  # fmt: skip


def _few(lines: list[int]) -> str:
    return ", ".join(map(str, lines[:10])) + (", ..." if len(lines) > 10 else "")


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)
