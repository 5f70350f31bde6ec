"""Command `firstread project clinical`."""

from pathlib import Path
from typing import Annotated

import typer

from firstread.cli.output import AsJson, print_json, print_table
from firstread.cli.passphrase import PassphraseFile, read_passphrase
from firstread.cli.project_commands import Folder, open_project, project_app


@project_app.command("clinical")
def project_clinical(
    table: Annotated[Path, typer.Argument(help="CSV with one row a patient; it is only read.")],
    id_column: Annotated[str, typer.Option(help="Column of the patients' identifiers.")],
    project: Folder = Path(),
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Column that stays although it looks identifying, if no value names anybody; repeated."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come out, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Join the department's clinical table to the pseudonyms: no names, days instead of dates. Optional.

    Example: `firstread project clinical tumour-board.csv --id-column patient_id`
    """
    from firstread.project.clinical_table import join_clinical

    opened = open_project(project)
    passphrase = None if opened.settings.deidentified else read_passphrase(opened, passphrase_file)
    counts = join_clinical(
        opened, table, id_column=id_column, passphrase=passphrase, keep=tuple(keep or ()), dry_run=dry_run
    )
    if as_json:
        print_json(counts)
        return
    typer.echo(
        f"{counts['matched']:,} of {counts['rows']:,} rows are of {counts['patients']:,} patients of the archive; "
        f"{counts['unmatched']:,} are of nobody in it, {counts['ambiguous']:,} of several, "
        f"{counts['without_identifier']:,} state no identifier. "
        f"{counts['archive_patients_without_row']:,} patients of the archive have no row."
    )
    typer.echo(f"Columns: {', '.join(counts['columns']) or 'none'}")
    if counts["dropped"]:
        print_table(("dropped", "because"), list(counts["dropped"].items()))
