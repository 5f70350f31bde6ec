"""Commands `firstread project cohort`, `split` and `open-test`."""

from pathlib import Path
from typing import Annotated

import typer

from firstread.cli.output import AsJson, print_json, print_table
from firstread.cli.project_commands import Folder, open_project, project_app

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would come out, and write nothing.")]


@project_app.command("cohort")
def project_cohort(
    project: Folder = Path(),
    source: Annotated[
        Path | None, typer.Option("--from", help="An eligibility file, which is copied into the project.")
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="Write an eligibility file from what the archive has (a posteriori).")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Choose who is in, by 40-cohort/eligibility.toml: flow diagram, Table 1, the bias that the criteria bring.

    Example: `firstread project cohort --draw`, read and change the file, then `firstread project cohort`
    """
    from firstread.project.cohort_step import choose_cohort

    opened = open_project(project)
    counts = choose_cohort(opened, source=source, draw=draw, dry_run=dry_run)
    if as_json:
        print_json(counts)
        return
    _say(counts["remarks"])
    typer.echo(
        f"{counts['included']:,} of {counts['assessed']:,} included (counted by {counts['unit']}): "
        f"{counts['patients']:,} patients, {counts['studies']:,} studies, {counts['series']:,} series."
    )
    if counts["classes"]:
        typer.echo("Patients by class: " + ", ".join(f"{count:,} {name}" for name, count in counts["classes"].items()))
    if not dry_run:
        typer.echo(f"Read it: {opened.paths['cohort'] / 'report.html'}")


@project_app.command("split")
def project_split(  # noqa: PLR0913, PLR0917 - the options of a command
    project: Folder = Path(),
    method: Annotated[
        str, typer.Option(help="holdout, folds, nested, temporal, site or contiguous; see docs/how-to/project.md.")
    ] = "holdout",
    fractions: Annotated[str, typer.Option(help="Shares of training, validation and test.")] = "0.8,0.1,0.1",
    folds: Annotated[int, typer.Option(min=2, max=100, help="Of folds and nested.")] = 5,
    inner: Annotated[int, typer.Option(min=2, max=100, help="Inner folds of nested.")] = 4,
    by: Annotated[str, typer.Option(help="Column of times, for temporal, such as clinical.year.")] = "",
    site: Annotated[list[str] | None, typer.Option(help="Site that is left out for the test; repeated.")] = None,
    gap: Annotated[int, typer.Option(min=0, help="Patients left out at each cut of contiguous.")] = 0,
    seed: Annotated[int, typer.Option(help="Of chance.")] = 0,
    new_seal: Annotated[
        bool, typer.Option("--new-seal", help="Draw another test set after the last one was opened; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody; kept in the audit log.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Divide the cohort by patient into training, validation and a sealed test set.

    Example: `firstread project split --fractions 0.7,0.15,0.15`
    """
    from firstread.project.split_plan import SplitPlan
    from firstread.project.split_step import split_cohort

    plan = SplitPlan(method, _shares(fractions), folds, inner, by, tuple(site or ()), gap, seed)
    opened = open_project(project)
    counts = split_cohort(opened, plan, reason=reason if new_seal else None, dry_run=dry_run)
    if as_json:
        print_json(counts)
        return
    _say(counts["remarks"])
    groups = {**counts["splits"], **{f"fold {name}": count for name, count in counts.get("folds", {}).items()}}
    print_table(("part", "patients"), [(name, f"{count:,}") for name, count in groups.items()])
    if not dry_run:
        typer.echo(f"Sizes and the intervals they will give: {opened.paths['split folder'] / 'sizes.csv'}")


@project_app.command("open-test")
def project_open_test(
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody; kept in the audit log.")],
    project: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Open the sealed test set. It is recorded, and from the second time on every report says so.

    Example: `firstread project open-test --reason "the model is final"`
    """
    from firstread.project.project import Project

    opened = Project.open(project)
    cohort = opened.open_test(reason=reason)
    warning = opened.seal_warning()
    if as_json:
        print_json({"cases": len(cohort.test), "warning": warning})
        return
    typer.echo(f"Opened: {len(cohort.test):,} cases. It stands in the audit log and in 50-splits/seal.json.")
    if warning:
        typer.echo(f"Warning: {warning}")


def _say(remarks: list[str]) -> None:
    for remark in remarks:
        typer.echo(f"Note: {remark}")


def _shares(text: str) -> tuple[float, ...]:
    from firstread.core.errors import SettingError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingError(f'--fractions "{text}" is not possible', expected="numbers such as 0.8,0.1,0.1") from None
