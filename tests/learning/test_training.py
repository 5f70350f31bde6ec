"""Training: it learns, it resumes, it loses nothing, and it says in a sentence what it cannot do."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from firstread.core.errors import DataError, SettingError
from firstread.core.run import Run
from firstread.learning import trainer
from firstread.learning.augmentation import Augmentation
from firstread.learning.loop import batch_slices
from firstread.learning.models import build_model, load_model
from firstread.learning.prediction import predict
from firstread.learning.training import continue_training, train


def network(seed=0, **arguments):
    return build_model("resnet18", classes=("dark", "bright"), size=32, dropout=0.2, seed=seed, **arguments)


QUICK = {"schedule": "one-cycle", "learning_rate": 1e-3, "batch_size": 4}


def test_every_training_of_a_network_has_the_precision_that_was_asked_for(tiny_cohort):
    model, half = network(), []
    model.backbone.register_forward_hook(
        lambda *_: half.append(torch.is_autocast_enabled("cpu")) if model.training else None
    )
    for _ in range(3):
        train(model, tiny_cohort, epochs=1, precision="bfloat16", checkpoints=False, **QUICK)
        assert all(half), "autocast was off"
        half.clear()
    train(model, tiny_cohort, epochs=1, precision="float32", checkpoints=False, **QUICK)
    assert not any(half), "autocast was on"
    assert "forward" not in vars(model), "the network is still wrapped"


def test_it_learns_and_keeps_a_run(tiny_cohort, tmp_path):
    model = network()
    run = train(model, tiny_cohort, epochs=4, folder=tmp_path / "run", arms={"augmentation": "off"}, **QUICK)
    assert run.epochs == 4
    assert run.history[-1]["train_loss"] < run.history[0]["train_loss"]
    predictions = predict(model, tiny_cohort.test, baselines=False)
    assert (predictions.predicted == predictions.truth).mean() == 1.0
    loaded = Run.load(tmp_path / "run")
    assert loaded.history == run.history
    assert loaded.arms == {"augmentation": "off"}
    assert load_model(tmp_path / "run" / "last.safetensors").classes == model.classes


def test_a_frozen_backbone_does_not_move_and_neither_does_its_batchnorm(tiny_cohort):
    model = network()
    train(model, tiny_cohort, epochs=1, checkpoints=False, **QUICK)
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    head, mean = model.head[0].weight.clone(), model.mean.clone()
    train(model, tiny_cohort, epochs=1, freeze=True, checkpoints=False, batch_size=4, learning_rate=1e-2)
    assert all(torch.equal(v, model.backbone.state_dict()[k]) for k, v in before.items())
    assert torch.equal(mean, model.mean)
    assert not torch.equal(head, model.head[0].weight)


def test_frozen_batchnorm_statistics_stay_through_a_resumed_phase(tiny_cohort):
    model = network()
    run = train(model, tiny_cohort, epochs=1, freeze=True, checkpoints=False, **QUICK)
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    train(model, tiny_cohort, epochs=1, freeze=True, resume=run, checkpoints=False, **QUICK)
    assert all(torch.equal(v, model.backbone.state_dict()[k]) for k, v in before.items())


def test_resuming_continues_the_history(tiny_cohort, tmp_path):
    model = network()
    first = train(model, tiny_cohort, epochs=2, freeze=True, folder=tmp_path / "r", **QUICK)
    second = train(model, tiny_cohort, epochs=1, resume=first, **QUICK)
    assert [row["epoch"] for row in second.history] == [1, 2, 3]
    assert [row["phase"] for row in second.history] == ["frozen", "frozen", "unfrozen"]
    assert second.history[:2] == first.history
    assert len(second.settings) == 2


def test_the_same_seed_trains_the_same_network_bit_by_bit(tiny_cohort):
    states = []
    for _ in range(2):
        model = network()
        augmentation = Augmentation(rotate_degrees=10, flip=True)
        train(model, tiny_cohort, epochs=2, augmentation=augmentation, checkpoints=False, deterministic=True, **QUICK)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize(
    ("settings", "losses"),
    [
        ({"schedule": "one-cycle"}, [0.708633, 0.674171, 0.775327]),
        ({"schedule": "constant", "freeze": True}, [0.709181, 0.590543, 0.513544]),
    ],
)
def test_the_losses_of_a_small_training_stay_what_they_were(tiny_cohort, settings, losses):
    model = build_model("mobilenetv3_small_050", classes=("dark", "bright"), size=32, dropout=0.2, weights="none")
    settings = {"learning_rate": 1e-3, "batch_size": 4, "precision": "float32", "quiet": True, **settings}
    run = train(model, tiny_cohort, epochs=3, checkpoints=False, **settings)
    assert run.table["train_loss"].tolist() == pytest.approx(losses, abs=2e-3)  # processors round differently


def test_continuing_an_interrupted_training_ends_where_it_would_have(tiny_cohort, tmp_path, monkeypatch):
    whole = network()
    train(whole, tiny_cohort, epochs=4, folder=tmp_path / "whole", **QUICK)
    calls = []

    def interrupted(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)

    real = trainer.run_one_epoch
    monkeypatch.setattr(trainer, "run_one_epoch", interrupted)
    broken = train(network(), tiny_cohort, epochs=4, folder=tmp_path / "broken", **QUICK)
    assert broken.epochs == 2
    monkeypatch.setattr(trainer, "run_one_epoch", real)
    mended, run = continue_training(tmp_path / "broken", tiny_cohort)
    assert run.epochs == 4
    assert all(torch.allclose(v, mended.state_dict()[k], atol=1e-6) for k, v in whole.state_dict().items())


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX systems")
def test_kill_9_loses_at_most_one_epoch(tiny_cohort, tmp_path):
    tiny_cohort.save(tmp_path / "cohort")
    code = (
        "import sys; from firstread.core.cohort import Cohort; from firstread.learning.models import build_model;"
        "from firstread.learning.training import train;"
        "c = Cohort.load(sys.argv[1]); m = build_model('resnet18', classes=c.classes, size=32);"
        "train(m, c, epochs=500, batch_size=4, folder=sys.argv[2])"
    )
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "cohort"), str(folder)], stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (folder / "run.json").exists():
            time.sleep(0.05)
        time.sleep(1.0)
        seen = Run.load(folder).epochs
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = Run.load(folder)
    assert kept.epochs >= seen >= 1
    assert load_model(folder / "last.safetensors").classes == tiny_cohort.classes
    model, run = load_model(folder / "last.safetensors"), kept
    ahead = {
        0,
        1,
    }  # killed between the checkpoint and run.json, the checkpoint is one epoch ahead, and goes on from there
    assert train(model, tiny_cohort, epochs=1, resume=run, batch_size=4).epochs - kept.epochs - 1 in ahead


def test_patience_stops_and_gives_back_the_best_epoch(tiny_cohort, tmp_path, monkeypatch, capsys):
    losses = iter([0.5, 0.3, 0.6, 0.7, 0.8, 0.9])
    monkeypatch.setattr(
        trainer, "validate", lambda *_a, **_k: {"validation_loss": next(losses), "validation_accuracy": 0.5}
    )
    model = network()
    run = train(model, tiny_cohort, epochs=6, patience=2, folder=tmp_path / "r", **QUICK)
    assert run.epochs == 4
    assert "Stopped after 4 epochs" in capsys.readouterr().err
    best = load_model(tmp_path / "r" / "best.safetensors").state_dict()
    assert all(torch.equal(best[k], v) for k, v in model.state_dict().items())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "going on with 2 images a step"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "going on with 2 images a step"),
    ],
)
def test_memory_running_out_halves_the_batch_and_goes_on(tiny_cohort, monkeypatch, capsys, error, message):
    real, failed = trainer.run_one_epoch, []

    def fails_once(*arguments, **keywords):
        if not failed:
            failed.append(1)
            raise error
        return real(*arguments, **keywords)

    monkeypatch.setattr(trainer, "run_one_epoch", fails_once)
    run = train(network(), tiny_cohort, epochs=2, checkpoints=False, **QUICK)
    assert run.epochs == 2
    assert message in capsys.readouterr().err
    assert message in run.metadata["messages"][0]


def test_another_error_is_not_swallowed(tiny_cohort, monkeypatch):
    def fails(*_arguments, **_keywords):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(trainer, "run_one_epoch", fails)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(network(), tiny_cohort, epochs=1, checkpoints=False)


def test_a_failing_gpu_is_left_for_the_processor():
    from firstread.learning.devices import recovery_for

    change = recovery_for(RuntimeError("CUDA error: device-side assert triggered"), batch_size=8, on_cpu=False)
    assert change["device"] == "cpu"
    assert "processor" in change["message"]
    assert recovery_for(RuntimeError("CUDA error"), batch_size=8, on_cpu=True) is None


def test_training_that_runs_away_says_so(tiny_cohort):
    model = network()
    with torch.no_grad():
        model.head[-1].bias.fill_(float("nan"))
    with pytest.raises(DataError, match="no longer a number"):
        train(model, tiny_cohort, epochs=1, checkpoints=False)


def test_a_gpu_that_is_not_there(tiny_cohort):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(SettingError, match="no such GPU here"):
        train(network(), tiny_cohort, epochs=1, device="cuda", checkpoints=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"epochs": 1, "learning_rat": 1}, 'Did you mean "learning_rate"'),
        ({"epochs": 1, "schedule": "onecycle"}, 'Did you mean "one-cycle"'),
        ({"epochs": 1, "batch_size": 0}, "batch_size=0"),
        ({"epochs": 1, "learning_rate": -1.0}, "learning_rate=-1.0"),
        ({}, "epochs or minutes, and neither"),
        ({"epochs": 1, "minutes": 1}, "epochs or minutes, and both"),
        ({"minutes": 0}, "minutes=0"),
    ],
)
def test_impossible_settings_are_refused(tiny_cohort, settings, message):
    with pytest.raises(SettingError, match=message):
        train(network(), tiny_cohort, **settings)


def test_bad_data_are_refused_in_a_sentence(tiny_cohort):
    table = tiny_cohort.table
    with pytest.raises(DataError, match="no training images"):
        train(network(), tiny_cohort.where(table["split"] == "test"), epochs=1)
    one_class = tiny_cohort.where((table["split"] != "train") | (table["label"] == "dark"))
    with pytest.raises(DataError, match="No training image of the class bright"):
        train(network(), one_class, epochs=1)
    hidden = tiny_cohort.with_column("label", [None, *table["label"][1:]])
    with pytest.raises(DataError, match="1 training images have no label"):
        train(network(), hidden, epochs=1)
    with pytest.raises(SettingError, match="different classes"):
        train(build_model("resnet18", classes=("a", "b"), size=32), tiny_cohort, epochs=1)


def test_without_validation_it_trains_and_says_what_is_missing(tiny_cohort, capsys):
    run = train(
        network(), tiny_cohort.where(tiny_cohort.table["split"] != "validation"), epochs=1, checkpoints=False, **QUICK
    )
    assert run.history[0]["validation_loss"] is None
    assert "no validation split" in capsys.readouterr().err


def test_no_image_is_dropped_and_no_batch_has_one_image():
    for count in range(2, 70):
        for size in (1, 2, 3, 8, 64):
            slices = batch_slices(count, size)
            covered = np.concatenate([np.arange(count)[s] for s in slices])
            assert covered.tolist() == list(range(count))
            if size > 1:
                assert min(s.stop - s.start for s in slices) >= 2
