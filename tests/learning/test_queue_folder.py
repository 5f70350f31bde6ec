"""The queue of one computer: first come first served, and no waiting for dead processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from firstread.core.queue_rules import QueuePosition
from firstread.core.queue_tickets import Ticket, lock_file, read_tickets, user_folder
from firstread.learning import queue as training_queue
from firstread.learning import queue_folder as folder_queue
from firstread.learning.queue import QueueSlot
from firstread.learning.queue_folder import FolderQueue


@pytest.fixture(autouse=True)
def _own_queue(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", str(tmp_path / "queue"))


def base():
    return Path(os.environ["FIRSTREAD_QUEUE"])


def queue_folder():
    return user_folder(base(), "cpu")


def tickets():
    return read_tickets(base(), "cpu")


def queue_slot(threads=2, cores=2, **arguments):
    return QueueSlot(threads=threads, cores=cores, **arguments)


def in_line(count):
    until = time.monotonic() + 20
    while len(tickets()) != count:
        assert time.monotonic() < until, f"{len(tickets())} in line instead of {count}"
        time.sleep(0.01)


def test_they_run_one_after_the_other_in_the_order_in_which_they_came():
    order, running = [], []

    def work(number):
        with queue_slot():
            running.append(number)
            assert len(running) == 1
            order.append(number)
            time.sleep(0.05)
            running.remove(number)

    threads = []
    with queue_slot():
        for number in range(5):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            in_line(number + 2)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert tickets() == []


def test_trainings_whose_threads_fit_run_side_by_side():
    with queue_slot(threads=1, cores=2) as first, queue_slot(threads=1, cores=2) as second:
        assert first.seconds_waited < 1
        assert second.seconds_waited < 1
        assert [ticket.running for ticket in tickets()] == [True, True]


def test_a_waiting_training_hears_its_place_and_how_long_it_will_take():
    heard = []
    with queue_slot(expected_seconds=40) as first:
        first.update_seconds_left(40)
        first.queue._write_ticket(running=True)
        waiting = threading.Thread(target=lambda: queue_slot(report=heard.append).__enter__().__exit__())
        waiting.start()
        in_line(2)
        time.sleep(0.3)
    waiting.join()
    assert heard[0].position == 1
    assert 38 < heard[0].seconds_left <= 40
    assert heard[-1] == QueuePosition(0, None)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX systems")
def test_kill_9_frees_the_place_at_once():
    code = (
        "import time; from firstread.learning.queue import QueueSlot\n"
        "with QueueSlot(threads=2, cores=2): print('running', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "running\n"
        assert len(tickets()) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        with queue_slot() as mine:
            assert mine.seconds_waited < 2
    finally:
        process.kill()
    assert list(queue_folder().glob("*.ticket")) == []


def test_one_that_has_said_nothing_for_long_is_passed_over(monkeypatch):
    with queue_slot():
        monkeypatch.setattr("firstread.core.queue_tickets.STALE_SECONDS", 0.2)
        time.sleep(0.3)
        with queue_slot() as second:
            assert second.seconds_waited < 5


def test_after_its_share_a_training_lets_the_next_one_in_and_comes_back(monkeypatch):
    monkeypatch.setattr(training_queue, "TIME_SLICE_SECONDS", 0.0)
    seen = []

    def other():
        with queue_slot():
            seen.append("other")

    with queue_slot() as mine:
        waiting = threading.Thread(target=other)
        waiting.start()
        in_line(2)
        mine.yield_slot()
        seen.append("mine again")
    waiting.join()
    assert seen == ["other", "mine again"]
    assert mine.seconds_waited > 0


def test_nobody_waits_for_one_training_for_ever(monkeypatch):
    monkeypatch.setattr(folder_queue, "MAX_WAIT_SECONDS", 0.5)
    with queue_slot(expected_seconds=1e6):  # says again and again that it has just begun
        began = time.monotonic()
        with queue_slot() as waiting:
            assert 0.5 <= time.monotonic() - began < 10
        assert waiting.seconds_waited >= 0.5


def test_the_trainings_of_another_user_count_as_one(monkeypatch):
    """New tickets, however many and whatever their numbers, do not buy more of the others' patience."""
    import firstread.core.queue_tickets as module

    monkeypatch.setattr(folder_queue, "MAX_WAIT_SECONDS", 0.5)
    monkeypatch.setattr(module, "_CURRENT_USER_ID", -1)  # all of them are somebody else's
    with queue_slot(), queue_slot(threads=0), queue_slot(threads=0):
        assert len(tickets()) == 1
        with queue_slot(threads=2) as waiting:
            assert waiting.seconds_waited >= 0.5


def test_a_queue_whose_name_begins_alike_is_another_one():
    with queue_slot(queue_name="cuda-0-1"), queue_slot(queue_name="cuda-0") as other:
        assert other.seconds_waited < 1
        assert len(read_tickets(base(), "cuda-0")) == len(read_tickets(base(), "cuda-0-1")) == 1


def test_without_others_nobody_gives_way(monkeypatch):
    monkeypatch.setattr(training_queue, "TIME_SLICE_SECONDS", 0.0)
    with queue_slot() as mine:
        number = mine.queue.ticket_number
        mine.yield_slot()
        assert mine.queue.ticket_number == number


def test_an_error_or_an_interruption_leaves_the_line():
    with pytest.raises(KeyboardInterrupt), queue_slot():
        raise KeyboardInterrupt
    assert tickets() == []


def test_interrupted_while_waiting_it_leaves_the_line():
    def stop(place):
        raise KeyboardInterrupt

    with queue_slot():
        with pytest.raises(KeyboardInterrupt), queue_slot(report=stop):
            pass
        assert len(tickets()) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"threads": "many"}',
        b"\x00" * 50,
        b'{"threads":1,"running":1,"seconds_left":"x","updated_at":0}',
    ],
)
def test_a_strange_ticket_holds_nobody_up(text):
    with queue_slot():
        pass
    file = queue_folder() / "1-strange.ticket"
    file.write_bytes(text)
    handle = os.open(file, os.O_RDWR)
    lock_file(handle)
    try:
        with queue_slot() as mine:
            assert mine.seconds_waited < 2
    finally:
        os.close(handle)


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX systems")
def test_nobody_else_can_write_into_the_folder_of_a_users_tickets():
    with queue_slot():
        assert base().stat().st_mode & 0o7777 == 0o1777
        assert queue_folder().stat().st_mode & 0o7777 == 0o755
        ticket = next(queue_folder().glob("*.ticket"))
        assert ticket.stat().st_mode & 0o022 == 0
        fields = set(json.loads(ticket.read_bytes()))
        assert fields == {"threads", "running", "seconds_left", "updated_at"}  # and no name


@pytest.mark.skipif(os.name != "posix", reason="flock is a matter of POSIX systems")
def test_a_neighbour_who_locks_every_file_in_sight_stops_nobody():
    """Locks of files and folders that are there before a training comes; the queue has no door to hold shut."""
    import fcntl

    with queue_slot():
        pass
    (queue_folder() / "queue.lock").touch()
    handles = [os.open(path, os.O_RDONLY) for path in (base(), queue_folder(), queue_folder() / "queue.lock")]
    try:
        for handle in handles:
            fcntl.flock(handle, fcntl.LOCK_EX)
        with queue_slot() as mine:
            assert mine.seconds_waited < 2
    finally:
        for handle in handles:
            os.close(handle)


def test_a_ticket_in_a_folder_of_another_user_is_not_its_owners(monkeypatch):
    """Only the owner of a folder can have tickets there: a hard link into it, or a copied file, is none."""
    import firstread.core.queue_tickets as module

    with queue_slot():
        real = module._read_if_locked
        monkeypatch.setattr(module, "_read_if_locked", lambda file: {**real(file), "user_id": -5})
        assert tickets() == []


def test_no_two_tickets_ever_have_one_name(monkeypatch):
    """So a file that was looked at and found dead is the one that is deleted, whatever has come since."""
    monkeypatch.setattr("firstread.learning.queue_folder.time.time_ns", lambda: 17)
    names = set()
    for _ in range(20):
        with queue_slot(threads=0):
            names.add(next(queue_folder().glob("*.ticket")).name)
    assert len(names) == 20


def test_one_that_came_before_and_is_seen_late_goes_first():
    """Two that come at the same moment do not both run: the later one looks again when it has said that it runs."""
    first, later = (FolderQueue(base(), "cpu", threads=2, cores=2, seconds_left=None) for _ in range(2))
    first._draw_ticket()
    later._draw_ticket()
    try:
        later._write_ticket(running=True)  # it had looked before the first one was there
        assert [ticket.number for ticket in later._tickets_ahead(running=False)] == [first.ticket_number]
        assert [ticket.number for ticket in first._tickets_ahead()] == [later.ticket_number]
        assert first._tickets_ahead(running=False) == []
    finally:
        first.leave()
        later.leave()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners are a matter of POSIX systems")
def test_a_folder_that_somebody_else_has_made_is_not_used(monkeypatch):
    with queue_slot():
        pass
    real = os.getuid()
    folder = queue_folder()
    monkeypatch.setattr(os, "getuid", lambda: real + 1)
    folder.rename(queue_folder())
    with queue_slot() as mine:
        assert mine.seconds_waited < 1
        assert tickets() == []


def test_what_is_left_shrinks_only_while_it_runs():
    assert Ticket(1, running=True, seconds_left=30, updated_at=100.0).remaining_seconds(110.0) == 20
    assert Ticket(1, running=False, seconds_left=30, updated_at=100.0).remaining_seconds(110.0) == 30
    assert Ticket(1, running=True, seconds_left=30, updated_at=100.0).remaining_seconds(500.0) == 0
    assert Ticket(1).remaining_seconds(5.0) is None
