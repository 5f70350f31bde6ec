"""Objective: class weights and label smoothing are those of plain PyTorch; what has no meaning is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from firstread.core.errors import SettingError
from firstread.core.tasks import Segmentation
from firstread.learning.loop import validate
from firstread.learning.models import build_model
from firstread.learning.objective import Objective, balanced_class_weights, check_objective
from firstread.learning.settings import TrainingSettings

NAMES = ("a", "b", "c", "d")
SETTINGS = [(None, 0.0), ((1.0, 5.0, 0.3, 2.0), 0.0), (None, 0.1), ((0.5, 2.0, 3.0, 1.0), 0.2)]


def network(count):
    return build_model("mobilenetv3_small_050", classes=NAMES[:count], size=32, weights="none")


def answers(count, *, examples=40):
    generator = torch.Generator().manual_seed(count)
    outputs = torch.randn(examples, 1 if count == 2 else count, generator=generator) * 3
    return outputs, torch.randint(count, (examples,), generator=generator)


@pytest.mark.parametrize(("weights", "smoothing"), SETTINGS)
@pytest.mark.parametrize("count", [3, 4])
def test_several_classes_have_the_loss_of_pytorch(count, weights, smoothing):
    weights = None if weights is None else weights[:count]
    outputs, targets = answers(count)
    plain = torch.nn.CrossEntropyLoss(
        weight=None if weights is None else torch.tensor(weights), label_smoothing=smoothing
    )
    ours = Objective(network(count), class_weights=weights, label_smoothing=smoothing).loss(outputs, targets)
    assert float(ours) == pytest.approx(float(plain(outputs, targets)), abs=1e-6)


@pytest.mark.parametrize("weights", [(1.0, 5.0), (0.25, 3.0)])
def test_two_classes_have_the_binary_loss_of_pytorch_with_the_same_weights(weights):
    outputs, targets = answers(2)
    each = torch.tensor(weights)[targets]
    plain = torch.nn.BCEWithLogitsLoss(weight=each, reduction="sum")(outputs[:, 0], targets.float()) / each.sum()
    ours = Objective(network(2), class_weights=weights).loss(outputs, targets)
    assert float(ours) == pytest.approx(float(plain), abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.05, 0.3])
def test_two_classes_are_smoothed_as_two_outputs_would_be(smoothing):
    outputs, targets = answers(2)
    smooth = targets.float() * (1 - smoothing) + smoothing / 2
    plain = binary_cross_entropy_with_logits(outputs[:, 0], smooth)
    both = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    ours = float(Objective(network(2), label_smoothing=smoothing).loss(outputs, targets))
    assert ours == pytest.approx(float(plain), abs=1e-6)
    assert ours == pytest.approx(float(cross_entropy(both, targets, label_smoothing=smoothing)), abs=1e-6)


@pytest.mark.parametrize("count", [2, 3])
def test_without_settings_it_is_the_loss_of_the_network_itself(count):
    model, (outputs, targets) = network(count), answers(count)
    objective = Objective(model)
    assert torch.equal(objective.loss(outputs, targets), model.loss(outputs, targets))
    assert objective.total_weight(targets) == len(targets)
    assert torch.equal(objective.score(outputs, targets)[0], model.score(outputs, targets)[0])


@pytest.mark.parametrize("batch_size", [1, 7, 40])
def test_the_validation_loss_does_not_depend_on_the_size_of_batches(batch_size):
    outputs, targets = answers(3)
    weights = (1.0, 4.0, 0.5)
    objective = Objective(network(3), class_weights=weights)
    batches = zip(outputs.split(batch_size), targets.split(batch_size), strict=True)
    row = validate(torch.nn.Identity(), batches, objective=objective)
    plain = cross_entropy(outputs, targets, weight=torch.tensor(weights))
    assert row["validation_loss"] == pytest.approx(float(plain), abs=1e-6)
    assert row["validation_accuracy"] == pytest.approx(float((outputs.argmax(1) == targets).float().mean()))


@given(counts=st.lists(st.integers(1, 500), min_size=2, max_size=6))
def test_balanced_weights_let_each_class_count_alike(counts):
    weights = balanced_class_weights(np.repeat(np.arange(len(counts)), counts), count=len(counts))
    totals = [weight * count for weight, count in zip(weights, counts, strict=True)]
    assert totals == pytest.approx([totals[0]] * len(totals))
    assert sum(totals) == pytest.approx(sum(counts))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"class_weights": "balanced"}, "class_weights"),
        ({"sampler": "balanced"}, 'sampler="balanced"'),
        ({"label_smoothing": 0.1}, "label_smoothing"),
    ],
)
def test_a_segmentation_has_no_classes_of_examples(settings, name):
    model = build_model(task=Segmentation(("liver",)), size=32)
    with pytest.raises(SettingError, match=rf"{name} has no meaning here: in a segmentation an example is a slice"):
        check_objective(model, TrainingSettings(epochs=1, **settings))
    check_objective(model, TrainingSettings(epochs=1, weight_decay=0.1))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1, "bb": 2}, r'names "bb", which is no class here'),
        ({"a": 1}, r"no weight for b.*a weight for each class: a, b"),
    ],
)
def test_weights_of_other_classes_are_refused(weights, message):
    with pytest.raises(SettingError, match=message):
        check_objective(network(2), TrainingSettings(epochs=1, class_weights=weights))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_weights": "even"}, "class_weights='even' is not possible"),
        ({"class_weights": [1, 2]}, r"class_weights=\[1, 2\] is not possible"),
        ({"class_weights": {"a": 0}}, "class_weights holds 0"),
        ({"class_weights": {"a": float("inf")}}, "class_weights holds inf"),
        ({"class_weights": {"a": True}}, "class_weights holds True"),
        ({"sampler": "ballanced"}, 'sampler="ballanced" is not possible. Did you mean "balanced"'),
        ({"class_weights": "balanced", "sampler": "balanced"}, "correct the same imbalance twice"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0 is not possible"),
        ({"label_smoothing": -0.1}, "label_smoothing=-0.1"),
        ({"label_smoothing": None}, "label_smoothing=None"),
        ({"label_smoothing": float("nan")}, "label_smoothing=nan"),
        ({"weight_decay": -1e-3}, "weight_decay=-0.001"),
        ({"weight_decay": True}, "weight_decay=True"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        TrainingSettings(epochs=1, **settings)


def test_settings_are_frozen_and_come_back_from_json():
    weights = {"a": 1, "b": 4}
    settings = TrainingSettings(epochs=1, class_weights=weights, label_smoothing=0.1, weight_decay=0)
    weights["a"] = 100
    assert settings.class_weights == {"a": 1.0, "b": 4.0}
    assert TrainingSettings.from_json(settings.to_json()) == settings
