"""Commands of the group `firstread project hold`: what was held back, and what people decide about it."""

from pathlib import Path
from typing import Annotated

import typer

from firstread.cli.output import AsJson, print_json, print_table
from firstread.cli.project_commands import Folder, open_project, project_app

hold_app = typer.Typer(
    help="What was held back and waits for a person: look, decide, then `firstread project deidentify` again.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
project_app.add_typer(hold_app, name="hold")
Identifier = Annotated[
    str, typer.Argument(help="C... (a class), P... (a patient) or H... (a file), as hold list says.")
]
Identifiers = Annotated[list[str], typer.Argument(help="P... and P..., or a file H... and the patient P... it is of.")]
Reason = Annotated[str, typer.Option(help="Why, in words that name nobody; kept in the audit log.")]


@hold_app.command("list")
def hold_list(
    project: Folder = Path(),
    files: Annotated[bool, typer.Option("--files", help="One row a file.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is held back, why, and what can be decided about it.

    Example: `firstread project hold list`
    """
    from firstread.project.holds import list_holds

    rows = list_holds(open_project(project), files=files).to_pylist()
    if as_json:
        print_json(rows)
        return
    columns = ("id", "files", "rule", "what", "can", "decision")
    print_table(columns, [tuple("" if row[name] is None else str(row[name]) for name in columns) for row in rows])


@hold_app.command("sheets")
def hold_sheets(project: Folder = Path()) -> None:
    """Draw contact sheets of the images that wait for a person. They show originals, so they lie in the vault.

    Example: `firstread project hold sheets`
    """
    from firstread.project.holds import write_contact_sheets

    sheets = write_contact_sheets(open_project(project))
    typer.echo(f"{len(sheets)} sheets: look at them, then firstread project hold release C...")
    for sheet in sheets:
        typer.echo(str(sheet))


@hold_app.command("release")
def hold_release(identifier: Identifier, reason: Reason, project: Folder = Path()) -> None:
    """Say that you have looked at the pixels of a class or a file: they go on.

    Example: `firstread project hold release C9b202e --reason "sheets looked at, no text"`
    """
    _decide(project, "release", [identifier], reason)


@hold_app.command("drop")
def hold_drop(identifier: Identifier, reason: Reason, project: Folder = Path()) -> None:
    """Say that a file, a class or a patient stays out.

    Example: `firstread project hold drop H0123456789ABCDEF --reason "not of this study"`
    """
    _decide(project, "drop", [identifier], reason)


@hold_app.command("keep")
def hold_keep(identifier: Identifier, reason: Reason, project: Folder = Path()) -> None:
    """Say which of several files with one SOPInstanceUID is true: the others stay out.

    Example: `firstread project hold keep H0123456789ABCDEF --reason "the other is a broken copy"`
    """
    _decide(project, "keep", [identifier], reason)


@hold_app.command("join")
def hold_join(identifiers: Identifiers, reason: Reason, project: Folder = Path()) -> None:
    """Say that patients are one person, or whose a file is that states nobody.

    Example: `firstread project hold join P0123456789ABCDEF --reason "birth date was mistyped"`
    """
    _decide(project, "join", identifiers, reason)


@hold_app.command("separate")
def hold_separate(identifier: Identifier, reason: Reason, project: Folder = Path()) -> None:
    """Say that several people share an identifier: each birth date and sex becomes a patient.

    Example: `firstread project hold separate P0123456789ABCDEF --reason "identifier was given twice"`
    """
    _decide(project, "separate", [identifier], reason)


def _decide(folder: Path, verb: str, identifiers: list[str], reason: str) -> None:
    from firstread.project.holds import decide

    count = decide(open_project(folder), verb, identifiers, reason=reason)
    typer.echo(f"Kept, about {count:,} files. It takes effect with: firstread project deidentify")
