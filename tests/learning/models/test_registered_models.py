"""Contract of every network that is registered for a task: built, described, saved, loaded, and asked alike."""

import inspect
import json
from typing import get_overloads, get_type_hints

import numpy as np
import pytest
import torch

from firstread.core.errors import MissingDependencyError, SettingError
from firstread.core.registry import registered
from firstread.core.tasks import Classification, Segmentation
from firstread.learning.models import Classifier, Segmenter, build_model, load_model
from firstread.learning.models.protocol import check_predictor, check_trainable

TASKS = {"classification": Classification(("a", "b", "c")), "segmentation": Segmentation(("liver", "lesion"))}


@pytest.fixture(params=sorted(registered("models")))
def model(request):
    if request.param not in TASKS:
        pytest.fail(f"add a task of the kind {request.param} to TASKS: its network is registered and not tested")
    return build_model(task=TASKS[request.param], size=64)


def examples(model, count=4):
    inputs, rng = model.inputs, np.random.default_rng(0)
    if not inputs.is_volume:
        return rng.integers(0, 255, (count, *inputs.patch_size), dtype=np.uint8), rng.integers(0, 3, count)
    values = rng.integers(-1000, 1000, (count, inputs.slices, *inputs.patch_size)).astype(np.int16)
    return values, rng.integers(0, 3, (count, *inputs.patch_size))


def test_it_keeps_the_protocol(model):
    check_trainable(model)
    check_predictor(model)
    values, targets = examples(model)
    batch, truth = model.prepare(values), torch.from_numpy(targets)
    assert batch.shape[0] == 4
    assert batch.dtype == torch.float32
    model.train()
    outputs = model(batch)
    loss = model.loss(outputs, truth)
    assert loss.ndim == 0
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    parts, whole = model.score(outputs, truth)
    assert parts.shape == whole.shape
    assert (parts <= whole).all()
    probabilities = model.probabilities(outputs.detach())
    assert torch.allclose(probabilities.sum(1), torch.ones_like(probabilities[:, 0]), atol=1e-5)
    assert set(model.default_learning_rates) == {"constant", "one-cycle"}


def test_a_lower_loss_is_a_better_answer(model):
    values, targets = examples(model)
    truth = torch.from_numpy(targets)
    shape = model(model.prepare(values)).shape
    right = torch.nn.functional.one_hot(truth, shape[1]).movedim(-1, 1).float() * 20
    assert model.loss(right, truth) < 0.01 < model.loss(-right, truth)
    numerators, denominators = model.score(right, truth)
    assert torch.equal(numerators, denominators)


def test_it_is_saved_and_loaded_whole(model, tmp_path):
    values, _ = examples(model)
    again = load_model(model.save(tmp_path / "m.safetensors"))
    assert json.loads(json.dumps(again.describe())) == json.loads(json.dumps(model.describe()))
    assert again.task == model.task
    assert again.inputs == model.inputs
    with torch.inference_mode():
        assert torch.equal(again(again.prepare(values)), model.eval()(model.prepare(values)))


def test_the_seed_decides_the_weights(model):
    ones, others, more = (build_model(task=model.task, size=64, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, others[name]) for name, value in ones.items())
    assert any(not torch.equal(value, more[name]) for name, value in ones.items())


def test_the_signature_names_every_setting_of_the_networks():
    """`build_model` is overloaded, so that an editor knows which network comes back and what it can be built with."""
    found = {}
    for one in get_overloads(build_model)[1:3]:
        hints = get_type_hints(one)
        found[hints["return"]] = {"backbone", "task", "seed", *get_type_hints(hints["settings"].__args__[0])}
    assert found == {network: set(inspect.signature(network.build).parameters) for network in (Classifier, Segmenter)}


def test_what_cannot_be_built_is_said():
    with pytest.raises(SettingError, match="neither was given"):
        build_model("resnet18")
    with pytest.raises(SettingError, match="both was given"):
        build_model("resnet18", classes=("a", "b"), task=TASKS["classification"])

    class Dance:
        kind = "dance"

    with pytest.raises(MissingDependencyError, match=r'Nothing in "firstread\.models" is called "dance"'):
        build_model(task=Dance())
    with pytest.raises(SettingError, match="has no task, inputs, prepare, probabilities"):
        check_predictor(torch.nn.Linear(1, 1))
