"""Container entry point of a class on Kubernetes: `python -m firstread.classroom.cluster.entrypoint`.

`... prepare` writes the shared files of an image, `... secret` prints a new class as a Secret, `... serve` runs the
classroom service. The hub is configured in `kubernetes.py`; a participant's pod runs `pod.py`.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from firstread.classroom.class_folder import generate_secrets
from firstread.classroom.cluster.cluster_folder import (
    SECRET_NAME,
    SERVICE_PORT,
    SHARED_FOLDER,
    open_cluster_class,
)
from firstread.core.errors import SettingError
from firstread.lessons.lesson_info import LessonInfo, find_lesson

app = typer.Typer(help="A class on several machines.", no_args_is_help=True)


def make_secret(
    lesson: LessonInfo, *, host: str, data: str, database: str, hub_database: str, name: str
) -> dict[str, Any]:
    """Create the Kubernetes Secret of a new class.

    Args:
        host: name under which participants reach the class, over https.
        data: data set of the lesson.
        database, hub_database: URLs of the databases of the class and of JupyterHub; each has its own migrations.
        name: of the class.

    Raises:
        SettingError: a database is not PostgreSQL, or both are the same.
    """
    for label, url in (("FIRSTREAD_DATABASE", database), ("FIRSTREAD_HUB_DATABASE", hub_database)):
        if not url.startswith("postgresql+psycopg://"):
            raise SettingError(
                "The address of a database is missing or of another kind",
                where=label,
                expected="postgresql+psycopg://USER:PASSWORD@HOST/NAME",
            )
    if database == hub_database:
        raise SettingError("The class and the hub need a database each", where="FIRSTREAD_HUB_DATABASE")
    settings = {"name": name, "lesson": lesson.name, "data": data, "host": host, "port": 443}
    settings["instructor_port"] = 443  # one origin behind the ingress
    settings |= {"certificate": "", "key": "", "database": database, **generate_secrets()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": SECRET_NAME},
        "stringData": {"class.json": json.dumps(settings, indent=2), "hub-database": hub_database},
    }


@app.command()
def secret(
    host: Annotated[str, typer.Option(help="Name under which participants reach the class.")],
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    name: Annotated[str, typer.Option(help="Of the class.")] = "class",
) -> None:
    """Draw code and keys of a new class; print them as a Secret for `kubectl create -f -`.

    Databases: FIRSTREAD_DATABASE, FIRSTREAD_HUB_DATABASE.
    """
    info = find_lesson(lesson)
    manifest = make_secret(
        info,
        host=host,
        data=data or info.values["data"],
        database=os.environ.get("FIRSTREAD_DATABASE", ""),
        hub_database=os.environ.get("FIRSTREAD_HUB_DATABASE", ""),
        name=name,
    )
    typer.echo(json.dumps(manifest, indent=2))


@app.command()
def prepare(
    lesson: Annotated[str, typer.Option(help="Name or number of the lesson.")] = "hello-world",
    data: Annotated[str | None, typer.Option(help="Other data than the lesson's own.")] = None,
    folder: Annotated[Path, typer.Option(help="Where it goes.")] = SHARED_FOLDER,
    with_data: Annotated[bool, typer.Option(help="The hub and the service have no use for the data.")] = True,
) -> None:
    """Write the lesson's notebook, kernel and data into a container image."""
    from firstread.classroom.shared_folder import ContainerImageFolder, ImageSettings, prepare_shared_files

    info = find_lesson(lesson)
    folder.mkdir(parents=True, exist_ok=True)
    prepare_shared_files(
        ContainerImageFolder(folder, ImageSettings(info.name, data or info.values["data"])), with_data=with_data
    )


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Where it listens; in a pod all addresses, which a network policy guards.")
    ] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(min=1, max=65535)] = SERVICE_PORT,
) -> None:
    """Serve the classroom: what `python -m firstread.classroom.service.app` is on one machine."""
    import uvicorn

    from firstread.classroom.service.app import make_app

    folder, store = open_cluster_class()
    uvicorn.run(
        make_app(folder, store=store),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )


def main() -> None:
    """Run a command; a firstread error is printed without a traceback."""
    from firstread.core.errors import FirstreadError

    try:
        app()
    except FirstreadError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
