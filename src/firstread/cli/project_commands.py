"""Commands of the group `firstread project`: one verb a step."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from firstread.cli.output import AsJson, print_json, print_table
from firstread.cli.passphrase import PassphraseFile, read_new_passphrase

if TYPE_CHECKING:
    from firstread.project.project import Project

#: the order of the steps, in which --help lists them
_ORDER = (
    *("demo", "new", "status", "index", "deidentify", "hold", "verify", "clinical", "curate", "cohort", "split"),
    *("open-test", "reidentify", "withdraw"),
)


class _StepOrder(TyperGroup):
    """Lists commands in the order of the steps, whichever module adds them."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


project_app = typer.Typer(
    cls=_StepOrder,
    help="A project on your own DICOM studies: one folder, one verb a step.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
CORES = os.cpu_count() or 1
Folder = Annotated[Path, typer.Option("--project", "-C", help="The project folder.")]
Processes = Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")]
Shard = Annotated[str, typer.Option(help="I/N: every N-th shard, for job arrays.")]


@project_app.command("new")
def project_new(
    name: Annotated[Path, typer.Argument(help="Folder of the new project.")],
    archive: Annotated[
        Path | None,
        typer.Option(help="Folder of the originals, opened read-only; with --phantoms where to write them."),
    ] = None,
    phantoms: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Write an archive of so many invented patients first.")
    ] = None,
    vault: Annotated[Path | None, typer.Option(help="Folder of the vault, outside of the project.")] = None,
    question: Annotated[str, typer.Option(help="What the project asks, in words.")] = "",
    passphrase_file: PassphraseFile = None,
    processes: Processes = CORES,
    deidentified: Annotated[
        bool,
        typer.Option(
            "--deidentified", help="The archive is de-identified already: begin with curate, without a passphrase."
        ),
    ] = False,
) -> None:
    """Make a project folder, and a vault for its key.

    Example: `firstread project new liver --archive /data/export`, or `firstread project new liver --phantoms 200`
    """
    from firstread.core.errors import SettingError
    from firstread.project.project import Project
    from firstread.project.project_folder import check_new_folder

    if archive is None and phantoms is None:
        raise SettingError("A project needs an archive", do="--archive FOLDER of originals, or --phantoms 200")
    if deidentified and phantoms is not None:
        raise SettingError("Phantom archives hold identities, which are there to be removed", do="leave one out")
    folder = check_new_folder(name)
    passphrase = None if deidentified else read_new_passphrase(passphrase_file)
    if phantoms is not None:
        archive = _write_phantoms(archive or folder.with_name(f"{folder.name}-archive"), phantoms, processes)
    project, code = Project.create(
        folder,
        archive=str(archive),
        passphrase=passphrase,
        vault=vault,
        question=question,
        deidentified=deidentified,
    )
    typer.echo(f"Project: {project.folder}")
    typer.echo(f"Archive: {project.settings.archive}")
    typer.echo(f"Vault:   {project.vault.folder}")
    if code:
        typer.echo(f"Recovery code, shown this once; keep it apart from this computer: {code}")
    else:
        typer.echo("You stated that the archive is de-identified already. Nothing checks that.")
    typer.echo(f"Next:    firstread project {'curate' if deidentified else 'index'} -C {name}")


@project_app.command("demo")
def project_demo(
    folder: Annotated[
        Path, typer.Argument(help="Folder of the demonstration; its archive and vault come beside it.")
    ] = Path("demo"),
    patients: Annotated[int, typer.Option(min=20, max=1_000, help="Invented patients.")] = 60,
    epochs: Annotated[int, typer.Option(min=1, max=200, help="Epochs of training.")] = 8,
    processes: Processes = CORES,
) -> None:
    """Go through a whole project on invented patients, from their archive to a measured network and a page.

    It takes some minutes, can be stopped, and goes on where it was when it is started again.

    Example: `firstread project demo`
    """
    from firstread.project.demo import DemoSettings, run_demo

    page = run_demo(folder, DemoSettings(patients=patients, epochs=epochs, processes=processes))
    typer.echo(f"The page: {page}")


@project_app.command("status")
def project_status(project: Folder = Path(), as_json: AsJson = False) -> None:
    """Say what is done, what is stale, and what comes next. Exit status 1 if something is stale.

    Example: `firstread project status`
    """
    opened = open_project(project)
    lines = opened.check_audit()
    statuses = opened.status()
    following = next((s.name for s in statuses if s.state in ("open", "stale")), None)
    if as_json:
        steps = [
            {
                "step": s.name,
                "state": s.state,
                "reason": s.reason,
                "finished": _when(s.record),
                "counts": _counts(s.record),
            }
            for s in statuses
        ]
        print_json({"steps": steps, "next": following, "audit_lines": lines})
    else:
        rows = [
            (s.name, {"done": "ok", "stale": "warning"}.get(s.state, s.state), s.reason or _when(s.record))
            for s in statuses
        ]
        print_table(("step", "state", "remark"), rows)
        typer.echo(
            f"Audit log: {lines} lines, unbroken." + (f" Next: firstread project {following}" if following else "")
        )
    raise typer.Exit(1 if any(s.state == "stale" for s in statuses) else 0)


@project_app.command("index")
def project_index(
    project: Folder = Path(),
    processes: Processes = CORES,
    shard: Shard = "1/1",
    as_json: AsJson = False,
) -> None:
    """Index the archive: what is in it, before anything is done to it. The index lies in the vault.

    Example: `firstread project index --processes 4`
    """
    from firstread.project.index import index_archive

    counts = index_archive(open_project(project), processes=processes, part=parse_shard(shard))
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


def open_project(folder: Path) -> "Project":
    """The project in a folder."""
    from firstread.project.project import Project

    return Project.open(folder)


def parse_shard(text: str) -> tuple[int, int]:
    """I and N of "I/N"."""
    from firstread.core.errors import SettingError

    first, _, count = text.partition("/")
    if not (first.isdigit() and count.isdigit()):
        raise SettingError(f'--shard "{text}" is not possible', expected="I/N, such as 2/8")
    return int(first), int(count)


def _write_phantoms(folder: Path, patients: int, processes: int) -> Path:
    from firstread.phantoms.archive import write_archive

    return write_archive(folder, patients=patients, processes=processes) / "dicom"


def _when(record: object) -> str:
    return str(getattr(record, "finished", "") or "")


def _counts(record: object) -> dict[str, object]:
    return dict(getattr(record, "counts", None) or {})
