"""Jupyter kernel provisioner of a class: kernels are forked from a zygote, without the server's secrets."""

import os
import select
import signal
import socket
from pathlib import Path
from subprocess import Popen
from typing import Any, cast

from jupyter_client.provisioning import LocalProvisioner

from firstread.classroom.prefork.zygote_client import ZygoteError, request_process_with_retry

#: environment variables of a server that its kernels do not inherit
SECRET_PREFIXES = ("JUPYTERHUB_", "JPY_API_TOKEN", "FIRSTREAD_KERNEL_TOKEN", "CONFIGPROXY_")


class ForkedKernel:
    """A kernel process forked by the zygote, with the interface of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, pidfd: int, lifeline: socket.socket) -> None:
        self.pid, self.lifeline = pid, lifeline
        self.pidfd: int | None = pidfd
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return code of the process; None while it runs."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until the process has ended, at most `timeout` seconds; None if it still runs."""
        if self.pidfd is not None:
            poller = select.poll()
            poller.register(self.pidfd, select.POLLIN)
            if poller.poll(None if timeout is None else timeout * 1000):
                self.returncode = -1  # only its parent can read the exit status
                os.close(self.pidfd)
                self.pidfd = None
                self.lifeline.close()
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Kill the process on SIGTERM and SIGKILL; no other signal enters its sandbox (interrupts are messages)."""
        if signum in (signal.SIGTERM, signal.SIGKILL):
            self.lifeline.close()

    def kill(self) -> None:
        """Kill the process."""
        self.lifeline.close()

    terminate = kill


class ClassProvisioner(LocalProvisioner):
    """Provisioner of a class's kernels, named `firstread-class` in their kernel.json."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start a kernel without the server's secrets in its environment."""
        environment = kwargs.get("env") or dict(os.environ)
        kept = {name: value for name, value in environment.items() if not name.startswith(SECRET_PREFIXES)}
        socket_file = environment.get("FIRSTREAD_KERNEL_ZYGOTE")
        if not socket_file:
            return await super().launch_kernel(cmd, **{**kwargs, "env": kept})
        kernel = await self._request_kernel(Path(socket_file), cmd, kept)
        self.process = cast("Popen[bytes]", kernel)
        self.pid = kernel.pid
        self.pgid = None
        return self.connection_info

    async def _request_kernel(self, socket_file: Path, cmd: list[str], environment: dict[str, str]) -> ForkedKernel:
        request = {
            "username": os.environ["JUPYTERHUB_USER"],
            "token": os.environ["FIRSTREAD_KERNEL_TOKEN"],
            "environment": environment,
            "arguments": cmd[cmd.index("-f") :],
        }
        own_end, kernel_end = socket.socketpair()
        with kernel_end:
            try:
                pid, pidfd = await request_process_with_retry(socket_file, request, lifeline=kernel_end)
            except ZygoteError:
                own_end.close()
                raise
        return ForkedKernel(pid, pidfd, own_end)
