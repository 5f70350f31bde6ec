"""Passphrases on the command line: typed, or from a file; never an argument, which others can see."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firstread.project.project import Project

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File whose first line is the passphrase; else it is asked for."),
]
_TRIES = 3


def read_new_passphrase(file: Path | None) -> str:
    """A passphrase for a new project, typed twice or from a file."""
    return _ask(confirm=True) if file is None else _read(file)


def read_passphrase(project: "Project", file: Path | None) -> str:
    """The passphrase or the recovery code of a project; a wrong one may be typed again, twice.

    Raises:
        SettingError: it does not open the key.
    """
    from firstread.core.errors import SettingError

    if file is not None:
        return _read(file)
    for left in reversed(range(_TRIES)):
        text = _ask(confirm=False)
        try:
            project.vault.open(text)
            break
        except SettingError as error:
            if not left:
                raise
            typer.echo(str(error), err=True)
    return text


def _ask(*, confirm: bool) -> str:
    prompt = "Passphrase (at least 12 characters)" if confirm else "Passphrase or recovery code"
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def _read(file: Path) -> str:
    from firstread.core.errors import DataError

    try:
        with open(file, encoding="utf-8") as opened:
            return opened.readline(10_000).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("The file of the passphrase cannot be read", where=file) from error
