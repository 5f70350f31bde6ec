"""Commands `firstread lessons`, `open` and `run`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from firstread.cli.output import AsJson, print_json, print_table

lesson_app = typer.Typer()

Folder = Annotated[Path | None, typer.Option(help="Where the results go.")]


@lesson_app.command()
def lessons(as_json: AsJson = False) -> None:
    """List the lessons.

    Example: `firstread lessons`
    """
    from firstread.lessons.lesson_info import find_lessons

    infos = find_lessons()
    if as_json:
        print_json(
            [{"name": i.name, "title": i.title, "minutes": i.values["minutes"], "data": i.datasets} for i in infos]
        )
        return
    rows = [(i.name, i.title, f"{i.values['minutes']} min", ", ".join(i.datasets)) for i in infos]
    print_table(("lesson", "title", "time", "runs on"), rows)
    typer.echo("Open one with: firstread open " + infos[0].name)


@lesson_app.command("open")
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
    from firstread.lessons.jupyterlab import open_lesson

    raise typer.Exit(open_lesson(lesson, folder=folder, fresh=fresh, browser=browser, port=port))


@lesson_app.command()
def run(
    lesson: Annotated[str, typer.Argument(help="Name or number, such as hello-world or 1.")],
    data: Annotated[str | None, typer.Option(help="Other data: a name or a path.")] = None,
    classes: Annotated[str | None, typer.Option(help='Other names of their classes: "abd=abdomen,chst=chest".')] = None,
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
    from firstread.lessons.runner import run_lesson

    names = parse_class_names(classes) if classes else None
    summary = run_lesson(lesson, data=data, classes=names, seed=seed, folder=folder, measure=measure)
    if as_json:
        print_json(summary)
        return
    _print_summary(summary)


def parse_class_names(text: str) -> dict[str, str]:
    """`"abd=abdomen,chst=chest"` as a dictionary.

    Raises:
        SettingError: not of this form.
    """
    from firstread.core.errors import SettingError

    pairs = [part.split("=") for part in text.split(",")]
    names = {pair[0].strip(): pair[-1].strip() for pair in pairs}
    if any(len(pair) != 2 for pair in pairs) or not all([*names, *names.values()]):
        raise SettingError(f'--classes "{text}" cannot be read', expected='"name=new name,other=new name"')
    return names


def _print_summary(summary: dict[str, Any]) -> None:
    results = {"the lesson's network": summary["results"].get("evaluation"), **summary["measured"]}
    for name, value in results.items():
        if not value:
            continue
        typer.echo(f"\n{name} ({value['cases']} predictions)")
        rows = [(metric, _format_interval(estimate)) for metric, estimate in value["metrics"].items()]
        print_table(("metric", "value [95 % interval]"), rows)
        rules = sorted(value["comparison"][1:], key=lambda r: -r["accuracy"])[:3]
        for rule in rules:
            typer.echo(
                f"  beside it, {rule['name']}: accuracy {rule['accuracy']:.3f} [{rule['low']:.3f}, {rule['high']:.3f}]"
            )
    memory_mb = summary["peak_memory_mb"]
    peak_memory = f", peak memory {memory_mb:.0f} MB" if memory_mb else ""
    typer.echo(f"\n{summary['seconds']['notebook']:.0f} s for the notebook{peak_memory}")
    for name, path in summary["files"].items():
        typer.echo(f"{name:9s} {path}")
    typer.echo(f"\nTo open the lesson in your browser: firstread open {summary['lesson']}")


def _format_interval(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "not defined"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
