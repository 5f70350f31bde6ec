"""Start, stop and find classes; a class runs under its supervisor process."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from firstread.classroom.class_folder import ClassFolder, classes_folder
from firstread.classroom.cluster.cluster_folder import ClusterFolder, find_cluster_class
from firstread.classroom.database.help_requests import help_queue
from firstread.classroom.network_address import has_subdomains, is_loopback
from firstread.classroom.sandbox.sandbox import missing_isolation, readable_parent
from firstread.classroom.shared_folder import prepare_shared_files
from firstread.classroom.startup_watch import ClassError
from firstread.classroom.supervisor import STOP_TIMEOUT_SECONDS, Supervisor
from firstread.classroom.tls_certificates import check_certificate
from firstread.core.errors import DataError, SettingError

_BIND_REMEDIES = {
    errno.EADDRNOTAVAIL: "give this machine's own address with --host, or 0.0.0.0",
    errno.EACCES: "choose a port above 1023 with --port, or start the class as root",
}


def start_class(
    folder: ClassFolder,
    *,
    trust_everyone: bool = False,
    merge_memory: bool = True,
    on_ready: Callable[[], None] = lambda: None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Run a class until it is stopped; the hub is restarted when it ends, and participants' servers keep running.

    Args:
        trust_everyone: serve other computers although participants cannot be isolated from one another on this one.
        merge_memory: merge equal memory pages of kernels when memory is short (Linux, as root).
        on_ready: called once participants can join.
        report: called now and then with what is being started.

    Raises:
        ClassError: it runs already, the port is taken, or other computers would be served without isolation.
    """
    if find_supervisor(folder):
        raise ClassError("The class runs already", where=folder.path, do="see `firstread class status`")
    problem = missing_isolation()
    if problem and not is_loopback(folder.settings.host) and not trust_everyone:
        raise ClassError(
            f"Participants' code cannot be kept apart here: {problem}. So the class is served to this computer only",
            where=f"--host {folder.settings.host}",
            do="use --host 127.0.0.1, or say --trust-everyone if all participants may read one another's files",
        )
    settings = folder.settings
    if not problem:
        _check_secrets_are_hidden(folder)
    domain = settings.subdomain_host
    if settings.certificate:
        for host in (domain, f"*.{domain}") if domain else (settings.host,):
            check_certificate(settings.certificate, settings.key, host=host)
    if domain and not has_subdomains(domain):
        report(
            f"Names below {domain} lead nowhere on this machine. Nobody can open a lesson where they lead nowhere: "
            f"ask IT for a DNS entry *.{domain}, or leave --subdomain-host out."
        )
    _check_port_free(settings.host, settings.port, option="--port")
    _check_port_free(settings.host, settings.instructor_port, option="--instructor-port")
    os.umask(0o077)  # files of the class are readable by its own user only
    folder.store().create()
    prepare_shared_files(folder)
    Supervisor(folder, merge_memory=merge_memory, report=report).run(on_ready)


def _check_secrets_are_hidden(folder: ClassFolder) -> None:
    """Raise ClassError where the class's folder lies in a folder that participants' processes may read."""
    from firstread.classroom.prefork.child_process import shared_read_paths

    if exposed := readable_parent(folder.path / "hub", shared_read_paths(folder)):
        raise ClassError(
            f"The class's secrets would lie in {exposed}, which participants may read",
            where=folder.path,
            do="keep classes elsewhere: set FIRSTREAD_HOME to a folder of your own",
        )


def stop_class(folder: ClassFolder) -> bool:
    """Stop a class with its hub and all servers; its files are kept. False if it was not running."""
    supervisor = find_supervisor(folder)
    if supervisor is None:
        return False
    supervisor.terminate()
    with suppress(psutil.TimeoutExpired):
        supervisor.wait(STOP_TIMEOUT_SECONDS * 3)
    return True


def find_supervisor(folder: ClassFolder) -> psutil.Process | None:
    """The supervisor process of a class; None if the class is not running."""
    with suppress(OSError, ValueError, psutil.Error):
        pid, started_at = folder.pid_file.read_text().split()
        process = psutil.Process(int(pid))
        if abs(process.create_time() - float(started_at)) < 2:
            return process
    return None


def find_class(name: str | None) -> ClassFolder:
    """The class of this name, else the only class, else the only running one.

    Raises:
        DataError: there is no class.
        SettingError: several classes match.
    """
    if name is None and (cluster := find_cluster_class()) is not None:
        return cluster
    folders = [ClassFolder(file.parent) for file in sorted(classes_folder().glob("*/class.json"))]
    if name is not None:
        return ClassFolder(classes_folder() / name)
    if not folders:
        raise DataError("There is no class yet", do="start one: firstread class start --lesson hello-world")
    running = [folder for folder in folders if find_supervisor(folder)]
    candidates = folders if len(folders) == 1 else running
    if len(candidates) != 1:
        raise SettingError(
            "Which class?", expected=", ".join(folder.settings.name for folder in folders), do="say --name"
        )
    return candidates[0]


def _check_port_free(host: str, port: int, *, option: str) -> None:
    """Raise `ClassError` unless this host and port can be bound."""
    import socket

    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ClassError(
            "This name is not known on this machine",
            where=f"--host {host}",
            do="give the machine's address, or a name that leads to it",
        ) from error
    for family, _, _, _, address in addresses:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                remedy = _BIND_REMEDIES.get(error.errno or 0, f"choose another with {option}")
                raise ClassError(f"Port {port} cannot be used ({error.strerror})", where=host, do=remedy) from error


def _is_running(folder: ClassFolder) -> bool:
    # in a cluster this code runs in the class's own pod
    return isinstance(folder, ClusterFolder) or find_supervisor(folder) is not None


def describe_class(folder: ClassFolder) -> dict[str, Any]:
    """Status of a class, as `firstread class status` shows it."""
    store = folder.store()
    store.create()
    settings = folder.settings
    return {
        "name": settings.name,
        "lesson": settings.lesson,
        "running": _is_running(folder),
        "address": folder.public_url,
        "join_code": settings.join_code,
        "dashboard": folder.dashboard_url,
        "instructor_key": settings.instructor_key,
        "door": store.state().door,
        "participants": len(store.participants()),
        "waiting_for_help": len(help_queue(store)),
        "folder": str(folder.path),
    }
