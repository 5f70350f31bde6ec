"""Entry point of the `firstread` command: its groups, exit statuses and error messages."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from firstread.cli import (  # noqa: F401 - they add commands to project_app
    clinical_commands,
    cohort_commands,
    curation_commands,
    deidentification_commands,
    hold_commands,
)
from firstread.cli.class_commands import class_app
from firstread.cli.data_commands import data_app
from firstread.cli.lesson_commands import lesson_app
from firstread.cli.output import AsJson, print_json, print_table
from firstread.cli.project_commands import project_app

_HELP = (
    "From Hello, World! to a deep-learning model on real medical images. "
    "For teaching and research; not a medical device."
)


class _Interrupted(Exception):  # noqa: N818 - no error
    """Ctrl-C, kept from Typer, which would end without a word."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None


app = typer.Typer(
    name="firstread",
    cls=_Commands,
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(lesson_app)
app.add_typer(data_app, name="data")
app.add_typer(class_app, name="class")
app.add_typer(project_app, name="project")


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from firstread import __version__

        typer.echo(f"firstread {__version__}")
        raise typer.Exit


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is here, what is missing, and what to do.

    Example: `firstread doctor`
    """
    from firstread.cli.doctor import diagnose, to_json

    diagnoses = diagnose()
    if as_json:
        print_json(to_json(diagnoses))
    else:
        print_table(("part", "state", "found", "what to do"), [(d.part, d.state, d.text, d.do) for d in diagnoses])
    raise typer.Exit(1 if any(d.state == "problem" for d in diagnoses) else 0)


def main() -> None:
    """Run the command line: exit status 0 done, 1 failed, 2 wrong usage, 130 interrupted; no error has a traceback."""
    from firstread.core.errors import FirstreadError, SettingError
    from firstread.core.files import storage_error

    try:
        app()
    except SettingError as error:
        _exit_with_message(str(error), 2)
    except FirstreadError as error:
        _exit_with_message(str(error), 1)
    except (_Interrupted, KeyboardInterrupt):
        _exit_with_message("Interrupted. What was finished is kept.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:  # the message names the file with the details
        told = storage_error(error) if isinstance(error, OSError) else None
        _exit_with_message(str(told) if told else _log_unexpected_error(error), 1)


def _log_unexpected_error(error: Exception) -> str:
    """Write the places of an error's traceback, without values, to a file; return the message for the user."""
    import traceback
    from datetime import datetime

    from firstread.core.errors import FirstreadError
    from firstread.core.paths import runs_folder

    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    text = "\n".join([type(error).__name__, *lines])  # no values: they may be a patient's
    message = f"Something went wrong that firstread did not foresee ({type(error).__name__})."
    try:
        file = runs_folder() / "errors" / f"{datetime.now():%Y%m%d-%H%M%S}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except (OSError, FirstreadError):
        return message
    return f"{message} Where: the places in {file}. What to do: report it with that file."


def _exit_with_message(text: str, status: int) -> None:
    typer.echo(text, err=True)
    raise SystemExit(status)
