"""The `firstread` command. Each command is a few lines around a function that a program could call as well."""

import sys
from typing import Annotated

import typer

from firstread.cli.class_commands import class_app
from firstread.cli.data_commands import data_app
from firstread.cli.lesson_commands import lesson_app
from firstread.cli.output import AsJson, print_json, print_table

app = typer.Typer(
    name="firstread",
    help="From Hello, World! to a deep-learning model on real medical images. For teaching and research; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(lesson_app)
app.add_typer(data_app, name="data")
app.add_typer(class_app, name="class")


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
    from firstread.cli.doctor import as_json as plain_findings
    from firstread.cli.doctor import examine

    findings = examine()
    if as_json:
        print_json(plain_findings(findings))
    else:
        print_table(("part", "state", "found", "what to do"), [(f.part, f.state, f.text, f.do) for f in findings])
    raise typer.Exit(1 if any(f.state == "problem" for f in findings) else 0)


def main() -> None:
    """Run the command: exit status 0 done, 1 failed, 2 wrong use. A user's mistake never ends in a bare traceback."""
    from firstread.core.errors import FirstreadError, SettingError

    try:
        app()
    except SettingError as error:
        _fail(str(error), 2)
    except FirstreadError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("Interrupted. What was finished is kept.", 1)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:  # the last door: say where the details are
        _fail(_unexpected(error), 1)


def _unexpected(error: Exception) -> str:
    import traceback
    from datetime import datetime

    from firstread.core.paths import runs_folder

    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    file = runs_folder() / "errors" / f"{datetime.now():%Y%m%d-%H%M%S}.txt"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            "\n".join([type(error).__name__, *lines]), encoding="utf-8"
        )  # no values: they may be a patient's
    except OSError:
        return f"Something went wrong that firstread did not foresee ({type(error).__name__})."
    return f"Something went wrong that firstread did not foresee ({type(error).__name__}). Where: the places in {file}. What to do: report it with that file."


def _fail(text: str, status: int) -> None:
    typer.echo(text, err=True)
    raise SystemExit(status)
