"""Commands of the group `firstread data`: list, get, show and check datasets."""

from pathlib import Path
from typing import Annotated

import typer

from firstread.cli.output import AsJson, print_json, print_table

data_app = typer.Typer(help="Named data sets and your own folders.", no_args_is_help=True, rich_markup_mode="markdown")


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the named data sets.

    Example: `firstread data list`
    """
    from firstread.datasets.catalogue import CATALOGUE

    rows = [(name, entry.origin.description, entry.origin.license) for name, entry in CATALOGUE.items()]
    if as_json:
        print_json([{"name": n, "description": d, "license": c} for n, d, c in rows])
        return
    print_table(("name", "what it is", "licence"), rows)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="Such as hello-world/openi.")],
    mirror: Annotated[str | None, typer.Option(help="An address or folder to take the files from instead.")] = None,
) -> None:
    """Fetch a data set once; it is read from disk ever after.

    Example: `firstread data get hello-world/openi`
    """
    from firstread.datasets.dataset import open_dataset
    from firstread.datasets.download import download_dataset

    if "/" in name:
        download_dataset(name, mirror=mirror)
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
    from firstread.datasets.dataset import open_dataset

    cohort = open_dataset(name)
    typer.echo(repr(cohort))
    typer.echo(f"Contact sheet: {write_bytes(output, png_bytes(cohort.show(count)))}")


@data_app.command("check")
def data_check(
    name: Annotated[str, typer.Argument(help="Name of a data set, or a path.")],
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report here.")] = None,
    split: Annotated[str | None, typer.Option(help="patient, random or contiguous.")] = None,
    unit: Annotated[str, typer.Option(help="What is one row of DICOM files: frame, or series (a volume).")] = "frame",
    as_json: AsJson = False,
) -> None:
    """Look for copies, leaks, unknown patients, noise, marks, and shortcuts that give the classes away.

    Example: `firstread data check hello-world --report check.html`
    """
    from firstread.curation.data_check import check_data
    from firstread.datasets.dataset import open_dataset

    result = check_data(open_dataset(name, split=split, unit=unit))
    if as_json:
        print_json(result.to_json())
    else:
        typer.echo(str(result))
    if report:
        typer.echo(f"Report: {result.report().write(report)}", err=as_json)
