"""Asking a zygote for a process: one packet there, one back, on a socket of this machine."""

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
from firstread.core.errors import FirstreadError

Kind = Literal["server", "kernel"]
KINDS: tuple[Kind, ...] = ("server", "kernel")
MOST_BYTES = 128 * 1024
_PATIENCE_SECONDS, _AGAIN_SECONDS = 20, 60


class WarmError(FirstreadError):
    """A zygote gave no process."""


class NobodyThereError(WarmError):
    """No zygote answers at this moment."""


def meeting_point(folder: ClassFolder, kind: Kind) -> Path:
    """The socket at which a class's zygote is asked."""
    return folder.sockets / "warm" / kind


def ticket(folder: ClassFolder, kind: Kind, username: str) -> str:
    """What a request must carry: it can be made with the class's key only, and is good for one participant's processes."""
    return hmac.new(bytes.fromhex(folder.settings.class_key), f"{kind}:{username}".encode(), hashlib.sha256).hexdigest()


def ask(point: Path, request: dict[str, Any], *, lifeline: socket.socket | None = None) -> tuple[int, int]:
    """A new process.

    Args:
        point: where the zygote is asked.
        request: see `zygote.Request`.
        lifeline: given to the process; when the other end is closed, it ends.

    Returns:
        Its number, and a handle on it (a pidfd), which the caller closes.

    Raises:
        WarmError: nobody is there, or the request was refused.
    """
    packet = json.dumps(request).encode()
    if len(packet) > MOST_BYTES:
        raise WarmError("The environment is too large", expected=f"less than {MOST_BYTES} bytes")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
        asked.settimeout(_PATIENCE_SECONDS)
        try:
            asked.connect(str(point))
            socket.send_fds(asked, [packet], [lifeline.fileno()] if lifeline else [])
            answer, handles = receive(asked)
        except OSError as error:
            raise NobodyThereError("No warm process answers", do="it is started again by itself; try again") from error
    if not answer:
        raise NobodyThereError(
            "The warm process ended while it was asked", do="it is started again by itself; try again"
        )
    told = json.loads(answer)
    if "pid" not in told or len(handles) != 1:
        for handle in handles:
            os.close(handle)
        raise WarmError(told.get("refused", "The warm process gave no process"))
    return told["pid"], handles[0]


async def ask_patiently(
    point: Path, request: dict[str, Any], *, lifeline: socket.socket | None = None
) -> tuple[int, int]:
    """The same, and if nobody is there, again until the zygote has been started anew.

    Raises:
        WarmError: the request was refused, or nobody came for a minute.
    """
    end = time.monotonic() + _AGAIN_SECONDS
    while True:
        try:
            return await asyncio.to_thread(ask, point, request, lifeline=lifeline)
        except NobodyThereError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.3)


def receive(asked: socket.socket) -> tuple[bytes, list[int]]:
    """One packet, and the files that came with it (closed for programs that are started later)."""
    handles = array.array("i")
    packet, further, _, _ = asked.recvmsg(MOST_BYTES, socket.CMSG_SPACE(4 * handles.itemsize), socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in further:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            handles.frombytes(data[: len(data) - len(data) % handles.itemsize])
    return packet, list(handles)


def warm(folder: ClassFolder, kind: Kind) -> bool:
    """True if a zygote can be asked now."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as tried:
        tried.settimeout(1)
        tried.connect(str(meeting_point(folder, kind)))
        return True
    return False
