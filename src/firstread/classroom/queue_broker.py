"""Broker of a class's training queue: a Unix socket on which trainings join, wait and leave; nothing goes to disk.

It runs inside the classroom service. One connection is one training of a participant's kernel, whose end of it is
`learning/queue_socket.py`; when it closes, the training has left. A training learns its position, an estimate and
whether others wait, and nothing of anybody else. Kernels are hostile: what they send is limited in size, number and
rate, and a connection that breaks a rule is dropped.
"""

import asyncio
import hmac
import json
import math
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.prefork.zygote_client import make_request_token
from firstread.classroom.queue_schedule import GRACE_SECONDS, QueueSchedule, ScheduledTraining
from firstread.core.queue_rules import MAX_MESSAGE_BYTES, STALE_SECONDS, UPDATE_INTERVAL_SECONDS

#: a participant has at most six kernels (`prefork/zygote.py`)
MAX_CONNECTIONS_EACH, MAX_CONNECTIONS = 8, 512
#: connections that have not said who they are; when there are more, the oldest is dropped
MAX_STRANGERS, STRANGER_SECONDS = 128, 5.0
#: shortest time between two connections, and between two readings of one connection: the service has other work
_ACCEPT_INTERVAL_SECONDS, _READ_INTERVAL_SECONDS = 0.002, 0.2
#: shortest and longest time between two looks at the schedule
_COALESCE_SECONDS, _TICK_SECONDS = 0.1, 1.0
_DEVICE_NAME = re.compile(r"[a-z0-9-]{1,40}")


class QueueBroker:
    """The training queue of one class.

    Args:
        folder: of the class; its `queue_socket` is where the broker listens.
        cores: processor cores that the trainings share.
        grace_seconds: how long trainings that run already may take to come back after a restart.
    """

    def __init__(self, folder: ClassFolder, *, cores: int, grace_seconds: float = GRACE_SECONDS) -> None:
        self.folder, self.cores, self.grace_seconds = folder, cores, grace_seconds
        self.strangers: dict[Connection, None] = {}
        self.members: dict[ScheduledTraining, Connection] = {}
        self._changed = asyncio.Event()
        self._counts = (0, 0)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Keep the queue while the context lasts; without a socket, trainings do not wait for one another."""
        self.schedule = QueueSchedule(cores=self.cores, now=time.monotonic(), grace_seconds=self.grace_seconds)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        tasks = []
        try:
            self._listen(listener)
            tasks = [asyncio.create_task(work) for work in (self._accept(listener), self._run_schedule())]
        except OSError as error:
            sys.stderr.write(f"There is no training queue, so trainings do not take turns: {error.strerror}\n")
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            listener.close()
            for connection in (*self.strangers, *self.members.values()):
                connection.drop()

    def count_trainings(self) -> tuple[int, int]:
        """Number of running and of waiting trainings, a second old at most; may be called from any thread."""
        return self._counts

    def _listen(self, listener: socket.socket) -> None:
        path = self.folder.queue_socket
        temporary = path.with_name(f".{path.name}")
        temporary.unlink(missing_ok=True)
        listener.bind(str(temporary))
        temporary.chmod(0o666)  # a request needs a token
        listener.listen(1024)
        temporary.replace(path)  # clients find the socket only when it listens

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listener)
                await loop.connect_accepted_socket(lambda: Connection(self), accepted)
            except OSError:  # no file descriptor is left, or the client has gone
                await asyncio.sleep(_TICK_SECONDS)
            await asyncio.sleep(_ACCEPT_INTERVAL_SECONDS)

    async def _run_schedule(self) -> None:
        """Update the schedule and tell the trainings, at every change and every second."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            self.schedule.update(now)
            self._counts = self.schedule.count_trainings()
            for training, position in self.schedule.positions(now):
                self.members[training].tell(position.position, now, seconds_left=position.seconds_left)
            for training in [training for training in self.members if training.running]:
                self.members[training].tell(0, now, others_wait=self.schedule.others_wait(training))
            for connection in (*self.strangers, *self.members.values()):
                connection.drop_if_silent(now)
            await asyncio.sleep(_COALESCE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._changed.wait()

    # ---- called by the connections

    def connected(self, connection: "Connection") -> None:
        """Note a new connection; if there are too many strangers, the oldest goes."""
        self.strangers[connection] = None
        if len(self.strangers) > MAX_STRANGERS:
            next(iter(self.strangers)).drop()

    def admit(self, connection: "Connection", request: dict[str, Any]) -> ScheduledTraining:
        """Put the training of a connection into the queue.

        Raises:
            ValueError, KeyError, TypeError: the request is malformed or not authorized, or there are too many.
        """
        username, now = str(request["username"]), time.monotonic()
        token = make_request_token(self.folder, "queue", username)
        if not hmac.compare_digest(str(request["token"]).encode(), token.encode()):
            raise ValueError("not authorized")
        own = sum(training.username == username for training in self.members)
        if own >= MAX_CONNECTIONS_EACH or len(self.members) >= MAX_CONNECTIONS:
            raise ValueError("too many trainings")
        device = str(request["queue"])
        if not _DEVICE_NAME.fullmatch(device):
            raise ValueError("no name of a queue")
        training = ScheduledTraining(username, device, threads=int(request["threads"]))
        training.running = request["running"] is True
        training.update_seconds_left(_parse_seconds(request), now)
        self.schedule.add(training, now)
        self.members[training] = connection
        self.strangers.pop(connection, None)
        self._changed.set()
        return training

    def disconnected(self, connection: "Connection") -> None:
        """Take the training of a closed connection out of the queue."""
        self.strangers.pop(connection, None)
        if connection.training in self.members:
            del self.members[connection.training]
            self.schedule.remove(connection.training)
            self._changed.set()


class Connection(asyncio.Protocol):
    """Server side of one training's connection: its first message is the request, later ones are updates.

    Attributes:
        training: in the schedule; None until the request was accepted.
    """

    def __init__(self, broker: QueueBroker) -> None:
        self.broker = broker
        self.training: ScheduledTraining | None = None
        self._received = b""
        self._heard_at = time.monotonic()
        self._told: tuple[int, bool] | None = None
        self._told_at = float("-inf")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: a stranger, until the request has come."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's have another base class
        self.broker.connected(self)

    def data_received(self, data: bytes) -> None:
        """Handle the messages that have arrived; a malformed one ends the connection."""
        *lines, self._received = (self._received + data).split(b"\n")
        try:
            if len(self._received) > MAX_MESSAGE_BYTES or sum(map(len, lines)) > 2 * MAX_MESSAGE_BYTES:
                raise ValueError("too much at once")
            for line in lines:
                self._handle_message(line)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.drop()
            return
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(_READ_INTERVAL_SECONDS, self._resume_reading)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by whomever: its training has left."""
        self.broker.disconnected(self)

    def drop(self) -> None:
        """Close the connection at once."""
        self._transport.abort()
        self.broker.disconnected(self)

    def drop_if_silent(self, now: float) -> None:
        """Close the connection if nothing was heard for too long."""
        if now - self._heard_at > (STRANGER_SECONDS if self.training is None else STALE_SECONDS):
            self.drop()

    def tell(self, position: int, now: float, *, seconds_left: float | None = None, others_wait: bool = False) -> None:
        """Send the training its position, if it has changed, or from time to time while it waits.

        One that does not read what it is sent is sent no more until it does.
        """
        due = position > 0 and now - self._told_at >= UPDATE_INTERVAL_SECONDS
        if (not due and (position, others_wait) == self._told) or self._transport.get_write_buffer_size():
            return
        rounded = None if seconds_left is None else round(seconds_left, 1)
        message = {"position": position, "seconds_left": rounded, "others_wait": others_wait}
        self._transport.write(json.dumps(message).encode() + b"\n")
        self._told, self._told_at = (position, others_wait), now

    def _handle_message(self, line: bytes) -> None:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise TypeError("a message is an object")
        self._heard_at = time.monotonic()
        if self.training is None:
            self.training = self.broker.admit(self, message)
        else:
            self.training.update_seconds_left(_parse_seconds(message), self._heard_at)

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()


def _parse_seconds(message: dict[str, Any]) -> float | None:
    """Estimated duration in a message.

    Raises:
        ValueError, KeyError, TypeError: it has none.
    """
    seconds = message["seconds_left"]
    if seconds is None:
        return None
    if not math.isfinite(seconds):
        raise ValueError("no duration")
    return max(0.0, float(seconds))
