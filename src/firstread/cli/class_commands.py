"""Commands of the group `firstread class`: run, rehearse and export a class."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firstread.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from firstread.classroom.class_folder import ClassFolder
    from firstread.classroom.rehearsal.load_test_result import LoadTestResult

class_app = typer.Typer(help="A lesson for a room of people.", no_args_is_help=True, rich_markup_mode="markdown")

ClassName = Annotated[str | None, typer.Option("--name", help="Of the class; not needed where there is only one.")]

_HOST_HELP = "The address of this machine that participants reach; 0.0.0.0 for all."
_INSTRUCTOR_PORT_HELP = "The dashboard's own port, which no participant's page shares; default: the next one."
_SUBDOMAIN_HELP = (
    "A name whose subdomains (*.NAME) all lead to this machine: each participant's server then has a name of its own, "
    "and no page of one can reach another's. Worth it where IT can give such a DNS entry and certificate."
)
_MAX_HELP = "Nobody new is let in beyond so many; start the class again with a higher number to let more in."
_TRUST_HELP = "Serve other computers although participants are not kept apart on this one."
_MERGE_HELP = "When memory is short, hold equal pages of participants' kernels once (Linux, as root)."
_NAMES_HELP = "With display names, notes and free answers; by default under pseudonyms."


@class_app.command()
def start(  # noqa: PLR0913, PLR0917 - one argument per command-line option
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    name: Annotated[str, typer.Option(help="Of the class; the same name takes up the class that was there.")] = "class",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    host: Annotated[str, typer.Option(help=_HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    instructor_port: Annotated[int, typer.Option(min=0, max=65535, help=_INSTRUCTOR_PORT_HELP)] = 0,
    subdomain_host: Annotated[str, typer.Option(help=_SUBDOMAIN_HELP)] = "",
    max_participants: Annotated[int, typer.Option(min=1, max=9999, help=_MAX_HELP)] = 200,
    certificate: Annotated[Path | None, typer.Option(help="For https: certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="For https: private key, PEM.")] = None,
    database: Annotated[str, typer.Option(help="Such as postgresql+psycopg://host/name; default: a file.")] = "",
    trust_everyone: Annotated[bool, typer.Option("--trust-everyone", help=_TRUST_HELP)] = False,
    merge_memory: Annotated[bool, typer.Option(help=_MERGE_HELP)] = True,
) -> None:
    """Serve a lesson to a class until Ctrl-C or `firstread class stop`.

    Example: `firstread class start --lesson hello-world`
    """
    _require_classroom_extra()
    from firstread.classroom.class_folder import ClassFolder
    from firstread.classroom.lifecycle import start_class

    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key belong together")
    folder = ClassFolder.create(
        name,
        lesson=lesson,
        data=data,
        host=host,
        port=port,
        instructor_port=instructor_port,
        subdomain_host=subdomain_host,
        max_participants=max_participants,
        database=database,
        certificate=str(certificate.resolve()) if certificate else "",
        key=str(key.resolve()) if key else "",
    )
    typer.echo("Preparing the lesson; the first time this takes a little.")
    on_ready = partial(_print_addresses, folder)
    start_class(folder, trust_everyone=trust_everyone, merge_memory=merge_memory, on_ready=on_ready, report=typer.echo)
    typer.echo(f"The class has ended. Everything is kept in {folder.path}")


@class_app.command()
def status(name: ClassName = None, as_json: AsJson = False) -> None:
    """Show a class: address, code, key, and how many are in it.

    Example: `firstread class status`
    """
    _require_classroom_extra()
    from firstread.classroom.lifecycle import describe_class, find_class

    description = describe_class(find_class(name))
    if as_json:
        print_json(description)
        return
    width = max(map(len, description))
    for label, value in description.items():
        text = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        typer.echo(f"{label.replace('_', ' '):{width}s}  {text}")


@class_app.command()
def stop(name: ClassName = None) -> None:
    """End a class; what people did is kept, and `start` takes it up again.

    Example: `firstread class stop`
    """
    _require_classroom_extra()
    from firstread.classroom.lifecycle import find_class, stop_class

    folder = find_class(name)
    typer.echo("The class has ended." if stop_class(folder) else "The class was not running.")


@class_app.command()
def rehearse(
    participants: Annotated[int, typer.Option(min=1, max=1000, help="How many will come.")] = 20,
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    over_seconds: Annotated[float, typer.Option(min=0, help="They come in spread over so many seconds.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send scripted participants through the lesson, before the day, and say whether this machine will hold.

    Example: `firstread class rehearse --participants 30`
    """
    _require_classroom_extra()
    from firstread.classroom.rehearsal.load_test import run_load_test

    result = run_load_test(
        participants=participants,
        lesson=lesson,
        data=data,
        ramp_up_seconds=over_seconds,
        report=partial(typer.echo, err=True),
    )
    if as_json:
        print_json(result.to_dict())
    else:
        _print_load_test(result)
    raise typer.Exit(1 if result.problems else 0)


def _print_load_test(result: "LoadTestResult") -> None:
    for name, value in result.to_dict().items():
        if name in ("problems", "notes", "will_hold"):
            continue
        text = value
        if isinstance(value, dict):
            text = ", ".join(f"{label} {number}" for label, number in value.items()) or "none"
        typer.echo(f"{name.replace('_', ' '):22s} {text}")
    for note in result.notes:
        typer.echo(f"\nNote: {note}")
    if result.problems:
        typer.echo("\nThis machine will not hold:\n" + "\n".join(result.problems))
    else:
        typer.echo("\nThis machine will hold.")


@class_app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where report and tables go.")],
    name: ClassName = None,
    names: Annotated[bool, typer.Option("--names", help=_NAMES_HELP)] = False,
) -> None:
    """Write a report and a record of the session (HTML), and its tables as CSV and Parquet.

    The tables: participants, events, requests for help, posts of the forum, quiz, survey, runs and engagement.

    Example: `firstread class export my_class`
    """
    _require_classroom_extra()
    from firstread.classroom.lifecycle import find_class
    from firstread.classroom.outcomes.export import export_class

    class_folder = find_class(name)
    store = class_folder.store()
    store.create()  # upgrades the schema of a class of an older version
    for file in export_class(store, folder, lesson=class_folder.lesson, names=names):
        typer.echo(str(file))


@class_app.command()
def links(name: ClassName = None) -> None:
    """Show everyone's personal link, weeks later for the last quiz.

    Who has a link can see that participant's page: send each to its owner only.

    Example: `firstread class links`
    """
    _require_classroom_extra()
    from firstread.classroom.lifecycle import find_class
    from firstread.classroom.service.personal_links import all_personal_links

    folder = find_class(name)
    store = folder.store()
    store.create()
    for display_name, link in all_personal_links(folder, store):
        typer.echo(f"{display_name}\t{link}")


def _print_addresses(folder: "ClassFolder") -> None:
    settings = folder.settings
    typer.echo(
        f"""
The class is open.
  participants   {folder.public_url}   code {settings.join_code}
  instructor     {folder.dashboard_url}   key {settings.instructor_key}
  kept in        {folder.path}
Ctrl-C ends it."""
    )


def _require_classroom_extra() -> None:
    from importlib.util import find_spec

    from firstread.core.errors import SettingError

    libraries = ("jupyterhub", "fastapi", "aiohttp", "sqlalchemy", "segno")
    if missing := [name for name in libraries if find_spec(name) is None]:
        raise SettingError(f"A class needs {', '.join(missing)}", do='pip install "firstread[classroom]"')
