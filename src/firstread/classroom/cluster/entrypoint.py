"""Entry point of a class's containers and its Kubernetes Secret: `python -m firstread.classroom.cluster.entrypoint`.

`... prepare` fills an image, `... secret` draws what is secret, `... serve` is the classroom service. The hub's side is
`kubernetes.py`, the participant's `pod.py`.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from firstread.classroom.class_folder import new_secrets
from firstread.classroom.cluster.cluster_folder import (
    NAME,
    PORT,
    SHARED,
    open_cluster_class,
)
from firstread.core.errors import SettingError
from firstread.lessons.lesson_info import LessonInfo, find_lesson

app = typer.Typer(help="A class on several machines.", no_args_is_help=True)


def make_secret(
    lesson: LessonInfo, *, host: str, data: str, database: str, hub_database: str, name: str
) -> dict[str, Any]:
    """A new class as a Secret for Kubernetes.

    Args:
        host: name under which participants reach the class, over https.
        data: that the lesson runs on.
        database, hub_database: of the class and of JupyterHub; two, because each keeps its own account of its versions.
        name: of the class.

    Raises:
        SettingError: the databases are no PostgreSQL, or one and the same.
    """
    for label, url in (("FIRSTREAD_DATABASE", database), ("FIRSTREAD_HUB_DATABASE", hub_database)):
        if not url.startswith("postgresql+psycopg://"):
            raise SettingError("The address of a database is missing or of another kind", where=label,
                               expected="postgresql+psycopg://USER:PASSWORD@HOST/NAME")  # fmt: skip
    if database == hub_database:
        raise SettingError("The class and the hub need a database each", where="FIRSTREAD_HUB_DATABASE")
    settings = {
        "name": name, "lesson": lesson.name, "data": data, "host": host, "port": 443, "certificate": "", "key": "",
        "database": database, **new_secrets(),
    }  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": NAME},
        "stringData": {"class.json": json.dumps(settings, indent=2), "hub-database": hub_database},
    }  # fmt: skip


@app.command()
def secret(
    host: Annotated[str, typer.Option(help="Name under which participants reach the class.")],
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    name: Annotated[str, typer.Option(help="Of the class.")] = "class",
) -> None:
    """Draw code and keys of a new class; print them as a Secret for `kubectl create -f -`. Databases: FIRSTREAD_DATABASE, FIRSTREAD_HUB_DATABASE."""
    info = find_lesson(lesson)
    made = make_secret(
        info, host=host, data=data or info.values["data"], name=name,
        database=os.environ.get("FIRSTREAD_DATABASE", ""), hub_database=os.environ.get("FIRSTREAD_HUB_DATABASE", ""),
    )  # fmt: skip
    typer.echo(json.dumps(made, indent=2))


@app.command()
def prepare(
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    folder: Annotated[Path, typer.Option(help="Where it goes.")] = SHARED,
    with_data: Annotated[bool, typer.Option(help="The hub and the service have no use for the data.")] = True,
) -> None:
    """Put the lesson's notebook, kernel and data into an image."""
    from firstread.classroom.shared_folder import ImageFolder, LessonChoice, prepare_class

    info = find_lesson(lesson)
    folder.mkdir(parents=True, exist_ok=True)
    prepare_class(ImageFolder(folder, LessonChoice(info.name, data or info.values["data"])), with_data=with_data)


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Where it listens; in a pod all addresses, which a network policy guards.")
    ] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(min=1, max=65535)] = PORT,
) -> None:
    """Serve the classroom: what `python -m firstread.classroom.service.app` is on one machine."""
    import uvicorn

    from firstread.classroom.service.app import make_app

    folder, store = open_cluster_class()
    uvicorn.run(
        make_app(folder, store=store), host=host, port=port, log_level="warning", access_log=False, server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=2,
    )  # fmt: skip


def main() -> None:
    """Run a command; a mistake ends in one paragraph."""
    from firstread.core.errors import FirstreadError

    try:
        app()
    except FirstreadError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
