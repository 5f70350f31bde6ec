"""A training leaves the process as it found it, and trainings in several threads do not disturb one another."""

import threading

import torch

from firstread.core.process_settings import ProcessSetting
from firstread.learning.augmentation import Augmentation
from firstread.learning.devices import limit_cpu_threads
from firstread.learning.models import build_model
from firstread.learning.process_group import Processes
from firstread.learning.random_state import RandomStream, seeded
from firstread.learning.training import train


def losses(cohort, seed):
    model = build_model("mobilenetv3_small_050", classes=("dark", "bright"), size=32, dropout=0.5, seed=seed)
    augmentation = Augmentation(rotate_degrees=20, flip=True)
    settings = {"batch_size": 4, "schedule": "one-cycle", "precision": "float32"}
    run = train(
        model, cohort, epochs=3, seed=seed, augmentation=augmentation, checkpoints=False, quiet=True, **settings
    )
    return [row["train_loss"] for row in run.history]


def test_two_trainings_in_two_threads_are_those_that_run_one_after_the_other(tiny_cohort, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_QUEUE", "off")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        serial = {seed: losses(tiny_cohort, seed) for seed in (0, 1)}
        found = {}
        workers = [
            threading.Thread(target=lambda seed=seed: found.update({seed: losses(tiny_cohort, seed)}))
            for seed in (0, 1)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        torch.set_num_threads(threads)
    assert found == serial
    assert serial[0] != serial[1]


def test_the_callers_random_numbers_and_settings_are_as_before(tiny_cohort):
    torch.manual_seed(7)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    train(
        build_model("mobilenetv3_small_050", classes=("dark", "bright"), size=32),
        tiny_cohort,
        epochs=1,
        deterministic=True,
        checkpoints=False,
        quiet=True,
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_stream_of_random_numbers_is_not_disturbed():
    with seeded(5):
        expected = torch.rand(4)
    stream = RandomStream(5, torch.device("cpu"))
    found = []
    for _ in range(2):
        torch.rand(3)  # what others draw meanwhile
        with stream.active():
            found.append(torch.rand(2))
    assert torch.equal(torch.cat(found), expected)


def test_a_setting_of_the_process_comes_back_when_its_last_user_leaves():
    value = ["before"]
    setting = ProcessSetting(change=lambda: value.append("changed"), restore=lambda _: value.pop())
    entered, leave = threading.Event(), threading.Event()

    def other():
        with setting:
            entered.set()
            leave.wait(10)

    worker = threading.Thread(target=other)
    with setting:
        worker.start()
        entered.wait(10)
    assert value == ["before", "changed"]
    leave.set()
    worker.join()
    assert value == ["before"]


def test_threads_come_back_in_whatever_order_trainings_end(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(max(2, before))
    monkeypatch.setattr("firstread.learning.devices.available_cores", lambda: 1)
    try:
        first, second = limit_cpu_threads(), limit_cpu_threads()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert torch.get_num_threads() == max(2, before)
    finally:
        torch.set_num_threads(before)


def test_one_process_needs_no_group():
    alone = Processes()
    device = torch.device("cpu")
    alone.connect(device)
    assert alone.average({"a": 1.0}, device) == {"a": 1.0}
    assert alone.any(True, device)
    assert not alone.any(False, device)
    assert alone.from_main("x") == "x"
    assert not torch.distributed.is_initialized()
