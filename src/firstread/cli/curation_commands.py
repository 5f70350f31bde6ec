"""Commands of the group `firstread project curate`: what the images are, what is left out and why, and put back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstread.cli.output import AsJson, print_json, print_table
from firstread.cli.project_commands import CORES, Folder, Processes, Shard, open_project, parse_shard, project_app

if TYPE_CHECKING:
    from firstread.project.project import Project

curate_app = typer.Typer(
    help="Describe the de-identified images stack by stack, and say what is left out and why.",
    invoke_without_command=True,
    rich_markup_mode="markdown",
)
project_app.add_typer(curate_app, name="curate")
Identifier = Annotated[
    str, typer.Argument(help="S... (a stack), T... (a study), a patient's pseudonym, or F... (a fault).")
]
Reason = Annotated[str, typer.Option(help="Why, in words that name nobody; kept in the audit log.")]
_COLUMNS = ("id", "what", "kind", "reason", "decision")


@curate_app.callback()
def project_curate(
    context: typer.Context,
    project: Folder = Path(),
    processes: Processes = CORES,
    shard: Shard = "1/1",
    ray: Annotated[str | None, typer.Option(help="Address of a Ray cluster that runs the shards, or local.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Describe the de-identified images into `30-curated`: stacks, planes, phases, faults, and what is left out.

    Example: `firstread project curate --processes 4`, then `firstread project curate list`
    """
    if context.invoked_subcommand is not None:
        return
    from firstread.project.archive_curator import CurationSettings, curate_archive, plan_curation

    opened = open_project(project)
    if dry_run:
        _show_plan(plan_curation(opened), as_json=as_json)
        return
    counts = curate_archive(opened, CurationSettings(processes=processes, part=parse_shard(shard), ray=ray))
    if as_json:
        print_json(counts)
    elif "shards_left" in counts:
        typer.echo(f"{counts['shards_left']} shards of {counts['pass']} of other parts are not done yet.")
        typer.echo("When all parts are through, run the same line again: it goes on from there.")
    else:
        _show_counts(opened, counts)


@curate_app.command("list")
def curate_list(project: Folder = Path(), as_json: AsJson = False) -> None:
    """List what is left out, why, and what people decided about it.

    Example: `firstread project curate list`
    """
    from firstread.project.curation_choices import list_excluded

    rows = list_excluded(open_project(project)).to_pylist()
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo("Nothing is left out.")
        return
    print_table(_COLUMNS, [tuple("" if row[name] is None else str(row[name]) for name in _COLUMNS) for row in rows])


@curate_app.command("put-back")
def curate_put_back(identifier: Identifier, reason: Reason, project: Folder = Path()) -> None:
    """Put back what was left out: you have looked at it.

    Example: `firstread project curate put-back S62cced1481c --reason "the liver is covered"`
    """
    _decide(project, "put back", identifier, reason)


@curate_app.command("exclude")
def curate_exclude(identifier: Identifier, reason: Reason, project: Folder = Path()) -> None:
    """Leave out a stack, a study or a patient.

    Example: `firstread project curate exclude S62cced1481c --reason "arms over the liver"`
    """
    _decide(project, "exclude", identifier, reason)


def _decide(folder: Path, verb: str, identifier: str, reason: str) -> None:
    from firstread.project.curation_choices import decide_curation

    count = decide_curation(open_project(folder), verb, identifier, reason=reason)
    typer.echo(f"Kept, about {count:,}. It takes effect with: firstread project curate")


def _show_plan(planned: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(planned)
        return
    typer.echo(f"{planned['files']:,} files of {planned['folder']}, with {planned['decisions']:,} decisions.")
    typer.echo("Nothing was done.")


def _show_counts(project: "Project", counts: dict[str, Any]) -> None:
    typer.echo(
        f"{counts['files']:,} files: {counts['patients']:,} patients, {counts['studies']:,} studies, "
        f"{counts['stacks']:,} stacks; {counts['selected']:,} selected, {counts['excluded']:,} left out."
    )
    if counts["faults"]:
        print_table(("fault", "found"), [(kind, f"{number:,}") for kind, number in counts["faults"].items()])
        typer.echo("What is left out, and why: firstread project curate list")
    typer.echo(f"Page: {project.paths['curated'] / 'report.html'}")
