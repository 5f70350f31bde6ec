"""CSV for people, who open it in a spreadsheet: a cell that would run there as a formula is shown as text.

Names, answers and descriptions come from strangers. A cell that begins with =, +, - or @ is a formula to a spreadsheet,
and may send what stands beside it elsewhere (OWASP, "CSV injection"). Such a text gets an apostrophe, which most
spreadsheets do not show. Tables for programs are Parquet, where every text stays as it is.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@")


def spreadsheet_cell(value: object) -> object:
    """A value as a spreadsheet may have it; numbers, also written as text, stay as they are.

    Example:
        >>> spreadsheet_cell("=1+1"), spreadsheet_cell("-3.5"), spreadsheet_cell("Ann")
        ("'=1+1", '-3.5', 'Ann')
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")  # a lone carriage return would end the line unquoted
    if not text.lstrip().startswith(_FORMULA_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Columns and rows as CSV.

    Example:
        >>> csv_text(["name", "count"], [("@all", 3), ("Ann", None)])
        "name,count\\n'@all,3\\nAnn,\\n"
    """
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([spreadsheet_cell(name) for name in columns])
    writer.writerows([spreadsheet_cell(value) for value in row] for row in rows)
    return output.getvalue()


def frame_csv(table: "pd.DataFrame") -> str:
    """A pandas table as CSV, without its index."""
    safe = table.map(spreadsheet_cell).rename(columns=spreadsheet_cell)
    return str(safe.to_csv(index=False, lineterminator="\n"))
