"""Minutes instead of epochs: the schedule ends when the time does, and the whole of it is kept within."""

import time

import pytest

from firstread.learning.models import build_model
from firstread.learning.optimizers import AdamW, TimedSchedule, make_scheduler
from firstread.learning.time_budget import TimeBudget
from firstread.learning.training import continue_training, train


def network():
    return build_model("mobilenetv3_small_050", classes=("dark", "bright"), size=32)


class Clock:
    """A clock that goes on by a hundredth of a second whenever it is read, on a busy machine as on an idle one."""

    now = 0.0

    def monotonic(self):
        self.now += 0.01
        return self.now


def test_a_training_takes_the_time_that_it_was_given(tiny_cohort, tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("firstread.learning.time_budget.time", clock)
    settings = {"schedule": "one-cycle", "batch_size": 4, "precision": "float32", "quiet": True}
    run = train(network(), tiny_cohort, minutes=1 / 60, folder=tmp_path / "run", **settings)
    assert 0.9 < clock.now < 1.3
    assert run.epochs > 1
    assert run.history[-1]["learning_rate"] < 1e-4 < max(row["learning_rate"] for row in run.history)
    _, same = continue_training(run.folder, tiny_cohort)
    assert same.epochs == run.epochs


def test_waiting_and_the_last_validation_count(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    budget = TimeBudget(1, seconds_used=15)
    assert budget.elapsed_fraction() == pytest.approx(0.25)
    with budget.paused():
        clock[0] += 30
    assert budget.elapsed_fraction() == pytest.approx(0.25)
    with budget.validation():
        clock[0] += 10
    assert budget.elapsed_fraction() == pytest.approx(25 / 50)
    clock[0] += 26
    assert budget.is_over


def test_the_schedule_follows_the_clock():
    model = network()
    optimizer = AdamW(model.parameters(), lr=1e-2)
    fraction = [0.0]
    steps = TimedSchedule.SCHEDULE_STEPS
    scheduler = make_scheduler(optimizer, schedule="one-cycle", learning_rate=1e-2, total_steps=steps)
    schedule = TimedSchedule(scheduler, lambda: fraction[0])
    optimizer.step()
    rates = []
    for fraction[0] in (0.0, 0.3, 0.9, 1.0, 1.7):
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[0] < rates[1] > rates[2] > rates[3] == rates[4]
    assert rates[1] == pytest.approx(1e-2, rel=0.01)


def test_a_schedule_that_is_resumed_goes_on_where_it_was():
    rates = []
    for done in (0, 7):
        optimizer = AdamW(network().parameters(), lr=1e-2)
        settings = {"schedule": "one-cycle", "learning_rate": 1e-2, "total_steps": 20}
        scheduler = make_scheduler(optimizer, steps_done=done, **settings)
        for _ in range(7 - done):
            optimizer.step()
            scheduler.step()
        rates.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]))
    assert rates[0] == rates[1]
