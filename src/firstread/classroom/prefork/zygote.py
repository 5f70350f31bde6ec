"""Zygote: a process with all modules of a Jupyter server or kernel imported, which forks one for each request.

`python -m firstread.classroom.prefork.zygote kernel`, with the class's folder in FIRSTREAD_CLASS. It has a single
thread, so that forks are safe. It never runs participants' code: a forked process enters its sandbox
(`sandbox/sandbox.py`) first.
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
from typing import Any

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.prefork.child_process import build_sandbox, log_progress, preload, run_child
from firstread.classroom.prefork.ksm import MERGING_OPTION, enable_merging
from firstread.classroom.prefork.zygote_client import (
    NO_PRELOAD_OPTION,
    PROCESS_KINDS,
    RESTARTED_OPTION,
    ProcessKind,
    make_request_token,
    receive_packet,
    socket_path,
)
from firstread.classroom.sandbox.init import launch_sandboxed, read_init_pid
from firstread.classroom.sandbox.sandbox import python_folders
from firstread.classroom.sandbox.syscalls import become_subreaper
from firstread.core.errors import FirstreadError

#: processes of one participant at once
_MAX_CHILDREN_EACH = {"server": 2, "kernel": 6}
#: connections without a request
_MAX_CLIENTS, _CLIENT_TIMEOUT_SECONDS = 256, 5.0


class Zygote:
    """Accepts requests on a Unix socket, checks them, forks, and reaps its children.

    A request is a JSON object: `username`, `token` (see `make_request_token`), `environment`, `arguments` of the
    program and, for a server, `port`. The answer is `pid`, with a pidfd, or `refused`, with the reason.
    """

    def __init__(self, folder: ClassFolder, kind: ProcessKind) -> None:
        self.folder, self.kind = folder, kind
        self.children: dict[int, str] = {}
        self.clients: dict[socket.socket, float] = {}
        #: pipe of a sandbox that is being launched -> who waits for it, and whose it is
        self.launches: dict[int, tuple[socket.socket, str]] = {}
        self.selector = selectors.DefaultSelector()
        self.parent_pid = os.getppid()
        self.supervisor_pidfd = os.pidfd_open(self.parent_pid)

    def serve(self) -> None:
        """Handle requests until this process is terminated, or the class's supervisor has ended."""
        self._listen()
        while os.getppid() == self.parent_pid:
            for ready, _ in self.selector.select(timeout=1.0):
                if ready.fileobj is self.listener:
                    self._accept()
                elif isinstance(ready.fileobj, socket.socket):
                    self._handle_request(ready.fileobj)
                elif isinstance(ready.fileobj, int):
                    self._answer(ready.fileobj)
            self._reap_children()
            self._drop_idle_clients()

    def _listen(self) -> None:
        path = socket_path(self.folder, self.kind)
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        path.parent.chmod(0o711)
        temporary = path.with_name(f".{path.name}")
        temporary.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(temporary))
        temporary.chmod(0o666)  # a request needs a token
        self.listener.listen(256)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # interrupts the selector
        temporary.replace(path)  # clients find the socket only when it listens

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            client, _ = self.listener.accept()
            client.setblocking(False)
            self.clients[client] = time.monotonic()
            self.selector.register(client, selectors.EVENT_READ)

    def _handle_request(self, client: socket.socket) -> None:
        """Launch what a client asks for; it is answered when the sandbox has its init."""
        self.selector.unregister(client)
        del self.clients[client]
        fds: list[int] = []
        try:
            packet, fds = receive_packet(client)
            request = self._validate_request(packet, fds)
            sandbox = build_sandbox(self.folder, self.kind, request["username"], port=request["port"])
            owners = (self.supervisor_pidfd, *fds)
            _, pipe = launch_sandboxed(sandbox, lambda: run_child(self.folder, self.kind, request), owner_fds=owners)
            self.launches[pipe] = (client, request["username"])
            self.selector.register(pipe, selectors.EVENT_READ)
        except FirstreadError as error:
            _refuse(client, str(error))
        except OSError as error:
            self._refuse_unstarted(client, error)
        finally:
            for fd in fds:
                os.close(fd)

    def _answer(self, pipe: int) -> None:
        """Tell a client the process that was launched for it; nobody waits for one that cannot be told."""
        self.selector.unregister(pipe)
        client, username = self.launches.pop(pipe)
        try:
            pid = read_init_pid(pipe)
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            self._refuse_unstarted(client, error)
            return
        self.children[pid] = username
        try:
            socket.send_fds(client, [json.dumps({"pid": pid}).encode()], [pidfd])
        except OSError:  # the client has gone
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
        client.close()

    def _refuse_unstarted(self, client: socket.socket, error: OSError) -> None:
        sys.stderr.write(f"No {self.kind} could be started: {error}\n")
        _refuse(client, "This machine could not start your process")

    def _validate_request(self, packet: bytes, fds: list[int]) -> dict[str, Any]:
        """Parse a request and check its token and the participant's number of processes.

        Raises:
            FirstreadError: the request is refused.
        """
        refused = FirstreadError("This is no request of this class")
        try:
            request = json.loads(packet)
            username = str(request["username"])
            token = make_request_token(self.folder, self.kind, username)
            authorized = hmac.compare_digest(str(request["token"]).encode(), token.encode())
            environment = {str(name): str(value) for name, value in request["environment"].items()}
            arguments = [str(argument) for argument in request["arguments"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise refused from None
        if not authorized or len(fds) > 1:
            raise refused
        owners = [*self.children.values(), *(owner for _, owner in self.launches.values())]
        if owners.count(username) >= _MAX_CHILDREN_EACH[self.kind]:
            raise FirstreadError(
                "You have too many notebooks open", do="shut one down: Running Terminals and Kernels, at the left"
            )
        port = int(request.get("port", 0))
        return {"username": username, "environment": environment, "arguments": arguments, "port": port}

    def _reap_children(self) -> None:
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self.children.pop(pid, None)

    def _drop_idle_clients(self) -> None:
        """Close connections that send no request for too long, and the oldest if there are too many."""
        oldest = time.monotonic() - _CLIENT_TIMEOUT_SECONDS
        idle = [client for client, connected in self.clients.items() if connected < oldest]
        for client in idle + list(self.clients)[: max(0, len(self.clients) - _MAX_CLIENTS)]:
            self._close_client(client)

    def _close_client(self, client: socket.socket) -> None:
        if self.clients.pop(client, None) is not None:
            self.selector.unregister(client)
            client.close()


def _refuse(client: socket.socket, reason: str) -> None:
    with suppress(OSError):
        client.send(json.dumps({"refused": reason}).encode())
    client.close()


def count_threads() -> int:
    """Number of threads of this process, including those of C libraries."""
    return max(len(os.listdir("/proc/self/task")), threading.active_count())


def main() -> None:
    """Serve the class whose folder is in FIRSTREAD_CLASS."""
    kind = sys.argv[1]
    if kind not in PROCESS_KINDS:
        raise SystemExit(f"which kind? {' or '.join(PROCESS_KINDS)}")
    folder = ClassFolder(Path(os.environ["FIRSTREAD_CLASS"]))
    if MERGING_OPTION in sys.argv:
        enable_merging()
    if NO_PRELOAD_OPTION not in sys.argv:
        preload(kind, folder, with_lesson=RESTARTED_OPTION not in sys.argv)
        if count_threads() != 1:  # forking would not be safe: start again, each child imports what it needs
            sys.stderr.write(
                "What was imported has started a thread, so nothing is imported beforehand; "
                "servers and kernels start slowly.\n"
            )
            command = [sys.executable, "-m", "firstread.classroom.prefork.zygote", *sys.argv[1:], NO_PRELOAD_OPTION]
            os.execv(sys.executable, command)  # noqa: S606 - ourselves
    python_folders()  # cached before the fork
    become_subreaper()
    gc.collect()
    gc.freeze()
    log_progress("ready")
    Zygote(folder, kind).serve()


if __name__ == "__main__":
    main()
