"""Fine-tuning keeps what a network learnt while its backbone was frozen: the recipe of lesson 1, on a small case."""

import copy

import pytest
import torch
from torch import nn

import firstread as fr
from firstread.core.errors import SettingError
from firstread.lessons.lesson_info import find_lesson


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    cohort = fr.simulate_patients(20, size=96, seed=21, folder=tmp_path_factory.mktemp("radiographs"))
    return fr.split_by_patient(cohort, fractions=(0.7, 0.3, 0.0), seed=0)


@pytest.fixture(scope="module")
def recipe():
    return find_lesson("hello-world").values["recipe"]


def statistics_of(model):
    return {name: value.clone() for name, value in model.state_dict().items() if "running_" in name}


def changed(before, model):
    return [name for name, value in statistics_of(model).items() if not torch.equal(value, before[name])]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_lessons_recipe_does_not_spoil_what_the_head_has_learnt(radiographs, recipe, seed):
    model = fr.build_model(classes=radiographs.classes, size=96, weights="phantom", seed=seed)
    settings = {"seed": seed, "quiet": True, "checkpoints": False}
    run = fr.train(model, radiographs, freeze=True, **settings, **recipe["frozen"])
    before = run.history[-1]
    run = fr.train(model, radiographs, resume=run, **settings, **recipe["unfrozen"])
    assert run.history[-1]["validation_loss"] <= before["validation_loss"]
    first_unfrozen = run.history[before["epoch"]]
    assert first_unfrozen["train_loss"] < 2 * before["train_loss"] + 0.1


def test_statistics_of_each_batch_are_what_spoilt_it(radiographs, recipe):
    """Even at a rate that changes next to no weight the loss jumps: the reason for `batch_norm="auto"`."""
    model = fr.build_model(classes=radiographs.classes, size=96, weights="phantom", dropout=0.0, seed=0)
    settings = {"quiet": True, "checkpoints": False}
    run = fr.train(model, radiographs, freeze=True, **settings, **recipe["frozen"])
    losses = {}
    for batch_norm in ("auto", "fixed", "batch"):
        copied = copy.deepcopy(model)
        after = fr.train(
            copied, radiographs, resume=run, epochs=1, learning_rate=1e-7, batch_norm=batch_norm, **settings
        )
        losses[batch_norm] = after.history[-1]["train_loss"]
    assert losses["auto"] == losses["fixed"]
    assert losses["batch"] > 2 * losses["fixed"]


@pytest.mark.parametrize(
    ("weights", "freeze_first", "batch_norm", "moves"),
    [
        ("phantom", True, "auto", False),
        ("phantom", True, "batch", True),
        ("phantom", False, "auto", True),
        ("phantom", False, "fixed", False),
        ("none", True, "auto", True),
        ("none", False, "auto", True),
    ],
)
def test_whose_statistics_move(radiographs, weights, freeze_first, batch_norm, moves):
    model = fr.build_model("regnetx_002", classes=radiographs.classes, size=32, weights=weights)
    model.fitted.fill_(True)  # random weights take their statistics from the training images once, whatever is asked
    settings = {"epochs": 1, "quiet": True, "checkpoints": False}
    before, run = statistics_of(model), None
    if freeze_first:
        run = fr.train(model, radiographs, freeze=True, **settings)
        assert not changed(before, model)
    fr.train(model, radiographs, resume=run, batch_norm=batch_norm, **settings)
    assert bool(changed(before, model)) == moves
    assert not model.training
    assert all(not layer.training for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))


def test_a_third_training_remembers_that_the_first_was_frozen(radiographs):
    model = fr.build_model(classes=radiographs.classes, size=32, weights="phantom")
    settings = {"epochs": 1, "quiet": True, "checkpoints": False}
    run = fr.train(model, radiographs, freeze=True, **settings)
    run = fr.train(model, radiographs, resume=run, **settings)
    before = statistics_of(model)
    fr.train(model, radiographs, resume=run, **settings)
    assert not changed(before, model)


def test_the_range_test_follows_the_run_that_it_is_told(radiographs):
    model = fr.build_model(classes=radiographs.classes, size=32, weights="phantom", dropout=0.0)
    run = fr.train(model, radiographs, freeze=True, epochs=1, quiet=True, checkpoints=False)
    settings = {"steps": 20, "rates": (1e-8, 1e-7), "quiet": True}
    told, fixed, plain, batch = (
        fr.find_learning_rate(model, radiographs, **settings, **more).raw_losses.tolist()
        for more in ({"resume": run}, {"batch_norm": "fixed"}, {}, {"batch_norm": "batch"})
    )
    assert told == fixed
    assert plain == batch != fixed


def test_the_weights_of_fixed_batch_norm_still_learn(radiographs):
    model = fr.build_model(classes=radiographs.classes, size=32, weights="phantom")
    layer = next(layer for layer in model.backbone.modules() if isinstance(layer, nn.BatchNorm2d))
    before = layer.weight.clone()
    fr.train(model, radiographs, epochs=1, batch_norm="fixed", quiet=True, checkpoints=False)
    assert not torch.equal(before, layer.weight)


def test_the_setting_is_kept_with_the_run_and_a_typo_is_refused(radiographs):
    model = fr.build_model("test_resnet", classes=radiographs.classes, size=32, weights="none")
    run = fr.train(model, radiographs, epochs=1, batch_norm="fixed", quiet=True, checkpoints=False)
    assert run.settings[-1]["batch_norm"] == "fixed"
    with pytest.raises(SettingError, match='batch_norm="frozen" is not possible'):
        fr.train(model, radiographs, epochs=1, batch_norm="frozen")
