"""Examples: the same pictures from memory and from disk, decoded once, in a file that leaves nothing behind."""

import numpy as np
import pytest
import torch

from firstread.core.paths import home_folder
from firstread.learning import examples
from firstread.learning.examples import ArrayExamples, DiskExamples, load_pictures
from firstread.learning.input_spec import InputSpec
from firstread.learning.models import build_model
from firstread.learning.prediction import predict
from firstread.learning.training import train


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_from_disk_are_those_in_memory(tiny_cohort, monkeypatch, channels):
    inputs = InputSpec(patch_size=(24, 24), channels=channels)
    in_memory = load_pictures(tiny_cohort, inputs, tiny_cohort.targets)
    monkeypatch.setattr(examples, "memory_limit_bytes", lambda: 100)
    on_disk = load_pictures(tiny_cohort, inputs, tiny_cohort.targets)
    assert (type(in_memory), type(on_disk)) == (ArrayExamples, DiskExamples)
    decoded, real = [], examples.read_picture
    monkeypatch.setattr(examples, "read_picture", lambda case, inputs: decoded.append(case.case) or real(case, inputs))
    order = np.random.default_rng(0).permutation(len(tiny_cohort))
    for _ in range(2):
        for indices in np.array_split(order, 5):
            one, other = in_memory.batch(indices), on_disk.batch(indices)
            assert np.array_equal(one[0], other[0])
            assert np.array_equal(one[1], other[1])
    assert sorted(decoded) == sorted(tiny_cohort.table["case"])


def test_a_full_disk_only_costs_time(tiny_cohort, monkeypatch):
    class Full:
        def seek(self, position):
            pass

        def write(self, data):
            raise OSError("no space left on device")

    inputs = InputSpec(patch_size=(24, 24))
    monkeypatch.setattr(examples, "open_unnamed_file", lambda size_bytes: Full())
    on_disk = DiskExamples(tiny_cohort, inputs, tiny_cohort.targets)
    expected = tiny_cohort.images(24)
    for _ in range(2):
        assert np.array_equal(on_disk.batch(np.arange(5))[0], expected[:5])
    monkeypatch.setattr(examples, "open_unnamed_file", lambda size_bytes: None)
    assert DiskExamples(tiny_cohort, inputs, tiny_cohort.targets).source == "disk, decoded each time"


def test_training_and_prediction_do_not_depend_on_where_pictures_lie(tiny_cohort, monkeypatch):
    found = {}
    for limit in (1e9, 100):
        monkeypatch.setattr(examples, "memory_limit_bytes", lambda limit=limit: limit)
        model = build_model("mobilenetv3_small_050", classes=("dark", "bright"), size=32, weights="none")
        settings = {"batch_size": 4, "checkpoints": False, "quiet": True, "precision": "float32"}
        run = train(model, tiny_cohort, epochs=1, freeze=True, **settings)
        run = train(model, tiny_cohort, epochs=1, resume=run, **settings)
        losses = [row["train_loss"] for row in run.history]
        found[run.metadata["examples"]] = (losses, predict(model, tiny_cohort.test).scores.tolist())
    assert set(found) == {"memory", "disk, decoded once"}
    assert found["memory"] == found["disk, decoded once"]
    assert not [file for file in home_folder().iterdir() if file.name.startswith("tmp")]


def test_memory_is_a_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(examples, "available_memory_bytes", lambda: 4 * 2**30)
    assert examples.memory_limit_bytes() == 2**30
    monkeypatch.setattr(examples, "available_memory_bytes", lambda: 400 * 2**30)
    assert examples.memory_limit_bytes() == 2 * 2**30
    assert ArrayExamples(np.zeros((2, 4, 4), np.uint8), np.zeros(2, int)).to(torch.device("cpu")).source == "memory"
