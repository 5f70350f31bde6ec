"""A table as text: CSV in the encodings and with the separators that spreadsheets write."""

import codecs
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_NA_VALUES = ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "?"]  # but "None" may be a class
_MAX_BYTES = 500_000_000
_SEPARATORS = (",", ";", "\t", "|")
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
#: first bytes of files that are no text -> what they are
_OTHER_KINDS = {
    b"PK\x03\x04": "an Excel workbook (.xlsx), whatever it is called",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls), whatever it is called",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a compressed file",
}


def read_table(path: Path, *, max_rows: int | None = None) -> "pd.DataFrame":
    """Read a CSV as text, with the names of its columns in the first line.

    It may be separated by comma, semicolon, tab or "|" (also as the line "sep=;" of Excel says), in UTF-8, UTF-16 or
    the encoding of Excel.

    Returns:
        The values as text, without blanks around them; the index holds the numbers of the lines.

    Raises:
        DataError: the file is no such table; the message says what it is, as far as that can be seen.
    """
    import pandas as pd

    if path.stat().st_size > _MAX_BYTES:
        raise DataError("The table is larger than firstread reads", where=path, expected=f"{_MAX_BYTES:,} bytes")
    for encoding in _encodings(path):
        try:
            separator, skipped = _find_separator(path, encoding)
            with warnings.catch_warnings():
                # without index_col=False more cells than names would shift every column, and nobody would notice
                warnings.simplefilter("error", pd.errors.ParserWarning)
                table = pd.read_csv(
                    path,
                    dtype=str,
                    sep=separator,
                    skiprows=skipped,
                    encoding=encoding,
                    nrows=max_rows,
                    skipinitialspace=True,
                    keep_default_na=False,
                    na_values=_NA_VALUES,
                    index_col=False,
                )
            table.columns = [str(name).strip() for name in table.columns]
            table.index = table.index + 2 + skipped
            return table.dropna(how="all").map(lambda value: value.strip() if isinstance(value, str) else value)
        except UnicodeError:
            continue
        except pd.errors.ParserWarning as error:
            raise DataError(
                "A line has more cells than there are names of columns",
                where=path,
                expected="as many cells in each line as in the first",
                do="save it as CSV with semicolons, or with quotation marks around texts and decimal commas",
            ) from error
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
            raise _unreadable(path) from error
    raise _unreadable(path)


def _encodings(path: Path) -> list[str]:
    """Encodings to try, by the first bytes."""
    with open(path, "rb") as file:
        head = file.read(4096)
    kind = next((kind for magic, kind in _OTHER_KINDS.items() if head.startswith(magic)), None)
    if kind is not None:
        raise DataError(
            f"This is {kind}, and no table as text",
            where=path,
            expected="a CSV with the names of the columns in its first line",
            do="open it in a spreadsheet and save it as CSV (UTF-8)",
        )
    marked = next((name for mark, name in _ENCODINGS.items() if head.startswith(mark)), None)
    if marked:
        return [marked]
    if b"\x00" in head:  # UTF-16 without its mark: every second byte of western text is zero
        return ["utf-16-be" if head[:1] == b"\x00" else "utf-16-le"]
    return ["utf-8", "cp1252"]


def _find_separator(path: Path, encoding: str) -> tuple[str, int]:
    """The separator, and how many lines stand before the names of the columns."""
    with open(path, encoding=encoding) as file:
        header = file.readline(100_000)
        if header.strip().strip('"').casefold().startswith("sep="):
            return header.strip().strip('"')[4:5] or "\t", 1
    return max(_SEPARATORS, key=header.count), 0


def _unreadable(path: Path) -> DataError:
    expected = "a CSV with the names of the columns in its first line"
    return DataError("The table cannot be read", where=path, expected=expected, do="save it again as CSV (UTF-8)")
