"""How a participant's server starts their kernels: forked from the warm one where there is one, and always without the server's secrets."""

import os
import select
import signal
import socket
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from firstread.classroom.prefork.zygote_client import WarmError, ask_patiently

#: of a server's environment, what a kernel does not get
SECRETS = ("JUPYTERHUB_", "JPY_API_TOKEN", "FIRSTREAD_TICKET", "CONFIGPROXY_")


class WarmKernel:
    """A kernel that another process forked for us: what `subprocess.Popen` would be."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, handle: int, lifeline: socket.socket) -> None:
        self.pid, self.lifeline = pid, lifeline
        self.handle: int | None = handle
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it lives."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Until it has ended, or so many seconds are over; then None."""
        if self.handle is not None:
            ready = select.poll()
            ready.register(self.handle, select.POLLIN)
            if ready.poll(None if timeout is None else timeout * 1000):
                self.returncode = -1  # how it ended is known to its parent only
                os.close(self.handle)
                self.handle = None
                self.lifeline.close()
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """End it: it is in a fence of its own, which no other signal passes (interrupts go as messages)."""
        if signum in (signal.SIGTERM, signal.SIGKILL):
            self.lifeline.close()

    def kill(self) -> None:
        """End it at once."""
        self.lifeline.close()

    terminate = kill


class ClassProvisioner(LocalProvisioner):
    """The kernels of a class (named `firstread-class` in the kernel's kernel.json)."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """A kernel without the server's secrets."""
        environment = kwargs.get("env") or dict(os.environ)
        kept = {name: value for name, value in environment.items() if not name.startswith(SECRETS)}
        point = environment.get("FIRSTREAD_WARM_KERNELS")
        if not point:
            return await super().launch_kernel(cmd, **{**kwargs, "env": kept})
        self.process = await self._ask(Path(point), cmd, kept)
        self.pid = self.process.pid
        self.pgid = None
        return self.connection_info

    async def _ask(self, point: Path, cmd: list[str], environment: dict[str, str]) -> WarmKernel:
        request = {
            "username": os.environ["JUPYTERHUB_USER"], "ticket": os.environ["FIRSTREAD_TICKET"], "environment": environment,
            "arguments": cmd[cmd.index("-f") :],
        }  # fmt: skip
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid, handle = await ask_patiently(point, request, lifeline=theirs)
            except WarmError:
                ours.close()
                raise
        return WarmKernel(pid, handle, ours)
