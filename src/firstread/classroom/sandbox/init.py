"""First process (init) of a sandbox: starts the participant's process in it, and ends everything in it with its owner.

    zygote ── launcher ── init ── server or kernel
              (new        (process 1 of its namespace,
              namespaces)  in the sandbox)

The launcher ends at once. Everything in a process namespace is killed by Linux when its init ends, so nothing that a
participant starts can outlive it.
"""

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from firstread.classroom.sandbox.sandbox import Sandbox

_FORWARDED_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def launch_sandboxed(sandbox: Sandbox, main: Callable[[], None], *, owner_fds: Sequence[int] = ()) -> tuple[int, int]:
    """Fork a process that runs `main` in a sandbox, without waiting for it.

    This process must have a single thread and be a subreaper (PR_SET_CHILD_SUBREAPER): the sandbox's init becomes its
    child. No open file but stdin, stdout and stderr is inherited: an open folder would be a way out.

    Args:
        main: runs in the sandbox; its SystemExit gives the exit status.
        owner_fds: pidfds, sockets or pipes of owners; when one is closed or its process ends, so does the sandbox.

    Returns:
        Process id of the launcher, and a pipe for `read_init_pid`.
    """
    read_end, write_end = os.pipe()
    launcher = os.fork()
    if launcher == 0:
        os.close(read_end)
        _exit_after(lambda: _launch(sandbox, main, owner_fds, write_end))
    os.close(write_end)
    return launcher, read_end


def read_init_pid(read_end: int) -> int:
    """Process id of a launched sandbox's init; waits until it is known, and closes the pipe.

    Raises:
        OSError: the system refuses the namespaces or the cgroup; what it said stands on stderr.
    """
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    if not text:
        raise OSError("no sandbox could be made for this process")
    return int(text)


def start_sandboxed(sandbox: Sandbox, main: Callable[[], None], *, owner_fds: Sequence[int] = ()) -> int:
    """`launch_sandboxed`, and wait for the process id of the sandbox's init."""
    launcher, read_end = launch_sandboxed(sandbox, main, owner_fds=owner_fds)
    os.waitpid(launcher, 0)
    return read_init_pid(read_end)


def _launch(sandbox: Sandbox, main: Callable[[], None], owner_fds: Sequence[int], write_end: int) -> None:
    """Launcher: enter new namespaces, fork their init, and tell its process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _close_all_but((0, 1, 2, write_end, *owner_fds))
    sandbox.unshare()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        _exit_after(lambda: _run_init(sandbox, main, owner_fds))
    os.write(write_end, str(pid).encode())


def _run_init(sandbox: Sandbox, main: Callable[[], None], owner_fds: Sequence[int]) -> None:
    """Init: enter the sandbox, fork the participant's process, and wait for its end or that of an owner."""
    sandbox.enter()
    pid = os.fork()
    if pid == 0:
        for fd in owner_fds:
            os.close(fd)
        _exit_after(main)
    signal.signal(signal.SIGCHLD, lambda *_: _reap(pid))
    for number in _FORWARDED_SIGNALS:
        signal.signal(number, lambda number, _: _forward(number, pid))
    _reap(pid)  # it may have ended before the handler was there
    poller = select.poll()
    for fd in owner_fds:
        poller.register(fd, select.POLLIN | select.POLLHUP)
    poller.poll()  # signal handlers run meanwhile
    os._exit(1)


def _close_all_but(kept: Sequence[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with suppress(OSError):  # that of the list itself
                os.close(int(name))


def _reap(main_pid: int) -> None:
    """Reap all children that have ended, orphans included; exit with the status of the participant's process."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == main_pid:
                status = os.waitstatus_to_exitcode(ended[1])
                os._exit(status if status >= 0 else 128 - status)


def _forward(number: int, pid: int, _frame: FrameType | None = None) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _exit_after(main: Callable[[], None]) -> NoReturn:
    """Run `main` and end this forked process, which never returns into the code that it was forked from."""
    status = 1
    try:
        main()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
