"""Starting a class, keeping it up, and ending it."""

import ctypes
import errno
import ipaddress
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from firstread.classroom.certificates import ANYWHERE, check_certificate
from firstread.classroom.cluster import ClusterFolder, cluster_class
from firstread.classroom.folder import PREFIX, ClassFolder, classes_folder
from firstread.classroom.separation.fence import missing
from firstread.classroom.separation.space import Space
from firstread.classroom.spawning import prepare_class
from firstread.classroom.warm.asking import KINDS, Kind, warm
from firstread.core.errors import DataError, FirstreadError, SettingError

_READY_SECONDS = 60
_STOP_SECONDS = 8
_PR_SET_CHILD_SUBREAPER = 36
#: the warm processes answer within so long, and are not started more often than this
_WARM_SECONDS, _PAUSE_SECONDS = 180, 1.0
_LOOK_SECONDS = 2.0
#: one thread: nothing but that can be forked, what was made ready before the fork fits after it, and as many trainings run side by side as there are cores
_QUIET_THREADS = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "MPLBACKEND": "agg",
    "JE_ARROW_MALLOC_CONF": "background_thread:false", "ARROW_DEFAULT_MEMORY_POOL": "system",
    "THP_MEM_ALLOC_ENABLE": "1",
}  # fmt: skip
_REMEDY = {
    errno.EADDRNOTAVAIL: "give this machine's own address with --host, or 0.0.0.0",
    errno.EACCES: "choose a port above 1023 with --port, or start the class as root",
}


class ClassError(FirstreadError):
    """A class cannot be started."""


def start_class(folder: ClassFolder, *, trust_everyone: bool = False, ready: Callable[[], None] = lambda: None) -> None:
    """Serve a class until it is stopped; a hub that dies is started again, and finds everyone where they were.

    Args:
        trust_everyone: serve other computers although participants are not separated from one another on this one.
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
    _Keeper(folder).keep(ready)


def stop_class(folder: ClassFolder) -> bool:
    """End a class, its hub and everyone's servers; what they did is kept. False if it did not run."""
    keeper = running(folder)
    if keeper is None:
        return False
    keeper.terminate()
    with suppress(psutil.TimeoutExpired):
        keeper.wait(_STOP_SECONDS * 3)
    return True


def running(folder: ClassFolder) -> psutil.Process | None:
    """The process that keeps this class up, if there is one."""
    with suppress(OSError, ValueError, psutil.Error):
        pid, began = _pid_file(folder).read_text().split()
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


class _Keeper:
    """The parent of everything in a class: starts the hub, starts it again, and takes everyone along when it ends."""

    def __init__(self, folder: ClassFolder) -> None:
        self.folder = folder
        self.space = Space(folder)
        self._ending, self._looked = False, 0.0
        self._warm: dict[Kind, tuple[int, float]] = {}

    def keep(self, ready: Callable[[], None]) -> None:
        me = psutil.Process()
        _pid_file(self.folder).write_text(f"{me.pid} {me.create_time()}")
        _adopt_orphans()
        before = {number: signal.signal(number, self._end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._keep_warm()
            self._wait_until_warm()
            hub, began, told = self._start_hub(), time.monotonic(), False
            while not self._ending:
                time.sleep(0.2)
                _bury()
                self._keep_warm()
                self._keep_space()
                if not told and self._answers():
                    told = True
                    ready()
                if not told and time.monotonic() - began > _READY_SECONDS:
                    raise ClassError("The hub did not start", where=self._log, do="look at the last lines of this file")
                if not _alive(hub):
                    if not told:
                        raise ClassError(
                            "The hub ended at once", where=self._log, do="look at the last lines of this file"
                        )
                    time.sleep(0.5)
                    hub = self._start_hub()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            _end_all(me.children(recursive=True))
            _pid_file(self.folder).unlink(missing_ok=True)

    def _keep_warm(self) -> None:
        """Start the warm processes, and start again those that have ended."""
        for kind in () if missing() else KINDS:
            pid, began = self._warm.get(kind, (0, float("-inf")))
            if not (pid and _alive(pid)) and time.monotonic() - began > _PAUSE_SECONDS:
                words = [sys.executable, "-m", "firstread.classroom.warm.zygote", kind, *(["--again"] if pid else [])]
                pid = self._start(words, log=f"{kind}s.log", environment=_QUIET_THREADS)
                self._warm[kind] = (pid, time.monotonic())

    def _keep_space(self) -> None:
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            for username in self.space.look():
                with open(self._log, "a", encoding="utf-8") as log:
                    log.write(
                        f"{username} had filled more of the disk than a participant may; their kernels were stopped.\n"
                    )

    def _wait_until_warm(self) -> None:
        end = time.monotonic() + _WARM_SECONDS
        while not self._ending and not missing() and not all(warm(self.folder, kind) for kind in KINDS):
            time.sleep(0.2)
            _bury()
            self._keep_warm()
            if time.monotonic() > end:
                raise ClassError(
                    "The processes that servers and kernels are forked from did not start",
                    where=self.folder.path / "log", do="look at the last lines of servers.log and kernels.log",
                )  # fmt: skip

    def _end(self, _: int, __: FrameType | None) -> None:
        self._ending = True

    @property
    def _log(self) -> Path:
        return self.folder.path / "log" / "hub.log"

    def _start_hub(self) -> int:
        """A hub, after what is left of one before: its service would keep the port, with a token that the new hub does not know."""
        _end_all([one for one in psutil.Process().children() if "firstread.classroom.service" in _command(one)])
        config = Path(__file__).resolve().parent / "hub_config.py"
        return self._start([sys.executable, "-m", "jupyterhub", "-f", str(config)], log=self._log.name)

    def _start(self, words: list[str], *, log: str, environment: Mapping[str, str] | None = None) -> int:
        """A process of the class, in a session of its own."""
        whole = {
            **os.environ, **(environment or {}), "FIRSTREAD_CLASS": str(self.folder.path),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }  # fmt: skip
        with open(self.folder.path / "log" / log, "ab") as written:
            return subprocess.Popen(  # noqa: S603 - our own command, no shell
                words, cwd=self.folder.path / "hub", env=whole, stdout=written, stderr=written, stdin=subprocess.DEVNULL,
                umask=0o077, start_new_session=True,
            ).pid  # fmt: skip

    def _answers(self) -> bool:
        """True if hub and service can be reached where participants reach them."""
        settings = self.folder.settings
        host = "127.0.0.1" if settings.host in ANYWHERE else settings.host
        context = ssl._create_unverified_context() if settings.certificate else None  # noqa: S323 - our own, a moment after its start
        for path in ("/hub/health", f"{PREFIX}/login"):
            address = f"{self.folder.scheme}://{host}:{settings.port}{path}"
            try:
                with urllib.request.urlopen(address, timeout=2, context=context) as answer:  # noqa: S310 - an address of this machine
                    if answer.status != 200:
                        return False
            except (OSError, urllib.error.URLError):
                return False
        return True


def _end_all(processes: list[psutil.Process]) -> None:
    """Ask all to end, and make those end that do not."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=2)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _adopt_orphans() -> None:
    """On Linux: the servers of a hub that was killed become this process's children, so that none is left behind at the end."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _bury() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


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


def _pid_file(folder: ClassFolder) -> Path:
    return folder.path / "hub" / "pid"


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
