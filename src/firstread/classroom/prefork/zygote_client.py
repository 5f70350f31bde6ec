"""Client of a zygote: request a forked server or kernel process over a Unix socket, one packet each way."""

import array
import asyncio
import hashlib
import hmac
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.sandbox.cgroups import ProcessKind
from firstread.core.errors import FirstreadError

TokenKind = Literal["server", "kernel", "queue"]
PROCESS_KINDS: tuple[ProcessKind, ...] = ("server", "kernel")
#: command-line options of a zygote: import nothing before the fork; restarted, so do not run the lesson (users wait)
NO_PRELOAD_OPTION, RESTARTED_OPTION = "--no-preload", "--restarted"
MAX_PACKET_BYTES = 128 * 1024
# a zygote that ends closes the connection at once; one that is busy is waited for, not asked twice
_TIMEOUT_SECONDS, _RETRY_SECONDS = 110, 60


class ZygoteError(FirstreadError):
    """A zygote did not fork a process."""


class ZygoteUnavailableError(ZygoteError):
    """No zygote is listening at this moment."""


def socket_path(folder: ClassFolder, kind: ProcessKind) -> Path:
    """The Unix socket of a class's zygote."""
    return folder.sockets_folder / "zygotes" / kind


def make_request_token(folder: ClassFolder, kind: TokenKind, username: str) -> str:
    """HMAC that authorizes one participant's requests, for processes or to the queue; made with the class key."""
    return hmac.new(bytes.fromhex(folder.settings.class_key), f"{kind}:{username}".encode(), hashlib.sha256).hexdigest()


def request_process(
    socket_file: Path, request: dict[str, Any], *, lifeline: socket.socket | None = None
) -> tuple[int, int]:
    """Let a zygote fork a process.

    Args:
        socket_file: of the zygote.
        request: see `zygote.Zygote`.
        lifeline: one end of a socket pair, passed to the process, which ends when the other end is closed.

    Returns:
        The process's id, and a file descriptor of it (pidfd), which the caller closes.

    Raises:
        ZygoteError: no zygote is listening, or it refused the request.
    """
    packet = json.dumps(request).encode()
    if len(packet) > MAX_PACKET_BYTES:
        raise ZygoteError("The environment is too large", expected=f"less than {MAX_PACKET_BYTES} bytes")
    reply, fds = _exchange_packets(socket_file, packet, [lifeline.fileno()] if lifeline else [])
    if not reply:
        raise ZygoteUnavailableError(
            "The warm process ended while it was asked", do="it is started again by itself; try again"
        )
    answer = json.loads(reply)
    if "pid" not in answer or len(fds) != 1:
        for fd in fds:
            os.close(fd)
        raise ZygoteError(answer.get("refused", "The warm process gave no process"))
    return answer["pid"], fds[0]


async def request_process_with_retry(
    socket_file: Path, request: dict[str, Any], *, lifeline: socket.socket | None = None
) -> tuple[int, int]:
    """`request_process`, repeated for up to a minute while the zygote is being restarted.

    Raises:
        ZygoteError: the zygote refused the request, or was not restarted in time.
    """
    deadline = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            return await asyncio.to_thread(request_process, socket_file, request, lifeline=lifeline)
        except ZygoteUnavailableError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.3)


def receive_packet(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Receive one packet and the file descriptors passed with it (closed on exec)."""
    fds = array.array("i")
    ancillary_bytes = socket.CMSG_SPACE(4 * fds.itemsize)
    packet, ancillary, _, _ = connection.recvmsg(MAX_PACKET_BYTES, ancillary_bytes, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return packet, list(fds)


def is_zygote_ready(folder: ClassFolder, kind: ProcessKind) -> bool:
    """True if a zygote accepts connections."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(1)
        connection.connect(str(socket_path(folder, kind)))
        return True
    return False


def _exchange_packets(socket_file: Path, packet: bytes, fds: list[int]) -> tuple[bytes, list[int]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        try:
            connection.connect(str(socket_file))
            socket.send_fds(connection, [packet], fds)
            return receive_packet(connection)
        except OSError as error:
            raise ZygoteUnavailableError(
                "No warm process answers", do="it is started again by itself; try again"
            ) from error
