"""Training queue of a class: a connection to the broker (`classroom/queue_broker.py`), which says when to run.

One connection is one training: the system closes it when the training's process dies, even by kill -9. The training
sends who it is, and later how long it will take; the broker sends its position, and at last position 0: run. Each
message is a JSON object in a line.
"""

import json
import random
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firstread.core.queue_rules import MAX_MESSAGE_BYTES, UPDATE_INTERVAL_SECONDS, QueuePosition

#: a training that hears nothing from a broker for so long (none is there) runs without a queue
_BROKER_TIMEOUT_SECONDS = 20.0
_CONNECT_TIMEOUT_SECONDS, _POLL_SECONDS = 1.0, 1.0
#: between two tries to connect: of different length, so that a hundred do not come at the same moment
_RETRY_SECONDS = (0.1, 0.5)

_RANDOM = random.SystemRandom()  # never the global generator, on which a training may rely


class SocketQueue:
    """One training's connection to a broker; see `learning.queue.TrainingQueue`. Nothing in it raises for its loss.

    Args:
        socket_file: the broker's Unix socket.
        token: a participant's user name and the token of their requests, separated by a colon.
        queue_name: of the device.
        threads: CPU threads that the training uses.
        seconds_left: how long the training is expected to take, if known.
    """

    def __init__(
        self, socket_file: Path, token: str, *, queue_name: str, threads: int, seconds_left: float | None
    ) -> None:
        self.socket_file, self.seconds_left = socket_file, seconds_left
        username, _, secret = token.partition(":")
        self._request = {"username": username, "token": secret, "queue": queue_name, "threads": threads}
        self._connection: socket.socket | None = None
        self._received = b""
        self._others_wait = False
        self._last_write = float("-inf")

    def enter(self, report: Callable[[QueuePosition], None]) -> None:
        """Join the queue, and wait until the broker lets the training run; without a broker it runs after a while."""
        heard_at = time.monotonic()
        while time.monotonic() - heard_at < _BROKER_TIMEOUT_SECONDS:
            if self._connection is None and not self._connect(running=False):
                time.sleep(_RANDOM.uniform(*_RETRY_SECONDS))
            elif position := self._receive_position(_POLL_SECONDS):
                heard_at = time.monotonic()
                if position.position == 0:
                    return
                report(position)
                self._send_update()

    def leave(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._received, self._others_wait = None, b"", False

    def update_seconds_left(self, seconds: float | None) -> None:
        """Tell the broker the remaining time, every two seconds; a lost broker is told anew that this training runs."""
        self.seconds_left = seconds
        if time.monotonic() - self._last_write < UPDATE_INTERVAL_SECONDS:
            return
        if self._connection is None:
            self._connect(running=True)
        self._send_update()
        self._receive_position(0.0)

    def others_wait(self) -> bool:
        """True if the broker has said that others wait."""
        self._receive_position(0.0)
        return self._others_wait

    def _connect(self, *, running: bool) -> bool:
        """Connect to the broker and join its queue; False if it cannot be reached."""
        self.leave()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_CONNECT_TIMEOUT_SECONDS)
        try:
            connection.connect(str(self.socket_file))
        except OSError:
            connection.close()
            self._last_write = time.monotonic()
            return False
        self._connection = connection
        self._send({**self._request, "running": running, "seconds_left": self.seconds_left})
        return self._connection is not None

    def _send_update(self) -> None:
        if time.monotonic() - self._last_write > UPDATE_INTERVAL_SECONDS:
            self._send({"seconds_left": self.seconds_left})

    def _send(self, message: Mapping[str, Any]) -> None:
        """Send a message, unless there is no connection; a connection that does not take it is given up."""
        self._last_write = time.monotonic()
        if self._connection is None:
            return
        try:
            self._connection.settimeout(_CONNECT_TIMEOUT_SECONDS)
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.leave()

    def _receive_position(self, timeout_seconds: float) -> QueuePosition | None:
        """The newest position that has arrived, after at most `timeout_seconds`; a lost connection is given up."""
        if self._connection is None:
            return None
        try:
            self._connection.settimeout(timeout_seconds)
            data = self._connection.recv(64 * MAX_MESSAGE_BYTES)
            *lines, self._received = (self._received + data).split(b"\n")
            if not data or len(self._received) > MAX_MESSAGE_BYTES:
                raise ConnectionResetError
            message = json.loads(lines[-1]) if lines else {}
            self._others_wait = message.get("others_wait") is True
            return QueuePosition(int(message["position"]), message.get("seconds_left")) if lines else None
        except (TimeoutError, BlockingIOError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # closed, or no broker of this version
            self.leave()
            time.sleep(min(timeout_seconds, _RANDOM.uniform(*_RETRY_SECONDS)))
            return None
