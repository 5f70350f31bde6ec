"""Output of the commands: JSON for programs, tables for people."""

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: Any) -> None:
    from firstread.core.files import plain

    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    colours = {"ok": "green", "warning": "yellow", "problem": "bold red"}
    for row in rows:
        table.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in row))
    Console(soft_wrap=False).print(table)
