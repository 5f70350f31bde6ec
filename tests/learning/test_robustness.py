"""Training on machines that fail, and in hands that repeat themselves: nothing is lost and nothing is overwritten."""

import inspect
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch

from firstread.core.errors import DataError, SettingError
from firstread.core.run import Run
from firstread.learning import trainer
from firstread.learning.augmentation import Augmentation
from firstread.learning.checkpoints import load_checkpoint
from firstread.learning.examples import ArrayExamples
from firstread.learning.loop import run_one_epoch, shuffled_batches
from firstread.learning.models import build_model
from firstread.learning.training import continue_training, train

QUICK = {"schedule": "one-cycle", "learning_rate": 1e-3, "batch_size": 6}


def network(seed=0):
    return build_model("mobilenetv3_small_050", classes=("dark", "bright"), size=32, dropout=0.0, seed=seed)


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_second_run_in_the_same_folder_does_not_overwrite_the_first(tiny_cohort, tmp_path):
    first = train(network(), tiny_cohort, epochs=1, folder=tmp_path / "run", **QUICK)
    second = train(network(1), tiny_cohort, epochs=2, folder=tmp_path / "run", **QUICK)
    assert second.folder == tmp_path / "run-2"
    assert Run.load(first.folder).history == first.history


def test_two_branches_from_one_run_do_not_touch_each_other_nor_their_parent(tiny_cohort, tmp_path, capsys):
    base_model = network()
    base = train(base_model, tiny_cohort, epochs=1, folder=tmp_path / "base", **QUICK)
    kept = {file.name: file.read_bytes() for file in base.folder.iterdir()}
    first = train(base_model, tiny_cohort, epochs=2, resume=base, folder=tmp_path / "a", **QUICK)
    other_model = network(1)
    second = train(other_model, tiny_cohort, epochs=1, resume=base, folder=tmp_path / "b", **QUICK)
    assert (first.epochs, second.epochs) == (3, 2)
    assert (first.folder.name, second.folder.name) == ("a", "b")
    assert first.parent == second.parent == base.id
    assert first.history[:1] == second.history[:1] == base.history
    assert {file.name: file.read_bytes() for file in base.folder.iterdir()} == kept
    assert "has the weights again" in capsys.readouterr().err
    assert "has the weights again" in second.metadata["messages"][-1]


def test_the_cell_was_run_twice(tiny_cohort, tmp_path):
    """The second time it begins where the first time began: the run that it names is not changed by what followed."""
    model = network()
    base = train(model, tiny_cohort, epochs=1, folder=tmp_path / "run", **QUICK)
    ones = train(model, tiny_cohort, epochs=1, resume=base, **QUICK)
    again = train(model, tiny_cohort, epochs=1, resume=base, quiet=True, **QUICK)
    assert (ones.folder.name, again.folder.name) == ("run-2", "run-3")
    assert again.history[-1]["train_loss"] == ones.history[-1]["train_loss"]
    assert again.epochs == 2
    assert "has the weights again" in again.metadata["messages"][-1]


def test_what_does_not_belong_to_a_run_is_refused(tiny_cohort, tmp_path):
    model = network()
    run = train(model, tiny_cohort, epochs=1, checkpoints=False, **QUICK)
    with pytest.raises(SettingError, match="not the network as the run left it"):
        train(network(), tiny_cohort, epochs=1, resume=run, **QUICK)
    with pytest.raises(SettingError, match=r"different network.*backbone: resnet18, the run's: mobilenetv3_small_050"):
        train(build_model("resnet18", classes=("dark", "bright"), size=64), tiny_cohort, epochs=1, resume=run)
    labels = tiny_cohort.table["label"].to_numpy()
    with pytest.raises(SettingError, match="another cohort"):
        train(model, tiny_cohort.with_column("label", labels[::-1]), epochs=1, resume=run, **QUICK)
    whole = train(model, tiny_cohort, epochs=1, folder=tmp_path / "run", **QUICK)
    with pytest.raises(DataError, match="begun with another cohort"):
        continue_training(whole.folder, tiny_cohort.with_column("label", labels[::-1]))


def test_with_patience_a_child_goes_on_from_the_best_epoch(tiny_cohort, tmp_path, monkeypatch):
    losses = iter([0.5, 0.3, 0.6, 0.7])
    real = trainer.validate
    monkeypatch.setattr(
        trainer, "validate", lambda *_a, **_k: {"validation_loss": next(losses), "validation_accuracy": 0.5}
    )
    model = network()
    run = train(model, tiny_cohort, epochs=4, patience=2, folder=tmp_path / "run", **QUICK)
    best = weights_of(model)
    assert run.metadata["kept_epoch"] == 2
    assert run.weights_file.name == "best.safetensors"
    monkeypatch.setattr(trainer, "validate", real)
    started = []
    one_epoch = trainer.run_one_epoch

    def watch(network, *arguments, **keywords):
        started.append(weights_of(keywords["objective"].model))
        return one_epoch(network, *arguments, **keywords)

    monkeypatch.setattr(trainer, "run_one_epoch", watch)
    child = train(model, tiny_cohort, epochs=1, resume=run, **QUICK)
    other = train(network(5), tiny_cohort, epochs=1, resume=Run.load(run.folder), **QUICK)
    assert same(started[0], best)
    assert same(started[1], best)
    assert [row["epoch"] for row in child.history] == [1, 2, 3, 4, 5] == [row["epoch"] for row in other.history]


def test_epochs_without_checkpoints_are_not_undone_by_an_older_checkpoint(tiny_cohort, tmp_path):
    model = network()
    run = train(model, tiny_cohort, epochs=1, folder=tmp_path / "run", **QUICK)
    run = train(model, tiny_cohort, epochs=1, resume=run, checkpoints=False, **QUICK)
    before = weights_of(model)
    train(model, tiny_cohort, epochs=1, resume=run, freeze=True, checkpoints=False, **QUICK)
    backbone = {name: value for name, value in before.items() if name.startswith("backbone.")}
    assert same(backbone, model.state_dict())


def test_interrupted_in_the_middle_of_an_epoch_the_network_is_that_of_the_last_whole_one(
    tiny_cohort, tmp_path, monkeypatch, capsys
):
    real, calls = trainer.run_one_epoch, []

    def interrupted(module, batches, **keywords):
        calls.append(1)
        result = real(module, batches, **keywords)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(trainer, "run_one_epoch", interrupted)
    model = network()
    run = train(model, tiny_cohort, epochs=3, folder=tmp_path / "run", **QUICK)
    assert run.epochs == 1
    assert "resume=run" in capsys.readouterr().err
    kept, _ = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert same(model.state_dict(), kept)
    assert Run.load(run.folder).metadata["interrupted"] is True
    assert "interrupted" not in train(model, tiny_cohort, epochs=1, resume=run, **QUICK).metadata


def test_interrupted_in_the_first_epoch_nothing_has_happened_and_nothing_goes_on(tiny_cohort, tmp_path, monkeypatch):
    real = trainer.run_one_epoch

    def interrupted(*arguments, **keywords):
        real(*arguments, **keywords)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "run_one_epoch", interrupted)
    model = network()
    model.fit_normalization(tiny_cohort.train.images(32))
    before = weights_of(model)
    with pytest.raises(KeyboardInterrupt, match="before the first epoch was whole"):
        train(model, tiny_cohort, epochs=3, folder=tmp_path / "run", **QUICK)
    assert same(before, model.state_dict())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert Run.load(tmp_path / "run").metadata["interrupted"] is True


@pytest.mark.parametrize("checkpoints", [True, False])
def test_an_epoch_that_ran_out_of_memory_is_done_again_from_its_beginning(
    tiny_cohort, tmp_path, monkeypatch, checkpoints
):
    """Its images in the same order, its weights and Adam's state as before: only the batches are smaller."""
    seen, real = [], trainer.run_one_epoch

    def fails_after_some_steps(network, batches, **keywords):
        optimizer = keywords["optimizer"]
        state = optimizer.state_dict()["state"]
        seen.append(
            (weights_of(keywords["objective"].model), {k: float(v["exp_avg"].abs().sum()) for k, v in state.items()})
        )
        row = real(network, batches, **keywords)
        if len(seen) == 2:
            raise torch.OutOfMemoryError("out of memory")
        return row

    monkeypatch.setattr(trainer, "run_one_epoch", fails_after_some_steps)
    run = train(network(), tiny_cohort, epochs=2, folder=tmp_path / "run", checkpoints=checkpoints, **QUICK)
    assert run.epochs == 2
    assert same(seen[1][0], seen[2][0])
    assert seen[1][1] == seen[2][1]
    assert any(seen[1][1].values())


def test_what_its_owner_froze_stays_frozen(tiny_cohort):
    model = network()
    model.fit_normalization(tiny_cohort.train.images(32))
    before = weights_of(model)
    for name, parameter in model.backbone.named_parameters():
        parameter.requires_grad_(not name.startswith(("conv_stem", "bn1", "blocks.0")))
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    run = train(model, tiny_cohort, epochs=1, checkpoints=False, **QUICK)
    train(model, tiny_cohort, epochs=1, freeze=True, resume=run, checkpoints=False, **QUICK)
    assert frozen == {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    after = model.state_dict()
    statistics = [name for name in before if name.startswith("backbone.bn1.running")]
    assert len(frozen) > 5
    assert all(torch.equal(before[name], after[name]) for name in (*frozen, *statistics))
    assert not torch.equal(before["backbone.conv_head.weight"], after["backbone.conv_head.weight"])
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(SettingError, match="every weight of the network is frozen"):
        train(model, tiny_cohort, epochs=1, checkpoints=False, **QUICK)


def test_gradients_that_were_left_behind_do_not_count(tiny_cohort):
    clean, other = network(), network()
    for parameter in other.parameters():
        parameter.grad = torch.ones_like(parameter)
    one, two = (train(m, tiny_cohort, epochs=1, checkpoints=False, **QUICK).history[0] for m in (clean, other))
    assert one["train_loss"] == two["train_loss"]


def test_a_gpu_that_dies_takes_nothing_with_it(tiny_cohort, monkeypatch, capsys):
    """The "GPU" is the processor in disguise; when it fails, its memory is gone."""
    monkeypatch.setattr(trainer.Trainer, "_on_gpu", property(lambda self: self.device != "cpu"))
    real, state = trainer.run_one_epoch, {"failed": False}

    def dies(module, batches, **keywords):
        if not state["failed"]:
            state["failed"] = True
            with torch.no_grad():
                for value in module.parameters():
                    value.fill_(float("nan"))
            raise RuntimeError("CUDA error: unspecified launch failure")
        return real(module, batches, **keywords)

    monkeypatch.setattr(trainer, "run_one_epoch", dies)
    run = train(network(), tiny_cohort, epochs=2, checkpoints=False, **QUICK)
    assert run.epochs == 2
    assert np.isfinite(run.history[-1]["train_loss"])
    assert "The GPU failed: going on with the processor" in capsys.readouterr().err


def test_memory_running_out_while_validating_is_survived_too(tiny_cohort, monkeypatch):
    real, failed = trainer.validate, []

    def fails_once(*arguments, **keywords):
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*arguments, **keywords)

    monkeypatch.setattr(trainer, "validate", fails_once)
    run = train(network(), tiny_cohort, epochs=2, checkpoints=False, **QUICK)
    assert run.epochs == 2
    assert "3 images a step" in run.metadata["messages"][0]


def test_patience_without_validation_is_said_and_not_used(tiny_cohort, capsys):
    cohort = tiny_cohort.where(tiny_cohort.table["split"] != "validation")
    run = train(network(), cohort, epochs=3, patience=1, checkpoints=False, **QUICK)
    assert run.epochs == 3
    assert "patience has no meaning" in capsys.readouterr().err


def test_uneven_classes_are_stated(tiny_cohort, capsys):
    table = tiny_cohort.table
    rare = (table["label"] == "dark") & (table["split"] == "train") & (np.arange(len(table)) > 3)
    run = train(network(), tiny_cohort.where(~rare), epochs=1, checkpoints=False, **QUICK)
    assert "Always saying bright would be right in 75%" in capsys.readouterr().err
    assert any("uneven" in message for message in run.metadata["messages"])


def test_quiet_keeps_what_it_does_not_print(tiny_cohort, capsys):
    cohort = tiny_cohort.where(tiny_cohort.table["split"] != "validation")
    run = train(network(), cohort, epochs=1, checkpoints=False, quiet=True, **QUICK)
    assert capsys.readouterr().err == ""
    assert "no validation split" in run.metadata["messages"][0]


def test_validation_images_are_never_augmented(tiny_cohort, monkeypatch):
    seen = []
    real = Augmentation.__call__
    monkeypatch.setattr(
        Augmentation, "__call__", lambda self, batch, g: seen.append(len(batch)) or real(self, batch, g)
    )
    train(network(), tiny_cohort, epochs=2, augmentation=Augmentation(flip=True), checkpoints=False, **QUICK)
    assert sum(seen) == 2 * len(tiny_cohort.train)


def test_normalisation_comes_from_the_training_images_alone(tiny_cohort):
    model = network()
    train(model, tiny_cohort, epochs=1, checkpoints=False, **QUICK)
    expected = tiny_cohort.train.images(32).mean() / 255
    assert float(model.mean) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_processes_share_every_image_and_take_the_same_number_of_steps(count):
    model = network()
    for images in (7, 12, 25):
        pixels = np.repeat(np.arange(images, dtype=np.uint8)[:, None, None], 32, 1).repeat(32, 2)
        shares = []
        for index in range(count):
            generator = torch.Generator().manual_seed(5)
            batches = shuffled_batches(
                ArrayExamples(pixels, np.arange(images)),
                prepare=model.prepare,
                batch_size=3,
                generator=generator,
                augmentation=None,
                shard=(index, count),
            )
            shares.append([targets.tolist() for _, targets in batches])
        assert len({len(share) for share in shares}) == 1
        assert {t for share in shares for batch in share for t in batch} == set(range(images))
        assert min(len(batch) for share in shares for batch in share) >= 2


def test_two_classes_with_an_empty_run_folder_cannot_be_continued(tmp_path, tiny_cohort):
    with pytest.raises(DataError, match="checkpoint cannot be read"):
        continue_training(tmp_path, tiny_cohort)


def test_arguments_in_the_wrong_order(tiny_cohort):
    with pytest.raises(SettingError, match=r"a network and a cohort.*Cohort, which has no"):
        train(tiny_cohort, network(), epochs=1)
    with pytest.raises(SettingError, match="a network and a cohort"):
        train(network(), "cohort", epochs=1)
    with pytest.raises(SettingError, match="is not a run"):
        train(network(), tiny_cohort, epochs=1, resume="run")


def test_a_run_of_other_classes_is_not_resumed(tiny_cohort):
    run = train(network(), tiny_cohort, epochs=1, checkpoints=False, **QUICK)
    other = build_model("mobilenetv3_small_050", classes=("a", "b"), size=32)
    with pytest.raises(SettingError, match=r"had other classes.*dark, bright"):
        train(other, tiny_cohort, epochs=1, resume=run)


def test_the_loop_is_short_enough_for_a_lesson():
    source = inspect.getsource(run_one_epoch)
    assert len(source.splitlines()) <= 30
    assert "(N, C, S, S)" in source


PROCESSES = """
import json, os, sys
from pathlib import Path
from firstread.core.cohort import Cohort
from firstread.learning.models import build_model
from firstread.learning.training import train
cohort = Cohort.load(sys.argv[1])
model = build_model("mobilenetv3_small_050", classes=cohort.classes, size=32, dropout=0.0)
run = train(model, cohort, epochs=2, schedule="one-cycle", batch_size=4, folder=sys.argv[2], device="cpu", quiet=True)
run = train(model, cohort, epochs=1, freeze=True, resume=run, batch_size=4, device="cpu", quiet=True)
total = sum(float(p.detach().double().sum()) for p in model.parameters())
losses = [round(row["train_loss"], 5) for row in run.history]
found = json.dumps({"losses": losses, "total": round(total, 4)})
Path(sys.argv[1], f"found-{os.environ['RANK']}.json").write_text(found)
"""


@pytest.mark.slow
def test_two_processes_train_one_network(tiny_cohort, tmp_path):
    """What `torchrun` does on two GPUs, on two processors: shared work, the same network in both."""
    tiny_cohort.save(tmp_path / "cohort")
    (tmp_path / "work.py").write_text(PROCESSES, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc_per_node",
            "2",
            "--master_port",
            str(port),
            str(tmp_path / "work.py"),
            str(tmp_path / "cohort"),
            str(tmp_path / "run"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    found = [json.loads(file.read_text()) for file in (tmp_path / "cohort").glob("found-*.json")]
    assert len(found) == 2, done.stderr[-2000:]
    assert found[0] == found[1]
    assert len(found[0]["losses"]) == 3
    assert Run.load(tmp_path / "run").epochs == 2
    assert Run.load(tmp_path / "run-2").epochs == 3
