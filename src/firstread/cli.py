"""The `firstread` command. Each command is a few lines around a function that a program could call as well."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from firstread.classroom.commands import class_app

app = typer.Typer(
    name="firstread",
    help="From Hello, World! to a deep-learning model on real medical images. For teaching and research; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Named data sets and your own folders.", no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(data_app, name="data")
app.add_typer(class_app, name="class")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Folder = Annotated[Path | None, typer.Option(help="Where the results go.")]


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from firstread import __version__

        typer.echo(f"firstread {__version__}")
        raise typer.Exit


@app.command()
def lessons(as_json: AsJson = False) -> None:
    """List the lessons.

    Example: `firstread lessons`
    """
    from firstread.lessons.finding import find_lessons

    found = find_lessons()
    if as_json:
        _print_json(
            [{"name": i.name, "title": i.title, "minutes": i.values["minutes"], "data": i.data_sets} for i in found]
        )
        return
    rows = [(i.name, i.title, f"{i.values['minutes']} min", ", ".join(i.data_sets)) for i in found]
    _print_table(("lesson", "title", "time", "runs on"), rows)
    typer.echo("Open one with: firstread open " + found[0].name)


@app.command("open")
def open_(
    lesson: Annotated[str, typer.Argument(help="Name or number, such as hello-world or 1.")],
    folder: Annotated[Path | None, typer.Option(help="Where your copy lies; default ./firstread-lessons.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again in a new copy; the old one is kept.")] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 0,
) -> None:
    """Open a lesson in the browser, in a copy of your own.

    Example: `firstread open hello-world`
    """
    from firstread.lessons.opening import open_lesson

    raise typer.Exit(open_lesson(lesson, folder=folder, fresh=fresh, browser=browser, port=port))


@app.command()
def run(
    lesson: Annotated[str, typer.Argument(help="Name or number, such as hello-world or 1.")],
    data: Annotated[str | None, typer.Option(help="Other data: a name or a path.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    folder: Folder = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Cross-validate where the lesson says so.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Run a lesson from start to finish, without a browser.

    Example: `firstread run hello-world --data hello-world/openi`
    """
    from firstread.lessons.running import run_lesson

    summary = run_lesson(lesson, data=data, seed=seed, folder=folder, measure=measure)
    if as_json:
        _print_json(summary)
        return
    _print_summary(summary)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is here, what is missing, and what to do.

    Example: `firstread doctor`
    """
    from firstread.doctor import as_json as plain_findings
    from firstread.doctor import examine

    findings = examine()
    if as_json:
        _print_json(plain_findings(findings))
    else:
        _print_table(("part", "state", "found", "what to do"), [(f.part, f.state, f.text, f.do) for f in findings])
    raise typer.Exit(1 if any(f.state == "problem" for f in findings) else 0)


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the named data sets.

    Example: `firstread data list`
    """
    from firstread.datasets.catalogue import CATALOGUE

    rows = [(name, entry.origin.description, entry.origin.licence) for name, entry in CATALOGUE.items()]
    if as_json:
        _print_json([{"name": n, "description": d, "licence": c} for n, d, c in rows])
        return
    _print_table(("name", "what it is", "licence"), rows)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="Such as hello-world/openi.")],
    mirror: Annotated[str | None, typer.Option(help="An address or folder to take the files from instead.")] = None,
) -> None:
    """Fetch a data set once; it is read from disk ever after.

    Example: `firstread data get hello-world/openi`
    """
    from firstread.datasets.download import get_dataset
    from firstread.datasets.opening import open_dataset

    if "/" in name:
        get_dataset(name, mirror=mirror)
    typer.echo(repr(open_dataset(name)))


@data_app.command("show")
def data_show(
    name: Annotated[str, typer.Argument(help="Name of a data set, or a path.")],
    output: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("contact-sheet.png"),
    count: Annotated[int, typer.Option(min=1, max=200, help="How many images.")] = 20,
) -> None:
    """Write a contact sheet of a data set.

    Example: `firstread data show hello-world`
    """
    from firstread.core.figures import png_bytes
    from firstread.core.files import write_bytes
    from firstread.datasets.opening import open_dataset

    cohort = open_dataset(name)
    typer.echo(repr(cohort))
    typer.echo(f"Contact sheet: {write_bytes(output, png_bytes(cohort.show(count)))}")


@data_app.command("check")
def data_check(
    name: Annotated[str, typer.Argument(help="Name of a data set, or a path.")],
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report here.")] = None,
    split: Annotated[str | None, typer.Option(help="patient, random or contiguous.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look for duplicates, leaks, noise, marks, and shortcuts that give the classes away.

    Example: `firstread data check hello-world --report check.html`
    """
    from firstread.datasets.check import check_data
    from firstread.datasets.opening import open_dataset

    found = check_data(open_dataset(name, split=split))
    if as_json:
        _print_json(found.to_json())
    else:
        typer.echo(str(found))
    if report:
        typer.echo(f"Report: {found.report().write(report)}", err=as_json)


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

    from firstread.core.settings import runs_folder

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


def _print_json(value: Any) -> None:
    from firstread.core.files import plain

    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def _print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    colours = {"ok": "green", "warning": "yellow", "problem": "bold red"}
    for row in rows:
        table.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in row))
    Console(soft_wrap=False).print(table)


def _print_summary(summary: dict[str, Any]) -> None:
    results = {"the lesson's network": summary["results"].get("evaluation"), **summary["measured"]}
    for name, value in results.items():
        if not value:
            continue
        typer.echo(f"\n{name} ({value['cases']} predictions)")
        rows = [(m, _interval(v)) for m, v in value["metrics"].items()]
        _print_table(("metric", "value [95 % interval]"), rows)
        rules = sorted(value["comparison"][1:], key=lambda r: -r["accuracy"])[:3]
        for rule in rules:
            typer.echo(
                f"  beside it, {rule['name']}: accuracy {rule['accuracy']:.3f} [{rule['low']:.3f}, {rule['high']:.3f}]"
            )
    memory = summary["peak_memory_mb"]
    told = f", peak memory {memory:.0f} MB" if memory else ""
    typer.echo(f"\n{summary['seconds']['notebook']:.0f} s for the notebook{told}")
    for name, path in summary["files"].items():
        typer.echo(f"{name:9s} {path}")
    typer.echo(f"\nTo open the lesson in your browser: firstread open {summary['lesson']}")


def _interval(value: dict[str, Any]) -> str:
    if value["value"] is None:
        return "not defined"
    if value["low"] is None:
        return f"{value['value']:.3f}"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
