"""Early stopping: the best epoch is kept with and without files, and what goes on from where is said."""

import numpy as np
import pytest
import torch

from firstread.core.errors import SettingError
from firstread.learning import cross_validation, trainer
from firstread.learning.cross_validation import cross_validate, repeat_split, train_by_recipe
from firstread.learning.early_stopping import EarlyStopping
from firstread.learning.models import build_model
from firstread.learning.run_record import RunRecord
from firstread.learning.training import continue_training, train

QUICK = {"schedule": "one-cycle", "learning_rate": 1e-3, "batch_size": 4}
RECIPE = {"backbone": "mobilenetv3_small_050", "size": 32, "weights": "none", "batch_size": 4}


def network(seed=0):
    return build_model("mobilenetv3_small_050", classes=("dark", "bright"), size=32, weights="none", seed=seed)


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture
def scripted(monkeypatch):
    """Give each epoch the next of some validation losses; returns the network's weights after each epoch."""
    after = []

    def script(*losses):
        left = iter(losses)

        def validate(network, batches, *, objective):
            after.append(weights_of(objective.model))
            return {"validation_loss": next(left), "validation_accuracy": 0.5}

        monkeypatch.setattr(trainer, "validate", validate)
        return after

    return script


@pytest.mark.parametrize("checkpoints", [True, False])
@pytest.mark.parametrize("freeze", [True, False])
def test_the_best_epoch_is_given_back_with_and_without_files(tiny_cohort, tmp_path, scripted, checkpoints, freeze):
    after, model = scripted(0.5, 0.3, 0.6, 0.7), network()
    settings = {"freeze": freeze, "checkpoints": checkpoints, "folder": tmp_path / "run", "quiet": True}
    run = train(model, tiny_cohort, epochs=9, patience=2, **settings, **QUICK)
    assert run.epochs == 4
    assert same(after[1], model.state_dict())
    assert not same(after[3], model.state_dict())
    assert run.metadata["kept_epoch"] == 2
    assert "Stopped after 4 epochs: 2 without a lower validation loss." in run.metadata["messages"]
    assert run.metadata["messages"][-1].startswith("The network is that of epoch 2 of 4, whose validation loss was")
    assert (tmp_path / "run").exists() == checkpoints


def test_the_best_epoch_is_kept_too_where_patience_was_not_used_up(tiny_cohort, scripted):
    after, model = scripted(0.5, 0.3, 0.6), network()
    run = train(model, tiny_cohort, epochs=3, patience=5, checkpoints=False, quiet=True, **QUICK)
    assert same(after[1], model.state_dict())
    assert run.metadata["kept_epoch"] == 2


def test_without_patience_the_last_epoch_is_kept(tiny_cohort, scripted):
    after, model = scripted(0.5, 0.3, 0.6), network()
    run = train(model, tiny_cohort, epochs=3, checkpoints=False, quiet=True, **QUICK)
    assert same(after[2], model.state_dict())
    assert "kept_epoch" not in run.metadata


@pytest.mark.parametrize("checkpoints", [True, False])
def test_what_goes_on_from_the_best_epoch_says_so(tiny_cohort, tmp_path, scripted, capsys, checkpoints):
    after, model = scripted(0.5, 0.3, 0.6, 0.7, 0.2), network()
    settings = {"checkpoints": checkpoints, "folder": tmp_path / "run"}
    run = train(model, tiny_cohort, epochs=9, patience=2, **settings, **QUICK)
    capsys.readouterr()
    child = train(model, tiny_cohort, epochs=1, resume=run, learning_rate=1e-9, checkpoints=False)
    message = "Goes on from epoch 2, the best of the run before, not from epoch 4, its last."
    assert message in capsys.readouterr().err
    assert message in child.metadata["messages"]
    head = [name for name in after[1] if name.startswith("head")]
    assert all(torch.allclose(after[1][name], after[4][name], atol=1e-6) for name in head)


def test_a_training_that_was_killed_before_it_took_the_best_epoch_takes_it(
    tiny_cohort, tmp_path, scripted, monkeypatch
):
    after = scripted(0.5, 0.3, 0.6)

    def killed(self, model):
        raise SystemExit

    restore_best_epoch = RunRecord.restore_best_epoch
    monkeypatch.setattr(RunRecord, "restore_best_epoch", killed)
    with pytest.raises(SystemExit):
        train(network(), tiny_cohort, epochs=3, patience=5, folder=tmp_path / "run", quiet=True, **QUICK)
    monkeypatch.setattr(RunRecord, "restore_best_epoch", restore_best_epoch)
    model, run = continue_training(tmp_path / "run", tiny_cohort)
    assert run.metadata["kept_epoch"] == 2
    assert same(after[1], model.state_dict())


def test_a_recipe_is_measured_at_its_best_epoch(tiny_cohort, scripted):
    after = scripted(0.5, 0.3, 0.6, 0.7, 0.4, 0.5, 0.6)
    phases = [{"epochs": 9, "freeze": True}, {"epochs": 9}]
    model = train_by_recipe(tiny_cohort, {**RECIPE, "patience": 2, "phases": phases}, seed=0)
    assert len(after) == 7
    assert same(after[4], model.state_dict())


@pytest.mark.parametrize("measure", [cross_validate, repeat_split])
@pytest.mark.parametrize("place", ["recipe", "phase"])
def test_where_no_split_is_left_to_watch_patience_is_refused(tiny_cohort, monkeypatch, measure, place):
    monkeypatch.setattr(cross_validation, "train", lambda *_a, **_k: pytest.fail("it was trained"))
    recipe = {**RECIPE, "phases": [{"epochs": 2}]}
    (recipe if place == "recipe" else recipe["phases"][0])["patience"] = 1
    with pytest.raises(SettingError, match=r"patience chooses the epoch by a validation split, and there is none here"):
        measure(tiny_cohort, recipe=recipe, seeds=(0,))


def test_the_best_loss_is_the_first_of_equals():
    stopping = EarlyStopping(2, [{"validation_loss": 0.5}])
    assert [stopping.update(loss) for loss in (0.5, 0.4, np.nan, 0.4)] == [False, True, False, False]
    assert stopping.should_stop
