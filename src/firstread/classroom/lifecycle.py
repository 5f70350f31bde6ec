"""Starting a class, keeping it up, and ending it."""

import errno
import ipaddress
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from firstread.classroom.certificates import check_certificate
from firstread.classroom.class_folder import ClassFolder, classes_folder
from firstread.classroom.cluster.cluster_folder import ClusterFolder, cluster_class
from firstread.classroom.sandbox.sandbox import missing
from firstread.classroom.shared_folder import prepare_class
from firstread.classroom.supervisor import STOP_SECONDS, ClassError, Keeper
from firstread.core.errors import DataError, SettingError

_REMEDY = {
    errno.EADDRNOTAVAIL: "give this machine's own address with --host, or 0.0.0.0",
    errno.EACCES: "choose a port above 1023 with --port, or start the class as root",
}


def start_class(
    folder: ClassFolder,
    *,
    trust_everyone: bool = False,
    merge_memory: bool = True,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve a class until it is stopped; a hub that dies is started again, and finds everyone where they were.

    Args:
        trust_everyone: serve other computers although participants are not separated from one another on this one.
        merge_memory: when memory is short, equal pages of participants' kernels are held once (Linux, as root).
        ready: called once the class can be joined.

    Raises:
        ClassError: it runs already, the port is taken, or other computers would be served unprotected.
    """
    if running(folder):
        raise ClassError("The class runs already", where=folder.path, do="see `firstread class status`")
    unprotected = missing()
    if unprotected and not _only_this_computer(folder.settings.host) and not trust_everyone:
        raise ClassError(
            f"Participants' code cannot be kept apart here: {unprotected}. So the class is served to this computer only",
            where=f"--host {folder.settings.host}",
            do="use --host 127.0.0.1, or say --trust-everyone if all participants may read one another's files",
        )
    settings = folder.settings
    if settings.certificate:
        check_certificate(settings.certificate, settings.key, host=settings.host)
    _free(settings.host, settings.port)
    os.umask(0o077)  # of everything that a class writes, nobody else on this machine reads a word
    folder.store().create()
    prepare_class(folder)
    Keeper(folder, merge_memory=merge_memory).keep(ready)


def stop_class(folder: ClassFolder) -> bool:
    """End a class, its hub and everyone's servers; what they did is kept. False if it did not run."""
    keeper = running(folder)
    if keeper is None:
        return False
    keeper.terminate()
    with suppress(psutil.TimeoutExpired):
        keeper.wait(STOP_SECONDS * 3)
    return True


def running(folder: ClassFolder) -> psutil.Process | None:
    """The process that keeps this class up, if there is one."""
    with suppress(OSError, ValueError, psutil.Error):
        pid, began = folder.pid_file.read_text().split()
        process = psutil.Process(int(pid))
        if abs(process.create_time() - float(began)) < 2:
            return process
    return None


def find_class(name: str | None) -> ClassFolder:
    """The class of this name, or the only one, or the only one that runs.

    Raises:
        SettingError: there are several.
    """
    if name is None and (cluster := cluster_class()) is not None:
        return cluster
    folders = [ClassFolder(file.parent) for file in sorted(classes_folder().glob("*/class.json"))]
    if name is not None:
        return ClassFolder(classes_folder() / name)
    if not folders:
        raise DataError("There is no class yet", do="start one: firstread class start --lesson hello-world")
    up = [folder for folder in folders if running(folder)]
    chosen = folders if len(folders) == 1 else up
    if len(chosen) != 1:
        raise SettingError(
            "Which class?", expected=", ".join(folder.settings.name for folder in folders), do="say --name"
        )
    return chosen[0]


def _only_this_computer(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _free(host: str, port: int) -> None:
    import socket

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ClassError(
            "This name is not known on this machine",
            where=f"--host {host}",
            do="give the machine's address, or a name that leads to it",
        ) from error
    for family, _, _, _, address in found:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(address)
            except OSError as error:
                remedy = _REMEDY.get(error.errno or 0, "choose another with --port")
                raise ClassError(f"Port {port} cannot be used ({error.strerror})", where=host, do=remedy) from error


def _up(folder: ClassFolder) -> bool:
    return (
        isinstance(folder, ClusterFolder) or running(folder) is not None
    )  # who asks in a cluster asks in the class's own pod


def describe(folder: ClassFolder) -> dict[str, Any]:
    """A class as `firstread class status` shows it."""
    store = folder.store()
    store.create()
    settings = folder.settings
    return {
        "name": settings.name, "lesson": settings.lesson, "running": _up(folder), "address": folder.address,
        "join_code": settings.join_code, "dashboard": folder.dashboard,
        "instructor_key": settings.instructor_key, "door": store.state().door, "participants": len(store.people()),
        "waiting_for_help": len(store.help_queue()), "folder": str(folder.path),
    }  # fmt: skip
