"""Commands of the group `firstread project`: one verb a step."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firstread.cli.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from firstread.project.project import Project

project_app = typer.Typer(
    help="A project on your own DICOM studies: one folder, one verb a step.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
_CORES = os.cpu_count() or 1
Folder = Annotated[Path, typer.Option("--project", "-C", help="The project folder.")]
Processes = Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")]
Passphrase = Annotated[Path | None, typer.Option(help="File that holds the passphrase; else it is asked for.")]


@project_app.command("new")
def project_new(
    name: Annotated[Path, typer.Argument(help="Folder of the new project.")],
    archive: Annotated[Path, typer.Option(help="Folder of the originals; they are opened read-only.")],
    vault: Annotated[Path | None, typer.Option(help="Folder of the vault, outside of the project.")] = None,
    question: Annotated[str, typer.Option(help="What the project asks, in words.")] = "",
    passphrase_file: Passphrase = None,
) -> None:
    """Make a project folder, and a vault for its key.

    Example: `firstread project new liver --archive /data/export`
    """
    from firstread.project.project import Project

    passphrase = _read_passphrase(passphrase_file, confirm=True)
    project, code = Project.create(name, archive=archive, passphrase=passphrase, vault=vault, question=question)
    typer.echo(f"Project: {project.folder}")
    typer.echo(f"Vault:   {project.vault.folder}")
    typer.echo(f"Recovery code, shown this once; keep it apart from this computer: {code}")


@project_app.command("status")
def project_status(project: Folder = Path(), as_json: AsJson = False) -> None:
    """Say what is done, what is stale, and what comes next. Exit status 1 if something is stale.

    Example: `firstread project status`
    """
    opened = _open(project)
    lines = opened.check_audit()
    statuses = opened.status()
    if as_json:
        print_json([{"step": s.name, "state": s.state, "reason": s.reason} for s in statuses])
    else:
        rows = [
            (s.name, {"done": "ok", "stale": "warning"}.get(s.state, s.state), s.reason or _when(s.record))
            for s in statuses
        ]
        print_table(("step", "state", "remark"), rows)
        following = next((s.name for s in statuses if s.state != "done"), None)
        typer.echo(
            f"Audit log: {lines} lines, unbroken." + (f" Next: firstread project {following}" if following else "")
        )
    raise typer.Exit(1 if any(s.state == "stale" for s in statuses) else 0)


@project_app.command("index")
def project_index(
    project: Folder = Path(),
    processes: Processes = _CORES,
    shard: Annotated[str, typer.Option(help="I/N: every N-th shard, for job arrays.")] = "1/1",
    as_json: AsJson = False,
) -> None:
    """Index the archive: what is in it, before anything is done to it. The index lies in the vault.

    Example: `firstread project index --processes 4`
    """
    from firstread.project.index import index_archive

    counts = index_archive(_open(project), processes=processes, part=_parse_part(shard))
    if as_json:
        print_json(counts)
        return
    if "shards_left" in counts:
        typer.echo(f"{counts['files']:,} files; {counts['shards_left']} shards of other parts are not done yet.")
        return
    typer.echo(
        f"{counts['files']:,} files: {counts['patients']:,} patients, {counts['studies']:,} studies, "
        f"{counts['series']:,} series, {counts['volumes']:,} of {counts['stacks']:,} stacks are volumes."
    )
    others = {state: number for state, number in counts["states"].items() if state != "ok"}
    if others:
        typer.echo("Not images: " + ", ".join(f"{number:,} {state}" for state, number in others.items()))


def _open(folder: Path) -> "Project":
    from firstread.project.project import Project

    return Project.open(folder)


def _when(record: object) -> str:
    return str(getattr(record, "finished", "") or "")


def _parse_part(text: str) -> tuple[int, int]:
    from firstread.core.errors import SettingError

    first, _, count = text.partition("/")
    if not (first.isdigit() and count.isdigit()):
        raise SettingError(f'--shard "{text}" is not possible', expected="I/N, such as 2/8")
    return int(first), int(count)


def _read_passphrase(file: Path | None, *, confirm: bool = False) -> str:
    if file is None:
        return str(typer.prompt("Passphrase (at least 12 characters)", hide_input=True, confirmation_prompt=confirm))
    from firstread.core.errors import DataError

    try:
        with open(file, encoding="utf-8") as opened:
            return opened.readline(10_000).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("The file of the passphrase cannot be read", where=file) from error
