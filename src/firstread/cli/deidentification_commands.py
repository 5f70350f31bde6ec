"""Commands `firstread project deidentify`, `verify`, `reidentify` and `withdraw`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstread.cli.output import AsJson, print_json, print_table
from firstread.cli.passphrase import PassphraseFile, read_passphrase
from firstread.cli.project_commands import CORES, Folder, Processes, Shard, open_project, parse_shard, project_app

if TYPE_CHECKING:
    from firstread.deidentification.verification import Verification
    from firstread.project.project import Project
    from firstread.project.withdrawal import WithdrawalResult

#: as `--option` takes them: the options of PS3.15 section E.3, and "none"
OPTIONS = (
    "clean-pixel-data",
    "clean-recognizable-visual-features",
    "clean-graphics",
    "clean-structured-content",
    "clean-descriptors",
    "retain-full-dates",
    "retain-modified-dates",
    "retain-patient-characteristics",
    "retain-device-identity",
    "retain-uids",
    "retain-safe-private",
    "retain-institution-identity",
)
_OPTION_HELP = (
    "Option of DICOM PS3.15 Annex E, repeated for several: "
    + ", ".join(OPTIONS)
    + "; retain-dates-shifted is another word for retain-modified-dates; none is the basic profile. Default: as "
    "before, at first retain-modified-dates, retain-patient-characteristics, clean-descriptors."
)
Pseudonym = Annotated[str, typer.Argument(metavar="P...", help="Pseudonym of the patient.")]
Reason = Annotated[str, typer.Option(help="Why, in words that name nobody; kept in the audit log.")]
_SHOWN_FINDINGS = 20


@project_app.command("deidentify")
def project_deidentify(  # noqa: PLR0913, PLR0917 - the options of a command
    project: Folder = Path(),
    option: Annotated[list[str] | None, typer.Option(help=_OPTION_HELP)] = None,
    anonymous: Annotated[
        bool | None,
        typer.Option("--anonymous/--pseudonymous", help="Forget the key and remove dates. Default: as before."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Delete the outputs of another profile first.")] = False,
    passphrase_file: PassphraseFile = None,
    processes: Processes = CORES,
    shard: Shard = "1/1",
    ray: Annotated[str | None, typer.Option(help="Address of a Ray cluster that runs the shards, or local.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """De-identify the archive into `20-deidentified`; what no rule is complete for is held back.

    Example: `firstread project deidentify --option retain-dates-shifted --option clean-descriptors`
    """
    from firstread.project.archive_deidentifier import (
        DeidentificationSettings,
        deidentify_archive,
        plan_deidentification,
    )

    opened = open_project(project)
    settings = DeidentificationSettings(
        options=tuple(option) if option else None,
        anonymous=anonymous,
        replace=replace,
        processes=processes,
        part=parse_shard(shard),
        ray=ray,
    )
    planned = plan_deidentification(opened, settings)
    if dry_run:
        _show_plan(planned, as_json=as_json)
        return
    passphrase = None if planned["anonymous"] else read_passphrase(opened, passphrase_file)
    counts = deidentify_archive(opened, passphrase, settings)
    if as_json:
        print_json(counts)
    elif "shards_left" in counts:
        typer.echo(f"{counts['files']:,} files; {counts['shards_left']} shards of other parts are not done yet.")
    else:
        _show_counts(opened, counts)


@project_app.command("verify")
def project_verify(
    project: Folder = Path(), processes: Processes = CORES, shard: Shard = "1/1", as_json: AsJson = False
) -> None:
    """Search every file of the project for every identity value of the originals. Exit status 1 if one is found.

    Example: `firstread project verify`
    """
    from firstread.project.project_verification import to_json, verify_project

    result, left = verify_project(open_project(project), processes=processes, part=parse_shard(shard))
    if result is None:
        typer.echo(f"{left} shards of other parts are not done yet.")
        return
    if as_json:
        print_json(to_json(result))
    else:
        _show_verification(result)
    raise typer.Exit(0 if result.passed else 1)


@project_app.command("reidentify")
def project_reidentify(
    pseudonym: Annotated[str, typer.Argument(metavar="P...", help="Pseudonym of the patient.")] = "",
    reason: Reason = "",
    find: Annotated[
        bool, typer.Option("--find", help="The other way: ask for a PatientID, show its pseudonyms.")
    ] = False,
    project: Folder = Path(),
    passphrase_file: PassphraseFile = None,
) -> None:
    """Show who is behind a pseudonym, in this terminal only; asks for the passphrase, and writes the audit log.

    Example: `firstread project reidentify P0123456789ABCDEF --reason "incidental finding, to be told"`
    """
    import sys

    from firstread.core.errors import SettingError
    from firstread.project.reidentification import find_pseudonyms, reidentify

    if not pseudonym and not find:
        raise SettingError("Whose identity is asked for?", expected="a pseudonym, P...", do="or --find")
    if not sys.stdout.isatty():
        raise SettingError(
            "Identities are shown in a terminal only", do="do not send the output to a file or a program"
        )
    opened = open_project(project)
    reason = reason or str(typer.prompt("Reason, kept in the audit log", err=True))
    passphrase = read_passphrase(opened, passphrase_file)
    if find:
        patient_id = str(typer.prompt("PatientID", hide_input=True, err=True))
        found = find_pseudonyms(opened, passphrase, patient_id, reason=reason)
        typer.echo("\n".join(found) if found else "The vault knows no such PatientID.")
        return
    person = reidentify(opened, passphrase, pseudonym, reason=reason)
    for name, value in person.values.items():
        typer.echo(f"{name}: {value}")
    typer.echo("Shown this once, and kept nowhere. That it was shown stands in the audit log.", err=True)


@project_app.command("withdraw")
def project_withdraw(
    pseudonym: Pseudonym,
    reason: Reason = "",
    project: Folder = Path(),
    passphrase_file: PassphraseFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a patient from the project and its vault, for good, and say which trainings saw them.

    Example: `firstread project withdraw P0123456789ABCDEF --reason "consent withdrawn in writing"`
    """
    from firstread.project.withdrawal import plan_withdrawal, withdraw

    opened = open_project(project)
    if dry_run:
        result = plan_withdrawal(opened, pseudonym)
    else:
        reason = reason or str(typer.prompt("Reason, kept in the audit log", err=True))
        passphrase = read_passphrase(opened, passphrase_file)
        result = withdraw(opened, passphrase, pseudonym, reason=reason)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(result))
        return
    _show_withdrawal(opened, result, dry_run=dry_run)


def _show_plan(planned: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(planned)
        return
    kind = "anonymous" if planned["anonymous"] else "pseudonymous"
    typer.echo(
        f"{planned['files']:,} files of the archive, {kind}, with {', '.join(planned['options']) or 'no option'}."
    )
    typer.echo(f"{planned['outputs']:,} outputs are there already. Nothing was done.")


def _show_counts(project: "Project", counts: dict[str, Any]) -> None:
    typer.echo(f"{counts['files']:,} files: {counts['written']:,} written, {counts['held']:,} held back.")
    if counts["rules"]:
        print_table(("held back by", "files"), [(rule, f"{n:,}") for rule, n in counts["rules"].items()])
        typer.echo("What can be decided about them: firstread project hold list")
    typer.echo(f"Page for a data protection officer: {project.paths['deidentified'] / 'report.html'}")
    typer.echo("Next: firstread project verify")


def _show_verification(result: "Verification") -> None:
    typer.echo(
        f"{result.files:,} files searched for {result.values:,} identity values: {len(result.findings):,} found."
    )
    if result.findings:
        shown = result.findings[:_SHOWN_FINDINGS]
        print_table(("file", "where", "kind"), [(f.file, f.element, f.kind) for f in shown])
        typer.echo("All of them: 20-deidentified/verification.html")


def _show_withdrawal(project: "Project", result: "WithdrawalResult", *, dry_run: bool) -> None:
    verb = "would be removed" if dry_run else "were removed"
    typer.echo(f"{result.files:,} files and {result.rows:,} rows of tables {verb}.")
    if result.runs:
        typer.echo("Trainings that saw the patient; what they learnt cannot be taken out: " + ", ".join(result.runs))
    else:
        typer.echo("No training in firstread's folder notes that it saw the patient.")
    if result.unknown_runs:
        typer.echo(f"{result.unknown_runs} trainings do not say whom they saw; look at their data yourself.")
    typer.echo(
        f"{result.originals:,} originals stay in the archive, which firstread opens read-only: "
        f"{project.settings.archive}. Backups and copies that were given away are not reached either."
    )
