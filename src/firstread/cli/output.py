"""Output of the commands: JSON for programs, tables for the terminal."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: Any) -> None:
    """Print a value as JSON; NaN and infinity become null."""
    from firstread.core.files import to_jsonable

    typer.echo(json.dumps(to_jsonable(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows as a table without borders; the cells "ok", "warning" and "problem" are colored."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=None, pad_edge=False, header_style="bold")
    styles = {"ok": "green", "warning": "yellow", "problem": "bold red"}
    for row in rows:
        table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
    Console(soft_wrap=False).print(table)
