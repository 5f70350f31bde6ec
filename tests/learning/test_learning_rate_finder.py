"""The range test of the learning rate: it leaves everything as it was, and finds the fall of a known loss."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import firstread as fr
from firstread.core.errors import DataError, SettingError
from firstread.core.tasks import Segmentation
from firstread.learning import learning_rate_finder
from firstread.learning.learning_rate_curve import LearningRateCurve, longest_fall, smooth
from firstread.phantoms.teaching_sets import make_liver_phantoms


@pytest.fixture
def model(tiny_cohort):
    return fr.build_model("test_resnet", classes=tiny_cohort.classes, size=32, weights="none", seed=3)


def find(model, cohort, **settings):
    return fr.find_learning_rate(model, cohort, **{"steps": 40, "quiet": True, **settings})


def everything_of(model):
    """Weights, buffers, modes, flags and gradients of a network."""
    return (
        {name: value.clone() for name, value in model.state_dict().items()},
        [module.training for module in model.modules()],
        [(p.requires_grad, p.grad is None, p.device, p.stride()) for p in model.parameters()],
    )


def same(one, two):
    weights = all(torch.equal(value, two[0][name]) for name, value in one[0].items())
    return weights and one[1:] == two[1:]


@pytest.mark.parametrize("freeze", [True, False])
def test_network_random_numbers_and_threads_are_as_they_were(model, tiny_cohort, freeze):
    model.train()
    before, threads, numbers = everything_of(model), torch.get_num_threads(), torch.get_rng_state()
    legacy = np.random.get_state()[1].copy()
    find(model, tiny_cohort, freeze=freeze, augmentation=fr.Augmentation(flip=True))
    assert same(before, everything_of(model))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), numbers)
    assert (np.random.get_state()[1] == legacy).all()


def test_training_afterwards_is_the_same_as_without_it(model, tiny_cohort):
    other = copy.deepcopy(model)
    find(model, tiny_cohort)
    runs = [fr.train(m, tiny_cohort, epochs=1, quiet=True, checkpoints=False) for m in (model, other)]
    assert runs[0].history[0]["train_loss"] == runs[1].history[0]["train_loss"]
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("a layer failed")])
def test_an_interrupt_or_an_error_leaves_the_network_alone(model, tiny_cohort, monkeypatch, error):
    calls = []

    def step(*_arguments):
        calls.append(None)
        if len(calls) == 7:
            raise error

    monkeypatch.setattr(learning_rate_finder, "_step", step)
    before, threads = everything_of(model), torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else RuntimeError):
        find(model, tiny_cohort)
    assert same(before, everything_of(model))
    assert torch.get_num_threads() == threads


def test_the_seed_decides(model, tiny_cohort):
    one, again, other = (find(model, tiny_cohort, seed=seed) for seed in (1, 1, 2))
    assert (one.raw_losses == again.raw_losses).all()
    assert not np.array_equal(one.raw_losses, other.raw_losses)


def test_it_stops_where_the_loss_runs_away_and_suggests_a_rate_before_that(model, tiny_cohort):
    curve = find(model, tiny_cohort, steps=100)
    assert curve.diverged
    assert len(curve.rates) < 100
    assert curve.rates[0] == pytest.approx(1e-7)
    assert np.allclose(np.diff(np.log(curve.rates)), np.log(1e8) / 99)
    assert curve.losses.max() > 4 * curve.losses.min() or not np.isfinite(curve.losses.max())
    assert 1e-6 < curve.suggestion < curve.rates[-1]
    assert curve.suggestion < curve.rates[curve.losses.argmin()]


def test_a_training_with_the_suggestion_learns(model, tiny_cohort):
    rate = find(model, tiny_cohort, steps=100).suggestion
    run = fr.train(
        model, tiny_cohort, epochs=8, schedule="one-cycle", learning_rate=rate, quiet=True, checkpoints=False
    )
    assert run.history[-1]["train_loss"] < 0.8 * run.history[0]["train_loss"]


def test_frozen_means_the_head_and_another_rate_range_is_followed(model, tiny_cohort):
    curve = find(model, tiny_cohort, freeze=True, rates=(1e-4, 1e-2))
    assert (curve.rates[0], curve.rates[-1]) == (pytest.approx(1e-4), pytest.approx(1e-2))
    assert not curve.diverged
    assert "without the loss running away" in repr(curve)


def test_a_segmentation_has_a_learning_rate_too(tmp_path):
    cohort = make_liver_phantoms(tmp_path / "liver", count=4, seed=2)
    assert isinstance(cohort.task, Segmentation)
    model = fr.build_model(task=cohort.task, size=32, seed=0)
    before = everything_of(model)
    curve = find(model, cohort, steps=20, rates=(1e-4, 1e-2), batch_size=4)
    assert len(curve.rates) == 20
    assert same(before, everything_of(model))


def test_a_loss_that_is_no_number_at_once_is_not_blamed_on_the_rate(model, tiny_cohort):
    with torch.no_grad():
        model.head[0].weight.fill_(float("nan"))
    with pytest.raises(DataError, match="not a number before the first step"):
        find(model, tiny_cohort)


def test_a_cohort_without_training_split_is_refused(model, tiny_cohort):
    with pytest.raises(DataError, match="There are no training images"):
        find(model, tiny_cohort.test.with_column("split", ["test"] * len(tiny_cohort.test)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 5}, "steps=5 is not possible"),
        ({"rates": (1.0, 0.1)}, "lowest and the highest"),
        ({"rates": (0.0, 0.1)}, "lowest and the highest"),
        ({"rates": 0.1}, "lowest and the highest"),
        ({"schedule": "cyclic"}, 'schedule="cyclic" is not possible'),
    ],
)
def test_impossible_settings_are_refused(model, tiny_cohort, settings, message):
    with pytest.raises(SettingError, match=message):
        find(model, tiny_cohort, **settings)


def test_arguments_in_the_wrong_order_are_named(model, tiny_cohort):
    with pytest.raises(SettingError, match="in this order"):
        fr.find_learning_rate(tiny_cohort, model)
    with pytest.raises(SettingError, match="in this order"):
        fr.find_learning_rate(model, [1, 2])


class Parabola(LearningRateCurve):
    """A curve with a known shape."""

    @property
    def losses(self):
        return self.raw_losses


def test_steepest_and_valley_of_a_known_curve():
    x = np.linspace(-7, 1, 81)
    losses = 1 - 0.8 / (1 + np.exp(-4 * (x + 3))) + np.exp(6 * (x + 0.5))  # falls fastest at 1e-3
    curve = Parabola(10**x, losses, True)
    assert np.log10(curve.steepest) == pytest.approx(-3, abs=0.15)
    assert curve.valley == curve.suggestion
    assert np.log10(curve.valley) < np.log10(curve.rates[losses.argmin()]) - 1


def test_a_loss_that_never_falls_suggests_nothing():
    curve = LearningRateCurve(np.geomspace(1e-7, 1, 30), np.linspace(1, 2, 30), True)
    assert curve.suggestion is None
    assert curve.steepest is None
    assert "no rate can be suggested" in repr(curve)
    assert curve.plot().axes


def test_the_curve_cannot_be_changed_and_says_what_it_is(model, tiny_cohort):
    curve = find(model, tiny_cohort)
    with pytest.raises(ValueError, match="read-only"):
        curve.rates[0] = 1
    assert f"Suggested: {curve.suggestion:.1e}" in repr(curve)
    assert list(curve.table.columns) == ["learning_rate", "loss", "smoothed_loss"]
    labels = [text.get_text() for text in curve.plot().axes[0].get_legend().get_texts()]
    assert f"suggested: {curve.suggestion:.1e}" in labels


def test_smoothing_and_the_longest_fall():
    assert smooth(np.array([4.0, 2.0])).tolist() == pytest.approx([4.0, (0.9 * 0.4 + 0.2) / 0.19])
    assert longest_fall(np.array([])) == []
    assert longest_fall(np.array([1.0, 2.0])) == [0]
    rng = np.random.default_rng(0)
    losses = rng.permutation(40).astype(float)
    found = longest_fall(losses)
    assert (np.diff(losses[found]) < 0).all()
    assert (np.diff(found) > 0).all()


def test_a_users_own_network_without_freezing_is_told(tiny_cohort, model):
    class Own(nn.Module):
        """A network with all that training asks for, and no head of its own."""

        def __init__(self):
            super().__init__()
            self.inner = model

        def __getattr__(self, name):
            if name == "freeze":
                raise AttributeError(name)
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("inner"), name)

    with pytest.raises(SettingError, match="backbone and a head"):
        find(Own(), tiny_cohort, freeze=True)
