"""`firstread class ...`. Each command is a few lines around a function that a program could call as well."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firstread.classroom.class_folder import ClassFolder

class_app = typer.Typer(help="A lesson for a room of people.", no_args_is_help=True, rich_markup_mode="markdown")

Name = Annotated[str | None, typer.Option("--name", help="Of the class; not needed where there is only one.")]


@class_app.command()
def start(  # noqa: PLR0913, PLR0917 - an option each
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    name: Annotated[str, typer.Option(help="Of the class; the same name takes up the class that was there.")] = "class",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    host: Annotated[
        str, typer.Option(help="The address of this machine that participants reach; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    certificate: Annotated[Path | None, typer.Option(help="For https: certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="For https: private key, PEM.")] = None,
    database: Annotated[str, typer.Option(help="Such as postgresql+psycopg://host/name; default: a file.")] = "",
    trust_everyone: Annotated[
        bool,
        typer.Option(
            "--trust-everyone", help="Serve other computers although participants are not kept apart on this one."
        ),
    ] = False,
    merge_memory: Annotated[
        bool,
        typer.Option(help="When memory is short, hold equal pages of participants' kernels once (Linux, as root)."),
    ] = True,
) -> None:
    """Serve a lesson to a class until Ctrl-C or `firstread class stop`.

    Example: `firstread class start --lesson hello-world`
    """
    _needs_the_extra()
    from firstread.classroom.class_folder import ClassFolder
    from firstread.classroom.lifecycle import start_class

    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key belong together")
    folder = ClassFolder.make(
        name, lesson=lesson, data=data, host=host, port=port, database=database,
        certificate=str(certificate.resolve()) if certificate else "", key=str(key.resolve()) if key else "",
    )  # fmt: skip
    typer.echo("Preparing the lesson; the first time this takes a little.")
    start_class(folder, trust_everyone=trust_everyone, merge_memory=merge_memory, ready=lambda: _tell(folder))
    typer.echo(f"The class has ended. Everything is kept in {folder.path}")


@class_app.command()
def status(
    name: Name = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False
) -> None:
    """Show a class: address, code, key, and how many are in it.

    Example: `firstread class status`
    """
    _needs_the_extra()
    from firstread.classroom.lifecycle import describe, find_class

    found = describe(find_class(name))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    width = max(map(len, found))
    for label, value in found.items():
        shown = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        typer.echo(f"{label.replace('_', ' '):{width}s}  {shown}")


@class_app.command()
def stop(name: Name = None) -> None:
    """End a class; what people did is kept, and `start` takes it up again.

    Example: `firstread class stop`
    """
    _needs_the_extra()
    from firstread.classroom.lifecycle import find_class, stop_class

    folder = find_class(name)
    typer.echo("The class has ended." if stop_class(folder) else "The class was not running.")


@class_app.command()
def rehearse(
    participants: Annotated[int, typer.Option(min=1, max=1000, help="How many will come.")] = 20,
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    over_seconds: Annotated[float, typer.Option(min=0, help="They come in spread over so many seconds.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Send scripted participants through the lesson, before the day, and say whether this machine will hold.

    Example: `firstread class rehearse --participants 30`
    """
    _needs_the_extra()
    from firstread.classroom.rehearsal.load_test import rehearse as go

    found = go(
        participants=participants, lesson=lesson, data=data, over_seconds=over_seconds,
        tell=lambda words: typer.echo(words, err=True),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found.plain(), indent=2))
    else:
        for name, value in found.plain().items():
            several = isinstance(value, dict)
            shown = (", ".join(f"{label} {one}" for label, one in value.items()) or "none") if several else value
            if name not in ("misgivings", "will_hold"):
                typer.echo(f"{name.replace('_', ' '):22s} {shown}")
        typer.echo(
            "\nThis machine will hold."
            if not found.misgivings
            else "\nThis machine will not hold:\n" + "\n".join(found.misgivings)
        )
    raise typer.Exit(1 if found.misgivings else 0)


@class_app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where report and tables go.")],
    name: Name = None,
    names: Annotated[
        bool, typer.Option("--names", help="With display names, notes and free answers; by default under pseudonyms.")
    ] = False,
) -> None:
    """Write a report of the session (HTML), and participants, events, quiz, survey, runs and requests for help as CSV and Parquet.

    Example: `firstread class export my_class`
    """
    _needs_the_extra()
    from firstread.classroom.lifecycle import find_class
    from firstread.classroom.outcomes.export import export_class

    found = find_class(name)
    store = found.store()
    store.create()  # a class of an older version is brought along
    for file in export_class(store, folder, lesson=found.lesson, names=names):
        typer.echo(str(file))


@class_app.command()
def links(name: Name = None) -> None:
    """Show everyone's personal link, weeks later for the last quiz. Who has a link can see that participant's page: send each to its owner only.

    Example: `firstread class links`
    """
    _needs_the_extra()
    from firstread.classroom.lifecycle import find_class
    from firstread.classroom.service.personal_links import everyones_links

    folder = find_class(name)
    store = folder.store()
    store.create()
    for shown, address in everyones_links(folder, store):
        typer.echo(f"{shown}\t{address}")


def _tell(folder: "ClassFolder") -> None:
    settings = folder.settings
    typer.echo(
        f"""
The class is open.
  participants   {folder.address}   code {settings.join_code}
  instructor     {folder.dashboard}   key {settings.instructor_key}
  kept in        {folder.path}
Ctrl-C ends it."""
    )


def _needs_the_extra() -> None:
    from importlib.util import find_spec

    from firstread.core.errors import SettingError

    if missing := [
        part for part in ("jupyterhub", "fastapi", "aiohttp", "sqlalchemy", "segno") if find_spec(part) is None
    ]:
        raise SettingError(f"A class needs {', '.join(missing)}", do='pip install "firstread[classroom]"')
