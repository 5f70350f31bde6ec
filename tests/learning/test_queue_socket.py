"""A training's end of a broker's socket: it waits as it is told, and nothing that a broker does makes it fail."""

import json
import os
import random
import socket
import threading

import pytest

from firstread.core.queue_rules import MAX_MESSAGE_BYTES, QueuePosition
from firstread.learning import queue_socket
from firstread.learning.queue import QueueSlot
from firstread.learning.queue_socket import SocketQueue

if os.name != "posix":
    pytest.skip("classes run on POSIX systems", allow_module_level=True)


class ScriptedBroker:
    """Answers each connection with the next of the given texts, and keeps the requests."""

    def __init__(self, path, answers):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.requests, self.connections = [], []
        self._thread = threading.Thread(target=self._serve, args=(answers,))
        self._thread.start()

    def _serve(self, answers):
        for text in answers:
            connection, _ = self.listener.accept()
            self.requests.append(json.loads(connection.makefile().readline()))
            self.connections.append(connection)
            connection.sendall(text)
            if text.endswith(b"close"):
                connection.close()

    def close(self):
        self._thread.join(20)
        assert not self._thread.is_alive(), "fewer connections than answers"
        for one in (self.listener, *self.connections):
            one.close()


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Function that starts a broker with the given answers; the queue of trainings is it."""
    path, brokers = tmp_path / "socket", []
    monkeypatch.setenv("FIRSTREAD_QUEUE", f"unix:{path}")
    monkeypatch.setenv("FIRSTREAD_QUEUE_TOKEN", "p1-ana:secret")

    def serve(*answers):
        brokers.append(ScriptedBroker(path, answers))
        return brokers[-1]

    yield serve
    for broker in brokers:
        broker.close()


def test_it_says_who_it_is_and_waits_until_it_is_told_to_run(serve):
    broker, heard = serve(b'{"position": 2, "seconds_left": 40}\n{"position": 1, "seconds_left": null}\n'), []

    def report(position):
        heard.append(position)
        if position.position:
            broker.connections[0].sendall(b'{"position": 0, "seconds_left": null}\n')

    with QueueSlot(threads=2, cores=2, report=report, expected_seconds=7, queue_name="cuda-0"):
        pass
    expected = {"username": "p1-ana", "token": "secret", "queue": "cuda-0", "threads": 2, "running": False}
    assert broker.requests == [{**expected, "seconds_left": 7}]
    assert heard == [QueuePosition(1, None), QueuePosition(0, None)], "of several messages the newest counts"


@pytest.mark.parametrize(
    "answer",
    [
        b"close",
        b"not JSON\n",
        b"[]\n",
        b"{}\n",
        b'{"position": "first"}\n',
        b'{"position": null}\n',
        b"x" * (MAX_MESSAGE_BYTES + 1),
        b"\xff\n",
    ],
)
def test_a_broker_that_answers_nonsense_is_asked_again(answer, serve):
    broker = serve(answer, b'{"position": 0}\n')
    with QueueSlot(threads=2, cores=2) as slot:
        assert slot.seconds_waited < 10
    assert len(broker.requests) == 2


def test_a_broker_that_says_nothing_holds_nobody_up(serve, monkeypatch):
    monkeypatch.setattr(queue_socket, "_BROKER_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(queue_socket, "_POLL_SECONDS", 0.2)
    serve(b"")
    with QueueSlot(threads=2, cores=2) as slot:
        assert 0.4 < slot.seconds_waited < 10


def test_a_message_in_two_pieces_is_one(serve):
    broker = serve(b'{"posi')
    timer = threading.Timer(0.3, lambda: broker.connections[0].sendall(b'tion": 0}\n'))
    timer.start()
    with QueueSlot(threads=2, cores=2) as slot:
        assert slot.seconds_waited < 10
    timer.join()
    assert len(broker.requests) == 1


def test_a_running_training_that_loses_its_broker_says_to_the_next_one_that_it_runs(serve, monkeypatch):
    monkeypatch.setattr(queue_socket, "UPDATE_INTERVAL_SECONDS", 0.0)
    broker = serve(b'{"position": 0}\n', b'{"position": 0, "others_wait": true}\n')
    with QueueSlot(threads=2, cores=2) as slot:
        broker.connections[0].close()
        while len(broker.requests) < 2:
            slot.update_seconds_left(5)
        assert slot.queue.others_wait()
    assert [request["running"] for request in broker.requests] == [False, True]
    assert broker.requests[1]["seconds_left"] == 5


def test_interrupted_while_waiting_it_leaves_the_queue(serve):
    broker = serve(b'{"position": 1, "seconds_left": null}\n')

    def stop(position):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), QueueSlot(threads=2, cores=2, report=stop):
        pass
    assert broker.connections[0].recv(10) == b""


def test_waiting_draws_no_number_that_a_training_would_have_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(queue_socket, "_BROKER_TIMEOUT_SECONDS", 0.3)
    state = random.getstate()
    SocketQueue(tmp_path / "nobody", "p1-ana:secret", queue_name="cpu", threads=1, seconds_left=None).enter(print)
    assert random.getstate() == state
