"""What keeps a class up: the parent of its processes, which starts again what ends, and takes everyone along when it ends itself."""

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

import psutil

from firstread.classroom.certificates import ANYWHERE
from firstread.classroom.class_folder import PREFIX, ClassFolder
from firstread.classroom.prefork.ksm import MERGING, Merging
from firstread.classroom.prefork.zygote_client import KINDS, Kind, warm
from firstread.classroom.sandbox.disk_quota import Space
from firstread.classroom.sandbox.sandbox import missing
from firstread.classroom.sandbox.syscalls import call
from firstread.core.errors import FirstreadError

STOP_SECONDS = 8
_READY_SECONDS = 60
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
#: a server reads and writes whole notebooks: what they took goes back to the system at once (a kernel's trainings would be slowed by it)
_GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}


class ClassError(FirstreadError):
    """A class cannot be started."""


class Keeper:
    """The parent of everything in a class: starts the hub, starts it again, and takes everyone along when it ends.

    Args:
        merge_memory: when memory is short, equal pages of kernels are held once.
    """

    def __init__(self, folder: ClassFolder, *, merge_memory: bool = True) -> None:
        self.folder = folder
        self.space = Space(folder)
        self.merging, self.merge_memory = Merging(folder), merge_memory
        self._ending, self._looked = False, 0.0
        self._warm: dict[Kind, tuple[int, float]] = {}

    def keep(self, ready: Callable[[], None]) -> None:
        """Until somebody ends it.

        Args:
            ready: called once the class can be joined.

        Raises:
            ClassError: it cannot be joined.
        """
        me = psutil.Process()
        self.folder.pid_file.write_text(f"{me.pid} {me.create_time()}")
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
                self._keep_room()
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
            self.merging.end()
            self.folder.pid_file.unlink(missing_ok=True)

    def _keep_warm(self) -> None:
        """Start the warm processes, and start again those that have ended."""
        for kind in () if missing() else KINDS:
            pid, began = self._warm.get(kind, (0, float("-inf")))
            if not (pid and _alive(pid)) and time.monotonic() - began > _PAUSE_SECONDS:
                words = [
                    sys.executable,
                    "-m",
                    "firstread.classroom.prefork.zygote",
                    kind,
                    *(["--again"] if pid else []),
                ]
                words += [MERGING] if self.merge_memory and kind == "kernel" else []
                pid = self._start(
                    words, log=f"{kind}s.log", environment=_QUIET_THREADS | (_GIVE_BACK if kind == "server" else {})
                )
                self._warm[kind] = (pid, time.monotonic())

    def _keep_room(self) -> None:
        """On the disk and in memory."""
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            if self.merge_memory:
                self.merging.look()
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
        _end_all([one for one in psutil.Process().children() if "firstread.classroom.service.app" in _command(one)])
        config = Path(__file__).resolve().parent / "hub" / "config.py"
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
    _, left = psutil.wait_procs(processes, timeout=STOP_SECONDS)
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
        with suppress(OSError):
            call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _bury() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
