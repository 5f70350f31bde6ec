"""Taking turns: first come first served, nobody waits for the dead, and a queue that cannot be had stops nobody."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firstread.learning.queue as turns
from firstread.core.queue_tickets import Ticket, lock, tickets
from firstread.learning.queue import Place, Turn, line_folder


@pytest.fixture(autouse=True)
def _own_queue(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", str(tmp_path / "queue"))


def turn(threads=2, cores=2, **arguments):
    return Turn(threads=threads, cores=cores, **arguments)


def in_line(count):
    until = time.monotonic() + 20
    while len(tickets(line_folder())) != count:
        assert time.monotonic() < until, f"{len(tickets(line_folder()))} in line instead of {count}"
        time.sleep(0.01)


def test_they_run_one_after_the_other_in_the_order_in_which_they_came():
    order, running = [], []

    def work(number):
        with turn():
            running.append(number)
            assert len(running) == 1
            order.append(number)
            time.sleep(0.05)
            running.remove(number)

    threads = []
    with turn():
        for number in range(5):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            in_line(number + 2)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert tickets(line_folder()) == []


def test_trainings_whose_threads_fit_run_side_by_side():
    with turn(threads=1, cores=2) as first, turn(threads=1, cores=2) as second:
        assert first.waited < 1
        assert second.waited < 1
        assert [ticket.running for ticket in tickets(line_folder())] == [True, True]


def test_a_waiting_training_hears_its_place_and_how_long_it_will_take():
    heard = []
    with turn(seconds=40) as first:
        first.expect(40)
        first._write(running=True)
        waiting = threading.Thread(target=lambda: turn(tell=heard.append).__enter__()._leave())
        waiting.start()
        in_line(2)
        time.sleep(0.3)
    waiting.join()
    assert heard[0].place == 1
    assert 38 < heard[0].seconds <= 40
    assert heard[-1] == Place(0, None)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX systems")
def test_kill_9_frees_the_place_at_once():
    code = (
        "import time; from firstread.learning.queue import Turn\n"
        "with Turn(threads=2, cores=2): print('running', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "running\n"
        assert len(tickets(line_folder())) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        with turn() as mine:
            assert mine.waited < 2
    finally:
        process.kill()
    assert list(line_folder().glob("*.ticket")) == []


def test_one_that_has_said_nothing_for_long_is_passed_over(monkeypatch):
    with turn():
        monkeypatch.setattr("firstread.core.queue_tickets.SILENT_SECONDS", 0.2)
        time.sleep(0.3)
        with turn() as second:
            assert second.waited < 5


def test_after_its_share_a_training_lets_the_next_one_in_and_comes_back(monkeypatch):
    monkeypatch.setattr(turns, "SHARE_SECONDS", 0.0)
    seen = []

    def other():
        with turn():
            seen.append("other")

    with turn() as mine:
        waiting = threading.Thread(target=other)
        waiting.start()
        in_line(2)
        mine.give_way()
        seen.append("mine again")
    waiting.join()
    assert seen == ["other", "mine again"]
    assert mine.waited > 0


def test_nobody_waits_for_one_training_for_ever(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.5)
    with turn(seconds=1e6):  # says again and again that it has just begun
        began = time.monotonic()
        with turn() as waiting:
            assert 0.5 <= time.monotonic() - began < 10
        assert waiting.waited >= 0.5


def test_the_trainings_of_another_user_count_as_one(monkeypatch):
    """New tickets, however many and whatever their numbers, do not buy more of the others' patience."""
    import firstread.core.queue_tickets as module

    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(module, "_OURSELVES", -1)  # all of them are somebody else's
    with turn(), turn(threads=0), turn(threads=0):
        assert len(tickets(line_folder())) == 1
        with turn(threads=2) as waiting:
            assert waiting.waited >= 0.5


def test_without_others_nobody_gives_way(monkeypatch):
    monkeypatch.setattr(turns, "SHARE_SECONDS", 0.0)
    with turn() as mine:
        number = mine._number
        mine.give_way()
        assert mine._number == number


def test_an_error_or_an_interruption_leaves_the_line():
    with pytest.raises(KeyboardInterrupt), turn():
        raise KeyboardInterrupt
    assert tickets(line_folder()) == []


def test_interrupted_while_waiting_it_leaves_the_line():
    def stop(place):
        raise KeyboardInterrupt

    with turn():
        with pytest.raises(KeyboardInterrupt), turn(tell=stop):
            pass
        assert len(tickets(line_folder())) == 1


def test_off_means_that_nobody_waits(monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", "off")
    assert line_folder() is None
    with turn(), turn() as second:
        assert second.waited < 1


def test_a_folder_that_cannot_be_used_stops_nobody(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FIRSTREAD_QUEUE", str(tmp_path / "file"))
    with turn(), turn() as second:
        assert second.waited < 1


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"threads": "many"}', b"\x00" * 50, b'{"threads":1,"running":1,"seconds_left":"x","told":0}']
)  # fmt: skip
def test_a_strange_ticket_holds_nobody_up(text):
    with turn():
        pass
    file = line_folder() / "000000001.ticket"
    file.write_bytes(text)
    handle = os.open(file, os.O_RDWR)
    lock(handle)
    try:
        with turn() as mine:
            assert mine.waited < 2
    finally:
        os.close(handle)


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX systems")
def test_others_may_join_the_line_but_not_take_tickets_away():
    with turn():
        assert line_folder().stat().st_mode & 0o7777 == 0o1777
        ticket = next(line_folder().glob("*.ticket"))
        assert ticket.stat().st_mode & 0o022 == 0
        assert set(json.loads(ticket.read_bytes())) == {"threads", "running", "seconds_left", "told"}  # and no name


@given(place=st.integers(1, 200), seconds=st.none() | st.floats(0, 1e5))
@settings(max_examples=60)
def test_places_are_said_in_words(place, seconds):
    words = str(Place(place, seconds))
    assert words.startswith(f"{place}")
    assert " in line" in words
    assert ("about" in words) == (seconds is not None)


def test_places_as_english_says_them():
    assert [str(Place(n, None)).split()[0] for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip
    assert str(Place(3, 40.2)) == "3rd in line, about 40 s"
    assert str(Place(2, 600)) == "2nd in line, about 10 min"


def test_what_is_left_shrinks_only_while_it_runs():
    assert Ticket(1, running=True, seconds_left=30, told=100.0).remaining(110.0) == 20
    assert Ticket(1, running=False, seconds_left=30, told=100.0).remaining(110.0) == 30
    assert Ticket(1, running=True, seconds_left=30, told=100.0).remaining(500.0) == 0
    assert Ticket(1).remaining(5.0) is None
