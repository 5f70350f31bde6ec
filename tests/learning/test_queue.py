"""Which queue a training waits in: a folder, a class's broker, or none; and no failure for want of one."""

import pytest

from firstread.learning.queue import QueueSlot
from firstread.learning.queue_folder import FolderQueue
from firstread.learning.queue_socket import SocketQueue


def queue_slot(threads=2, cores=2, **arguments):
    return QueueSlot(threads=threads, cores=cores, **arguments)


def test_off_means_that_nobody_waits(monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", "off")
    assert queue_slot().queue is None
    with queue_slot(), queue_slot() as second:
        assert second.seconds_waited < 1


def test_a_folder_that_cannot_be_used_stops_nobody(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FIRSTREAD_QUEUE", str(tmp_path / "file"))
    with queue_slot(), queue_slot() as second:
        assert second.seconds_waited < 1


def test_each_device_has_a_queue_of_its_own_and_a_distributed_training_none(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", str(tmp_path))
    queue = queue_slot(queue_name="cuda-0").queue
    assert isinstance(queue, FolderQueue)
    assert (queue.base, queue.queue_name) == (tmp_path, "cuda-0")
    assert queue_slot(queue_name=None).queue is None


def test_a_class_has_a_broker_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", f"unix:{tmp_path / 'socket'}")
    queue = queue_slot().queue
    assert isinstance(queue, SocketQueue)
    assert queue.socket_file == tmp_path / "socket"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("configured", ["", "~/line"])
def test_without_a_setting_it_is_a_folder_of_the_computer(configured, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", configured)
    assert queue_slot().queue.base.is_absolute()
