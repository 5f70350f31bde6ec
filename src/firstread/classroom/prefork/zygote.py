"""A process that has imported everything a participant's server or kernel needs, and becomes one by forking, as often as it is asked.

`python -m firstread.classroom.prefork.zygote kernel`, with the class's folder in FIRSTREAD_CLASS. There is one thread in it, so that a fork is whole. It
never runs anybody's code: what is forked shuts itself in (`separation/fence.py`) before it begins.
"""

import gc
import hmac
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.prefork.child_process import become, prepare
from firstread.classroom.prefork.heap_padding import fill_holes
from firstread.classroom.prefork.ksm import MERGING, take_part
from firstread.classroom.prefork.zygote_client import KINDS, Kind, meeting_point, receive, ticket
from firstread.classroom.sandbox.sandbox import countable, python_folders
from firstread.core.errors import FirstreadError

#: nothing was imported; or it was there before and ended, and people wait: the lesson is not gone through
_COLD, _AGAIN = "--cold", "--again"
#: processes of one participant at once; callers that have not said what they want yet
_MOST_EACH, _MOST_CALLERS, _CALLER_SECONDS = {"server": 2, "kernel": 6}, 256, 5.0


class Zygote:
    """Listens, checks, forks, and buries its dead."""

    def __init__(self, folder: ClassFolder, kind: Kind) -> None:
        self.folder, self.kind = folder, kind
        self.children: dict[int, str] = {}
        self.callers: dict[socket.socket, float] = {}
        self.waiting = selectors.DefaultSelector()
        self.parent = os.getppid()
        self.keeper = os.pidfd_open(self.parent)

    def serve(self) -> None:
        """Until it is told to end, or the class's keeper has ended."""
        point = meeting_point(self.folder, self.kind)
        point.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        point.parent.chmod(0o711)
        new = point.with_name(f".{point.name}")
        new.unlink(missing_ok=True)
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.bind(str(new))
        new.chmod(0o666)  # who asks needs a ticket
        self.door.listen(256)
        self.door.setblocking(False)
        self.waiting.register(self.door, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the wait below
        new.replace(point)  # from here on it is found, and answers
        while os.getppid() == self.parent:
            for ready, _ in self.waiting.select(timeout=1.0):
                if ready.fileobj is self.door:
                    self._open()
                else:
                    self._hear(ready.fileobj)
            self._bury()
            self._forget()

    def _open(self) -> None:
        with suppress(BlockingIOError):
            caller, _ = self.door.accept()
            caller.setblocking(False)
            self.callers[caller] = time.monotonic()
            self.waiting.register(caller, selectors.EVENT_READ)

    def _hear(self, caller: socket.socket) -> None:
        handles: list[int] = []
        try:
            packet, handles = receive(caller)
            request = self._checked(packet, handles)
            pid, handle = self._fork(request, handles)
            self.children[pid] = request["username"]
            socket.send_fds(caller, [json.dumps({"pid": pid}).encode()], [handle])
            os.close(handle)
        except FirstreadError as error:
            with suppress(OSError):
                caller.send(json.dumps({"refused": str(error)}).encode())
        except OSError:
            pass
        finally:
            for handle in handles:
                os.close(handle)
            self._drop(caller)

    def _checked(self, packet: bytes, handles: list[int]) -> dict[str, Any]:
        """A request that may be granted.

        Raises:
            FirstreadError: it may not.
        """
        refused = FirstreadError("This is no request of this class")
        try:
            request = json.loads(packet)
            username = str(request["username"])
            right = hmac.compare_digest(
                str(request["ticket"]).encode(), ticket(self.folder, self.kind, username).encode()
            )
            environment = {str(name): str(value) for name, value in request["environment"].items()}
            arguments = [str(one) for one in request["arguments"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise refused from None
        if not right or len(handles) > 1:
            raise refused
        if sum(owner == username for owner in self.children.values()) >= _MOST_EACH[self.kind]:
            raise FirstreadError(
                "You have too many notebooks open", do="shut one down: Running Terminals and Kernels, at the left"
            )
        return {
            "username": username,
            "environment": environment,
            "arguments": arguments,
            "port": int(request.get("port", 0)),
        }

    def _fork(self, request: dict[str, Any], handles: list[int]) -> tuple[int, int]:
        pid = os.fork()
        if pid == 0:
            self._become(request, handles)
        return pid, os.pidfd_open(pid)

    def _become(self, request: dict[str, Any], handles: list[int]) -> NoReturn:
        """In the new process: never comes back."""
        status = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.waiting.close()
            self.door.close()
            for caller in self.callers:
                caller.close()
            become(self.folder, self.kind, request, lifeline=handles[0] if handles else None, keeper=self.keeper)
            status = 0
        except SystemExit as asked:
            status = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _bury(self) -> None:
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self.children.pop(pid, None)

    def _forget(self) -> None:
        """Callers who say nothing do not keep others waiting."""
        late = time.monotonic() - _CALLER_SECONDS
        silent = [caller for caller, since in self.callers.items() if since < late]
        for caller in silent + list(self.callers)[: max(0, len(self.callers) - _MOST_CALLERS)]:
            self._drop(caller)

    def _drop(self, caller: socket.socket) -> None:
        if self.callers.pop(caller, None) is not None:
            self.waiting.unregister(caller)
            caller.close()


def threads() -> int:
    """Of this process, those of libraries counted."""
    return max(len(os.listdir("/proc/self/task")), threading.active_count())


def main() -> None:
    """Serve the class whose folder FIRSTREAD_CLASS names."""
    kind = sys.argv[1]
    if kind not in KINDS:
        raise SystemExit(f"which kind? {' or '.join(KINDS)}")
    folder = ClassFolder(Path(os.environ["FIRSTREAD_CLASS"]))
    if MERGING in sys.argv:
        take_part()
    if _COLD not in sys.argv:
        prepare(kind, folder, with_lesson=_AGAIN not in sys.argv)
        if threads() != 1:  # a fork would not be whole: begin anew, and let each import what it needs after the fork
            sys.stderr.write(
                "What was imported has started a thread, so nothing is imported beforehand; servers and kernels start slowly.\n"
            )
            os.execv(sys.executable, [sys.executable, "-m", "firstread.classroom.prefork.zygote", *sys.argv[1:], _COLD])  # noqa: S606 - ourselves
    python_folders()  # known before the fork, both are looked up once
    countable()
    gc.collect()
    fill_holes()
    gc.freeze()
    Zygote(folder, kind).serve()


if __name__ == "__main__":
    main()
