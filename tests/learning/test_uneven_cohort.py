"""Trainings on uneven cohorts: class weights, balanced sampling and their kin, with freezing, patience and resuming."""

import inspect

import numpy as np
import pytest
import torch

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import SettingError
from firstread.core.provenance import Origin
from firstread.learning import trainer
from firstread.learning.augmentation import Augmentation
from firstread.learning.models import build_model
from firstread.learning.settings import SETTING_NAMES
from firstread.learning.training import continue_training, train

QUICK = {"schedule": "one-cycle", "learning_rate": 1e-3, "batch_size": 4, "precision": "float32", "quiet": True}
REMEDIES = [
    {"class_weights": "balanced"},
    {"sampler": "balanced"},
    {"label_smoothing": 0.1},
    {"weight_decay": 0.05},
    {"sampler": "balanced", "label_smoothing": 0.05, "weight_decay": 0.0, "class_weights": {"dark": 2, "bright": 1}},
]


def uneven_cohort(folder, names, counts):
    """Noise of a brightness for each class, so many training images of each; a validation split of six each."""
    from PIL import Image

    rng, rows = np.random.default_rng(0), []
    for level, (name, count) in enumerate(zip(names, counts, strict=True)):
        for index in range(count + 6):
            pixels = rng.integers(0, 120, (32, 32)) + 60 * level
            path = folder / f"{name}{index:02d}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            split = "train" if index < count else "validation"
            rows.append(
                {"case": path.stem, "file": str(path), "label": name, "patient": f"{name}{index}", "split": split}
            )
    return Cohort.from_table(make_table(rows), names, Origin("uneven", "noise of several brightnesses"))


@pytest.fixture
def two(tmp_path):
    return uneven_cohort(tmp_path, ("dark", "bright"), (16, 4))


@pytest.fixture
def three(tmp_path):
    return uneven_cohort(tmp_path, ("dark", "gray", "bright"), (12, 4, 3))


def network(cohort, seed=0):
    return build_model("mobilenetv3_small_050", classes=cohort.classes, size=32, dropout=0.2, seed=seed, weights="none")


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def shown_classes(monkeypatch):
    """Class indices of every batch of every epoch that is trained from now on."""
    epochs, real = [], trainer.run_one_epoch

    def watch(net, batches, **rest):
        epochs.append([])

        def seen():
            for inputs, targets in batches:
                epochs[-1] += targets.tolist()
                yield inputs, targets

        return real(net, seen(), **rest)

    monkeypatch.setattr(trainer, "run_one_epoch", watch)
    return epochs


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("augmentation", [None, Augmentation(flip=True)])
def test_the_balanced_sampler_shows_each_class_equally_often(three, monkeypatch, freeze, augmentation):
    epochs = shown_classes(monkeypatch)
    settings = {"freeze": freeze, "augmentation": augmentation, "checkpoints": False}
    train(network(three), three, epochs=2, sampler="balanced", **settings, **QUICK)
    assert [np.bincount(epoch).tolist() for epoch in epochs] == [[7, 7, 7], [7, 7, 7]]
    assert epochs[0] != epochs[1]
    epochs.clear()
    train(network(three), three, epochs=1, **settings, **QUICK)
    assert np.bincount(epochs[0]).tolist() == [12, 4, 3]


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("settings", REMEDIES)
def test_what_is_continued_ends_bit_by_bit_where_it_would_have(two, tmp_path, monkeypatch, settings, freeze):
    settings = {"freeze": freeze, "patience": 4, **settings}
    whole = network(two)
    run = train(whole, two, epochs=3, folder=tmp_path / "whole", **settings, **QUICK)
    calls, real = [], trainer.run_one_epoch

    def interrupted(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)

    monkeypatch.setattr(trainer, "run_one_epoch", interrupted)
    train(network(two), two, epochs=3, folder=tmp_path / "broken", **settings, **QUICK)
    monkeypatch.setattr(trainer, "run_one_epoch", real)
    mended, other = continue_training(tmp_path / "broken", two)
    assert same(whole.state_dict(), mended.state_dict())
    losses = [[(row["train_loss"], row["validation_loss"]) for row in one.history] for one in (run, other)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("settings", REMEDIES)
def test_each_setting_changes_the_training_and_the_same_one_repeats_it(two, settings):
    losses = []
    for chosen in ({}, settings, settings):
        run = train(network(two), two, epochs=2, checkpoints=False, **chosen, **QUICK)
        losses.append([row["train_loss"] for row in run.history])
        assert all(run.settings[-1][name] == value for name, value in chosen.items())
    assert losses[0] != losses[1] == losses[2]


def test_several_classes_are_weighted_as_well(three):
    for settings in ({"class_weights": "balanced"}, {"class_weights": {"dark": 1, "gray": 2, "bright": 3}}):
        run = train(network(three), three, epochs=1, freeze=True, checkpoints=False, **settings, **QUICK)
        assert np.isfinite(run.history[0]["validation_loss"])


def test_class_weights_move_the_scores_towards_the_class(two):
    means = []
    for weight in (0.02, 50):
        model = network(two)
        train(model, two, epochs=4, class_weights={"dark": 1, "bright": weight}, checkpoints=False, **QUICK)
        with torch.inference_mode():
            scores = model.probabilities(model(model.prepare(two.validation.images(32))))
        means.append(float(scores[:, 1].mean()))
    assert means[0] + 0.2 < means[1]


def test_a_decay_under_the_constant_schedule_is_that_of_adamw(two):
    from firstread.learning.optimizers import AdamW, make_optimizer

    weights = [torch.nn.Parameter(torch.ones(3))]
    constant = {"schedule": "constant", "learning_rate": 1e-3, "fused": True}
    plain = make_optimizer(weights, **constant)
    decayed = make_optimizer(weights, weight_decay=0.2, **constant)
    one_cycle = make_optimizer(weights, schedule="one-cycle", learning_rate=1e-3, fused=True)
    assert (type(plain).__name__, plain.param_groups[0]["weight_decay"]) == ("Adam", 0)
    assert isinstance(decayed, AdamW)
    assert [optimizer.param_groups[0]["weight_decay"] for optimizer in (decayed, one_cycle)] == [0.2, 1e-2]


def test_a_segmentation_refuses_before_anything_is_read(two):
    from firstread.core.tasks import Segmentation

    model = build_model(task=Segmentation(("liver",)), size=32)
    with pytest.raises(SettingError, match="class_weights has no meaning here"):
        train(model, two, epochs=1, class_weights="balanced")


def test_the_remark_on_uneven_classes_names_the_remedy_until_it_is_taken(two, capsys):
    loud = {**QUICK, "quiet": False}
    train(network(two), two, epochs=1, checkpoints=False, **loud)
    assert 'sampler="balanced") shows each class equally often; class_weights="balanced"' in capsys.readouterr().err
    train(network(two), two, epochs=1, checkpoints=False, sampler="balanced", **loud)
    said = capsys.readouterr().err
    assert "The classes are uneven" in said
    assert "sampler" not in said


def test_every_setting_stands_in_the_signature_and_the_help_of_train():
    parameters = inspect.signature(train).parameters
    documented = inspect.getdoc(train) or ""
    assert [name for name in SETTING_NAMES if name not in parameters] == []
    assert [name for name in SETTING_NAMES if f"    {name}: " not in documented] == []
