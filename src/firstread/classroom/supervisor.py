"""Supervisor of a class: the parent process that starts and restarts proxy, hub and zygotes, and stops them all."""

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
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import cast

import psutil

from firstread.classroom.class_folder import SERVICE_PREFIX, ClassFolder
from firstread.classroom.network_address import WILDCARD_HOSTS
from firstread.classroom.prefork.ksm import MERGING_OPTION, KsmController
from firstread.classroom.prefork.zygote_client import PROCESS_KINDS, RESTARTED_OPTION, ProcessKind, is_zygote_ready
from firstread.classroom.proxy.proxy_files import routes_file
from firstread.classroom.sandbox.cgroups import class_cgroup
from firstread.classroom.sandbox.disk_quota import DiskQuota
from firstread.classroom.sandbox.memory_quota import MemoryQuota
from firstread.classroom.sandbox.sandbox import missing_isolation
from firstread.classroom.sandbox.syscalls import become_subreaper
from firstread.classroom.startup_watch import ClassError, StartupWatch, last_line

#: how long processes may take to end before they are killed
STOP_TIMEOUT_SECONDS = 8
#: a process that has ended so often before it was ready will not start
_MAX_STARTS = 3
#: shortest time between two starts of a process, and between two checks of disk and memory
_RESTART_INTERVAL_SECONDS, _CHECK_INTERVAL_SECONDS = 1.0, 2.0
#: log of each process, in the class's folder "log"
_LOGS = {"proxy": "proxy.log", "hub": "hub.log", "server": "servers.log", "kernel": "kernels.log"}
#: one thread: only a single-threaded process can be forked, preloaded state stays valid in the children, and as many
#: trainings run in parallel as there are cores
_SINGLE_THREAD_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MPLBACKEND": "agg",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "THP_MEM_ALLOC_ENABLE": "1",
}
#: servers read and write whole notebooks: malloc returns that memory to the system at once (it would slow trainings)
_MALLOC_TRIM_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}


@dataclass(frozen=True)
class _Started:
    """Last start of a process: its id (0 for none yet), when, and how often it was started."""

    pid: int = 0
    time: float = float("-inf")
    starts: int = 0


class Supervisor:
    """Parent of all processes of a class: restarts proxy, hub and zygotes, and terminates all at the end.

    Args:
        merge_memory: merge equal memory pages of kernels when memory is short.
        report: called now and then with what is being started.
    """

    def __init__(
        self, folder: ClassFolder, *, merge_memory: bool = True, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self.folder, self.report = folder, report
        self.disk_quota, self.memory_quota = DiskQuota(folder), MemoryQuota(folder)
        self.ksm, self.merge_memory = KsmController(folder), merge_memory
        self._stopping, self._last_check = False, 0.0
        self._processes: dict[str, _Started] = {}

    def run(self, on_ready: Callable[[], None]) -> None:
        """Run the class until SIGTERM or SIGINT.

        Args:
            on_ready: called once participants can join.

        Raises:
            ClassError: a process did not start.
        """
        process = psutil.Process()
        self.folder.pid_file.write_text(f"{process.pid} {process.create_time()}")
        if sys.platform == "linux":
            become_subreaper()  # servers of a killed hub become this process's children, and end with it
        routes_file(self.folder).unlink(missing_ok=True)  # of servers that have ended
        old_handlers = {number: signal.signal(number, self._request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            zygotes = () if missing_isolation() else PROCESS_KINDS
            self._wait_until(self._are_zygotes_ready, "Servers and kernels", ("proxy", *zygotes))
            self._wait_until(self._is_reachable, "The hub", ("proxy", *zygotes, "hub"))
            if not self._stopping:
                on_ready()
            while not self._stopping:
                time.sleep(0.2)
                self._ensure_processes("proxy", *zygotes, "hub")
                self._check_resources()
        finally:
            for number, handler in old_handlers.items():
                signal.signal(number, handler)
            _terminate_all(process.children(recursive=True))
            self.ksm.restore()
            class_cgroup(self.folder.cgroup_name).remove()
            self.folder.pid_file.unlink(missing_ok=True)

    def _wait_until(self, is_ready: Callable[[], bool], what: str, names: tuple[str, ...]) -> None:
        """Wait until processes are ready, as long as something moves.

        Raises:
            ClassError: nothing moves any more, or a process ends again and again.
        """
        logs = {_LOGS[name]: self._log(name) for name in names if name not in self._processes}
        watch = StartupWatch(what, logs, report=self.report)
        while not self._stopping:
            self._ensure_processes(*names)
            if is_ready():
                return
            watch.check([self._processes[name].pid for name in names])
            for name in names:
                if self._processes[name].starts > _MAX_STARTS:
                    log = self._log(name)
                    message = f"{what} did not start: the process ended {_MAX_STARTS} times. {last_line(log)}"
                    raise ClassError(message, where=log, do="look at the last lines of this file")
            time.sleep(0.2)

    def _ensure_processes(self, *names: str) -> None:
        """Start processes, and restart those that have ended."""
        _reap_children()
        for name in names:
            last = self._processes.get(name, _Started())
            if not (last.pid and _is_alive(last.pid)) and time.monotonic() - last.time > _RESTART_INTERVAL_SECONDS:
                start = {"proxy": self._start_proxy, "hub": self._start_hub}.get(name)
                pid = start() if start else self._start_zygote(cast("ProcessKind", name), restarted=last.pid != 0)
                self._processes[name] = _Started(pid, time.monotonic(), last.starts + 1)

    def _start_proxy(self) -> int:
        return self._start_process([sys.executable, "-m", "firstread.classroom.proxy"], log=_LOGS["proxy"])

    def _start_zygote(self, kind: ProcessKind, *, restarted: bool) -> int:
        command = [sys.executable, "-m", "firstread.classroom.prefork.zygote", kind]
        command += [RESTARTED_OPTION] if restarted else []
        command += [MERGING_OPTION] if self.merge_memory and kind == "kernel" else []
        environment = _SINGLE_THREAD_ENVIRONMENT | (_MALLOC_TRIM_ENVIRONMENT if kind == "server" else {})
        return self._start_process(command, log=_LOGS[kind], environment=environment)

    def _check_resources(self) -> None:
        """Adapt KSM to the available memory, and enforce the quotas of disk and memory."""
        if time.monotonic() - self._last_check > _CHECK_INTERVAL_SECONDS:
            self._last_check = time.monotonic()
            if self.merge_memory:
                self.ksm.update()
            for resource, quota in (("disk", self.disk_quota), ("memory", self.memory_quota)):
                for username in quota.enforce():
                    with open(self._log("hub"), "a", encoding="utf-8") as log:
                        log.write(
                            f"{username} used more {resource} than a participant may; their kernels were stopped.\n"
                        )

    def _are_zygotes_ready(self) -> bool:
        return missing_isolation() != "" or all(is_zygote_ready(self.folder, kind) for kind in PROCESS_KINDS)

    def _request_stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True

    def _log(self, name: str) -> Path:
        return self.folder.path / "log" / _LOGS[name]

    def _start_hub(self) -> int:
        """Start the hub, after terminating an earlier hub's service, which would keep the port with an old token."""
        children = psutil.Process().children()
        _terminate_all([child for child in children if "firstread.classroom.service.app" in _command_line(child)])
        config = Path(__file__).resolve().parent / "hub" / "jupyterhub_config.py"
        return self._start_process([sys.executable, "-m", "jupyterhub", "-f", str(config)], log=_LOGS["hub"])

    def _start_process(self, command: list[str], *, log: str, environment: Mapping[str, str] | None = None) -> int:
        """Start a process of the class in its own session; returns its pid."""
        full_environment = {**os.environ, **(environment or {}), "FIRSTREAD_CLASS": str(self.folder.path)}
        full_environment["PYTHONSAFEPATH"] = "1"  # the working folder, with the hub's secrets, is not on sys.path
        full_environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        with open(self.folder.path / "log" / log, "ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own command, no shell
                command,
                cwd=self.folder.path / "hub",
                env=full_environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                umask=0o077,
                start_new_session=True,
            ).pid

    def _is_reachable(self) -> bool:
        """True if the hub and the service answer at the class's public address."""
        settings = self.folder.settings
        host = "127.0.0.1" if settings.host in WILDCARD_HOSTS else settings.host
        # our own server on this machine: its certificate was checked before the start
        context = ssl._create_unverified_context() if settings.certificate else None  # noqa: S323
        for port, path in ((settings.port, "/hub/health"), (settings.instructor_port, f"{SERVICE_PREFIX}/login")):
            url = f"{self.folder.scheme}://{host}:{port}{path}"
            headers = {"Host": f"{settings.subdomain_host}:{port}"} if settings.subdomain_host else {}
            request = urllib.request.Request(url, headers=headers)  # noqa: S310 - this machine
            try:
                with urllib.request.urlopen(request, timeout=2, context=context) as response:  # noqa: S310
                    if response.status != 200:
                        return False
            except (OSError, urllib.error.URLError):
                return False
        return True


def _terminate_all(processes: list[psutil.Process]) -> None:
    """Terminate processes, and kill those that do not end in time."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_SECONDS)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=2)


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _reap_children() -> None:
    """Reap all children that have ended, adopted ones included."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
