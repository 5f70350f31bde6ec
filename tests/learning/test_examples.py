"""Examples: the same pictures from memory and from disk, decoded once, in a file that leaves nothing behind."""

import numpy as np
import pytest
import torch

from firstread.core.paths import home_folder
from firstread.learning import example_sources, examples, prediction
from firstread.learning.augmentation import Augmentation
from firstread.learning.examples import ArrayExamples, DiskExamples, load_pictures, to_tensor
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


@pytest.mark.filterwarnings("error")
def test_examples_that_cannot_be_written_to_are_learnt_from_without_a_warning(tiny_cohort, monkeypatch):
    class ReadOnly(ArrayExamples):
        def batch(self, indices, generator=None):
            found = super().batch(indices, generator)
            for array in found:
                array.setflags(write=False)
            return found

    def load(cohort, inputs, targets, **_):
        return ReadOnly(cohort.images(inputs.patch_size[0]), targets)

    monkeypatch.setattr(example_sources, "load_pictures", load)
    monkeypatch.setattr(prediction, "load_pictures", load)
    model = build_model("mobilenetv3_small_050", classes=tiny_cohort.classes, size=32)
    for freeze in (True, False):
        augmentation = Augmentation(rotate_degrees=10)
        train(model, tiny_cohort, epochs=1, freeze=freeze, augmentation=augmentation, checkpoints=False, quiet=True)
    assert len(predict(model, tiny_cohort.test)) == len(tiny_cohort.test)


def test_an_array_becomes_a_tensor_in_the_same_memory_unless_it_is_read_only():
    array = np.arange(3)
    tensor = to_tensor(array)
    assert to_tensor(tensor) is tensor
    tensor[0] = 7
    assert array[0] == 7
    array.setflags(write=False)
    to_tensor(array)[0] = 8
    assert array[0] == 7


def test_memory_is_a_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(examples, "available_memory_bytes", lambda: 4 * 2**30)
    assert examples.memory_limit_bytes() == 2**30
    monkeypatch.setattr(examples, "available_memory_bytes", lambda: 400 * 2**30)
    assert examples.memory_limit_bytes() == 2 * 2**30
    assert ArrayExamples(np.zeros((2, 4, 4), np.uint8), np.zeros(2, int)).to(torch.device("cpu")).source == "memory"
