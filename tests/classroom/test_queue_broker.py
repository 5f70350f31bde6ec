"""The training queue of a class: a socket on which no participant can hold up, hear or crash another."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if os.name != "posix":
    pytest.skip("classes run on POSIX systems", allow_module_level=True)

from firstread.classroom import queue_broker
from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.prefork.zygote_client import make_request_token
from firstread.classroom.progress import capacity
from firstread.classroom.queue_broker import MAX_CONNECTIONS_EACH, QueueBroker
from firstread.classroom.service.app import make_app
from firstread.learning import queue as training_queue
from firstread.learning import queue_socket
from firstread.learning.queue import QueueSlot

from .conftest import FakeHub

try:
    import uvloop  # uvicorn, and so the service, takes it where it is installed
except ImportError:
    uvloop = None

CORES = 2


class RunningBroker:
    """A broker in a thread with an event loop of its own, whose errors are kept."""

    def __init__(self, folder, *, grace_seconds=0.0):
        self.broker = QueueBroker(folder, cores=CORES, grace_seconds=grace_seconds)
        self.errors = []
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._started.wait(10)

    def _run(self):
        with asyncio.Runner(loop_factory=uvloop and uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda _, context: self.errors.append(context))
        async with self.broker.serve():
            self._started.set()
            await self._stop.wait()

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
        assert not self._thread.is_alive()
        assert self.errors == []

    def wait_for(self, running, waiting):
        wait_until(lambda: self.broker.count_trainings() == (running, waiting))


def wait_until(condition, *, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("FIRSTREAD_HOME", str(tmp_path_factory.mktemp("home")))
    yield ClassFolder.create("class", lesson="hello-world")
    patch.undo()


@pytest.fixture
def broker(folder):
    broker = RunningBroker(folder)
    yield broker
    broker.stop()


def environment_of(folder, username):
    token = make_request_token(folder, "queue", username)
    return {"FIRSTREAD_QUEUE": f"unix:{folder.queue_socket}", "FIRSTREAD_QUEUE_TOKEN": f"{username}:{token}"}


@pytest.fixture
def slot(folder, monkeypatch):
    """Function that makes the queue slot of a participant's training."""

    def slot(username, **arguments):
        for name, value in environment_of(folder, username).items():
            monkeypatch.setenv(name, value)
        return QueueSlot(**{"threads": CORES, "cores": CORES} | arguments)

    return slot


def request_of(folder, username, /, **values):
    token = make_request_token(folder, "queue", username)
    request = {"username": username, "token": token, "queue": "cpu", "threads": CORES, "running": False}
    return json.dumps({**request, "seconds_left": None, **values}).encode() + b"\n"


@contextmanager
def raw_connection(folder, data=b""):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(folder.queue_socket))
        connection.sendall(data)
        yield connection


def is_dropped(connection):
    """True once the broker has closed a connection; what it said before is read."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def in_background(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


# ---- what participants rely on


def test_two_participants_train_one_after_the_other_in_the_order_in_which_they_came(broker, slot):
    order, running, threads = [], [], []

    def work(training, name):
        with training:
            running.append(name)
            assert len(running) == 1
            order.append(name)
            time.sleep(0.05)
            running.remove(name)

    with slot("p1-ana"):
        for number, name in enumerate(("p2-bea", "p3-carl", "p4-dora")):
            training = slot(name)
            threads.append(in_background(lambda training=training, name=name: work(training, name)))
            broker.wait_for(1, number + 1)
    for thread in threads:
        thread.join()
    assert order == ["p2-bea", "p3-carl", "p4-dora"]
    broker.wait_for(0, 0)


def test_trainings_of_one_thread_each_run_side_by_side(broker, slot):
    with slot("p1-ana", threads=1), slot("p2-bea", threads=1) as second:
        assert second.seconds_waited < 2
        broker.wait_for(2, 0)


def test_a_waiting_training_hears_its_place_and_how_long_it_will_take(broker, slot):
    heard = []
    with slot("p1-ana", expected_seconds=40):
        waiting = slot("p2-bea", report=heard.append)
        thread = in_background(lambda: waiting.__enter__().__exit__())
        wait_until(lambda: heard)
    thread.join()
    assert (heard[0].position, heard[-1].position) == (1, 0)
    assert 30 < heard[0].seconds_left <= 40
    assert waiting.seconds_waited > 0


def test_after_its_share_a_training_lets_the_next_one_in_and_comes_back(broker, slot, monkeypatch):
    monkeypatch.setattr(training_queue, "TIME_SLICE_SECONDS", 0.0)
    seen = []

    def other(training):
        with training:
            seen.append("other")

    with slot("p1-ana") as mine:
        mine.yield_slot()
        assert mine.seconds_waited < 2, "without others nobody gives way"
        training = slot("p2-bea")
        thread = in_background(lambda: other(training))
        broker.wait_for(1, 1)
        wait_until(mine.queue.others_wait)
        mine.yield_slot()
        seen.append("mine again")
    thread.join()
    assert seen == ["other", "mine again"]


def test_kill_9_frees_the_place_at_once(broker, folder, slot):
    code = (
        "import time; from firstread.learning.queue import QueueSlot\n"
        f"with QueueSlot(threads={CORES}, cores={CORES}): print('running', flush=True); time.sleep(600)"
    )
    environment = {**os.environ, **environment_of(folder, "p1-ana")}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "running\n"
        broker.wait_for(1, 0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with slot("p2-bea") as mine:
            assert mine.seconds_waited < 5
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_after_a_restart_of_the_broker_the_running_one_goes_on_and_the_waiting_one_waits(folder, slot, monkeypatch):
    monkeypatch.setattr(queue_socket, "UPDATE_INTERVAL_SECONDS", 0.05)
    broker, seen = RunningBroker(folder), []
    try:
        with slot("p1-ana") as running:
            waiting = slot("p2-bea")

            def wait():
                with waiting:
                    seen.append("bea")

            thread = in_background(wait)
            broker.wait_for(1, 1)
            broker.stop()
            running.update_seconds_left(20)
            broker = RunningBroker(folder, grace_seconds=5.0)

            def is_back():
                running.update_seconds_left(10)
                return broker.broker.count_trainings() == (1, 1)

            wait_until(is_back)
            time.sleep(0.3)
            assert seen == []
            seen.append("ana")
        thread.join()
        assert seen == ["ana", "bea"]
    finally:
        broker.stop()


def test_without_a_broker_a_training_runs_after_a_while(folder, slot, monkeypatch):
    monkeypatch.setattr(queue_socket, "_BROKER_TIMEOUT_SECONDS", 0.5)
    with slot("p1-ana") as mine:
        mine.update_seconds_left(5)
        mine.yield_slot()
    assert 0.4 < mine.seconds_waited < 5


def test_a_class_whose_socket_cannot_be_made_is_served_all_the_same(folder, monkeypatch, capsys):
    def refuse(self, listener):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(QueueBroker, "_listen", refuse)
    RunningBroker(folder).stop()
    assert "trainings do not take turns: Permission denied" in capsys.readouterr().err


def test_the_service_keeps_the_queue_and_the_dashboard_counts_its_trainings(folder, monkeypatch):
    monkeypatch.setattr(capacity, "SAMPLE_SECONDS", 0.0)
    store = folder.store()
    with TestClient(make_app(folder, store=store, hub=FakeHub())) as client, ExitStack() as stack:
        for username, running in (("p1-ana", True), ("p2-bea", False)):
            stack.enter_context(raw_connection(folder, request_of(folder, username, running=running)))

        def counted():
            machine = client.app.state.service.dashboard.values()["machine"]
            return (machine["training"], machine["waiting"]) == (1, 1)

        wait_until(counted)
    store.engine.dispose()


# ---- hostile participants


def test_the_folder_of_the_socket_gives_nobody_a_place_to_write(broker, folder):
    assert stat.S_IMODE(folder.queue_socket.parent.stat().st_mode) == 0o711
    assert [file.name for file in folder.queue_socket.parent.iterdir()] == ["socket"]
    assert not (folder.path / "queue").exists()


@pytest.mark.parametrize(
    "values",
    [
        {"token": "0" * 64},
        {"username": "p2-bea"},
        {"username": "\ud800", "token": ""},
        {"token": None},
        {"queue": "../../secrets"},
        {"queue": "x" * 41},
        {"threads": "many"},
        {"seconds_left": "soon"},
    ],
)
def test_a_request_that_is_not_this_participants_is_dropped(values, broker, folder):
    with raw_connection(folder, request_of(folder, "p1-ana", **values)) as connection:
        assert is_dropped(connection)
    assert broker.broker.count_trainings() == (0, 0)


def test_the_token_of_a_kernel_or_server_is_none_of_the_queue(broker, folder):
    for kind in ("kernel", "server"):
        token = make_request_token(folder, kind, "p1-ana")
        with raw_connection(folder, request_of(folder, "p1-ana", token=token)) as connection:
            assert is_dropped(connection)


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b"\xff\xfe\n",
        b"[" * 1000 + b"\n",
        b'{"a":' * 150 + b"\n",
        b"x" * 100_000,
        b"1" * 511 + b"\n",
        b'{"seconds_left": 1}\n' * 1000,
    ],
)
def test_malformed_input_ends_the_connection_and_nothing_else(data, broker, folder, slot):
    with raw_connection(folder, data) as connection:
        assert is_dropped(connection)
    with slot("p1-ana") as mine:
        assert mine.seconds_waited < 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.binary(max_size=2000) | st.dictionaries(st.text(max_size=10), json_values, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_a_stranger_sends_is_an_error_of_the_service(broker, folder, data):
    line = data if isinstance(data, bytes) else json.dumps(data).encode()
    with raw_connection(folder, line + b"\n") as connection:
        assert is_dropped(connection)


@given(
    st.fixed_dictionaries(
        {"threads": json_values, "queue": st.just("cpu") | json_values, "running": json_values},
        optional={"seconds_left": json_values},
    ),
    st.lists(st.dictionaries(st.just("seconds_left") | st.text(max_size=3), json_values, max_size=2), max_size=3),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_a_participant_sends_holds_up_another(broker, folder, request_values, updates):
    sent = request_of(folder, "p9-mallory", **request_values)
    with ExitStack() as stack:
        hostile = stack.enter_context(raw_connection(folder))
        with suppress(ConnectionError):
            hostile.sendall(sent + b"".join(json.dumps(update).encode() + b"\n" for update in updates))
        hostile.close()
        honest = stack.enter_context(raw_connection(folder, request_of(folder, "p1-ana")))
        answer = b""
        while b'"position": 0' not in answer:
            answer += (received := honest.recv(4096))
            assert received, "the honest one was dropped"


def test_a_participant_has_few_connections_and_others_are_let_in(broker, folder, slot):
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS_EACH):
            stack.enter_context(raw_connection(folder, request_of(folder, "p9-mallory", queue="mps")))
        broker.wait_for(1, MAX_CONNECTIONS_EACH - 1)
        with raw_connection(folder, request_of(folder, "p9-mallory", queue="mps")) as one_more:
            assert is_dropped(one_more)
        with slot("p1-ana") as mine:
            assert mine.seconds_waited < 5
    broker.wait_for(0, 0)


def test_of_a_participant_with_many_trainings_only_the_first_is_waited_for(broker, folder, slot):
    with ExitStack() as stack:
        hostile = [
            stack.enter_context(raw_connection(folder, request_of(folder, "p9-mallory")))
            for _ in range(MAX_CONNECTIONS_EACH)
        ]
        broker.wait_for(1, MAX_CONNECTIONS_EACH - 1)
        done, training = threading.Event(), slot("p1-ana")

        def train():
            with training:
                done.set()

        thread = in_background(train)
        broker.wait_for(1, MAX_CONNECTIONS_EACH)
        hostile[0].close()
        assert done.wait(10), "seven of mallory's came before"
        thread.join()


def test_who_is_waited_for_too_long_is_waited_for_no_more(broker, folder, slot, monkeypatch):
    monkeypatch.setattr("firstread.classroom.queue_schedule.MAX_WAIT_SECONDS", 0.5)
    with raw_connection(folder, request_of(folder, "p9-mallory", seconds_left=1e300)):
        broker.wait_for(1, 0)
        with slot("p1-ana") as mine:
            assert 0.3 < mine.seconds_waited < 10


def test_idle_strangers_are_dropped_and_a_flood_of_them_keeps_nobody_out(broker, folder, slot, monkeypatch):
    monkeypatch.setattr(queue_broker, "STRANGER_SECONDS", 1.0)
    with ExitStack() as stack:
        strangers = [stack.enter_context(raw_connection(folder)) for _ in range(400)]
        with slot("p1-ana") as mine:
            assert mine.seconds_waited < 10
        assert all(is_dropped(stranger) for stranger in strangers)
    wait_until(lambda: not broker.broker.strangers)


def test_connections_that_come_and_go_without_end_keep_nobody_out(broker, folder, slot):
    flooding = threading.Event()
    flooding.set()

    def flood():
        while flooding.is_set():
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.setblocking(False)
                    connection.connect(str(folder.queue_socket))
                    connection.send(request_of(folder, "p9-mallory"))
            except OSError:
                time.sleep(0.001)

    thread = in_background(flood)
    try:
        time.sleep(0.5)
        with slot("p1-ana") as mine:
            assert mine.seconds_waited < 15
    finally:
        flooding.clear()
        thread.join()


def test_who_does_not_read_costs_no_memory(broker, folder, monkeypatch):
    monkeypatch.setattr(queue_broker, "UPDATE_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(queue_broker, "_TICK_SECONDS", 0.0)
    monkeypatch.setattr(queue_broker, "_COALESCE_SECONDS", 0.0)
    with raw_connection(folder, request_of(folder, "p1-ana")), raw_connection(folder) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        broker.wait_for(1, 0)
        deaf.sendall(request_of(folder, "p9-mallory"))
        broker.wait_for(1, 1)
        connection = next(one for one in broker.broker.members.values() if one.training.username == "p9-mallory")
        wait_until(lambda: connection._transport.get_write_buffer_size() > 0)
        sizes = {connection._transport.get_write_buffer_size() for _ in range(20) if time.sleep(0.02) is None}
        assert max(sizes) < 1000


def test_a_flood_of_messages_is_read_slowly(broker, folder, slot):
    """The flood waits in the flooder's own socket, and the others' trainings go on."""
    with raw_connection(folder, request_of(folder, "p9-mallory", queue="mps")) as flooder:
        broker.wait_for(1, 0)
        flooder.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):
            flooder.sendall(b'{"seconds_left": 1}\n' * 1_000_000)
        with slot("p1-ana") as mine:
            assert mine.seconds_waited < 5


def test_a_silent_training_is_waited_for_no_more(broker, folder, slot, monkeypatch):
    with raw_connection(folder, request_of(folder, "p9-mallory")) as silent:
        broker.wait_for(1, 0)
        monkeypatch.setattr(queue_broker, "STALE_SECONDS", 0.3)
        assert is_dropped(silent)
        monkeypatch.undo()
    broker.wait_for(0, 0)


def test_a_participant_learns_nothing_of_another(broker, folder):
    with (
        raw_connection(folder, request_of(folder, "p1-ana", seconds_left=12)),
        raw_connection(folder, request_of(folder, "p2-bea")) as bea,
    ):
        broker.wait_for(1, 1)
        told = json.loads(bea.recv(4096).splitlines()[0])
        assert set(told) == {"position", "seconds_left", "others_wait"}
