"""Maps point where the answer comes from, and say how coarse they are and where their peak lies."""

import numpy as np
import pytest
import torch
from PIL import Image

from firstread.core.case import Case
from firstread.core.errors import SettingError
from firstread.explanation.grad_cam import find_target_layer
from firstread.explanation.saliency import METHODS, explain
from firstread.learning.models import build_model


@pytest.fixture
def case(tmp_path):
    pixels = np.full((64, 64), 60, np.uint8)
    pixels[8:20, 40:56] = 230  # what the rigged network below looks at
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return Case(case="one", file=str(tmp_path / "one.png"), label="b")


class LooksAtOneCorner(torch.nn.Module):
    """A backbone whose only feature is the brightness of the upper right quarter."""

    def __init__(self):
        super().__init__()
        self.look = torch.nn.Conv2d(1, 32, 3, stride=4, padding=1)

    def forward(self, x):
        maps = torch.relu(self.look(x))
        here = torch.zeros_like(maps)
        here[:, :, : maps.shape[2] // 2, maps.shape[3] // 2 :] = 1
        return (maps * here).mean((2, 3))


def rigged():
    model = build_model("resnet18", classes=("a", "b"), size=64)
    model.backbone = LooksAtOneCorner()
    with torch.no_grad():
        model.backbone.look.weight.fill_(1.0)
        model.backbone.look.bias.zero_()
    model.head = torch.nn.Sequential(torch.nn.Linear(32, 1))
    with torch.no_grad():
        model.head[0].weight.fill_(1.0)
        model.head[0].bias.zero_()
    return model.eval()


@pytest.mark.parametrize("method", METHODS)
def test_the_map_points_where_the_answer_comes_from(case, method):
    found = explain(rigged(), case, method=method, target="b")
    assert found.map.shape == (64, 64)
    assert 0 <= found.map.min() <= found.map.max() <= 1
    inside, outside = found.map[:32, 32:].mean(), found.map[32:, :32].mean()
    assert inside > outside + 0.1


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "convnext_atto", "densenet121"])
def test_every_kind_of_backbone_can_be_explained(case, name):
    model = build_model(name, classes=("a", "b", "c"), size=64)
    assert find_target_layer(model).rows >= 2
    found = explain(model, case)
    assert found.scores[found.target] == max(found.scores.values())
    assert len(found.show().axes) == 3


@pytest.mark.parametrize("method", METHODS)
def test_the_network_is_left_as_it_was(case, method):
    model = build_model("resnet18", classes=("a", "b"), size=64)
    model.freeze()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    explain(model, case, method=method)
    assert model.frozen
    assert not any(one._forward_hooks or one._backward_hooks for one in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())


@pytest.mark.parametrize("name", ["resnet18", "regnetx_002"])
def test_the_map_is_that_of_another_implementation(case, name):
    from monai.visualize import GradCAM

    torch.manual_seed(3)
    model = build_model(name, classes=("a", "b", "c"), size=64).eval()
    for target in model.classes:
        found = explain(model, case, target=target)
        pixels = model.prepare(found.image[None])
        watch = GradCAM(
            nn_module=model, target_layers=f"backbone.{find_target_layer(model).name}", postprocessing=lambda cam: cam
        )
        cam = torch.as_tensor(watch(x=pixels, class_idx=model.classes.index(target)))[0, 0].detach().numpy()
        expected = (cam - cam.min()) / np.ptp(cam) if np.ptp(cam) else np.zeros_like(cam)
        assert np.allclose(found.map, expected, atol=1e-3)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("method", METHODS)
def test_every_class_has_a_map(case, classes, method):
    model = build_model("resnet18", classes=classes, size=64)
    for target in classes:
        found = explain(model, case, method=method, target=target)
        assert found.target == target
        assert found.map.shape == (64, 64)


@pytest.mark.parametrize("method", METHODS)
def test_the_peak_and_how_coarse_the_map_is_are_said(case, method):
    found = explain(rigged(), case, method=method, target="b")
    row, column = found.peak
    assert found.map[row, column] == 1
    assert row < 32 <= column
    assert f"{(column + 0.5) / 64:.0%} of the width from the left" in str(found)
    said = found.show().axes[1].get_title()
    assert "16 x 16 grid" in said if method == "grad-cam" else "patches of 11 x 11 pixels" in said


def test_several_maps_stand_side_by_side(case):
    model = rigged()
    maps = [explain(model, case, method=method, target="b") for method in METHODS]
    titles = [axes.get_title() for axes in maps[0].show(maps[1]).axes]
    assert "grad-cam" in titles[1]
    assert "occlusion" in titles[2]


@pytest.mark.parametrize("method", METHODS)
def test_a_blank_map_is_called_blank(case, method):
    model = rigged()
    with torch.no_grad():
        model.head[0].weight.fill_(0)
    found = explain(model, case, method=method)
    assert found.is_blank
    assert found.peak is None
    assert "this map is blank" in str(found)
    assert "this map is blank" in found.show().axes[1].get_title()


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
@pytest.mark.parametrize("method", METHODS)
def test_a_network_has_the_same_map_on_every_device_there_is(case, method, device):
    model = rigged()
    expected = explain(model, case, method=method, target="b").map
    found = explain(model.to(device), case, method=method, target="b").map
    assert np.allclose(found, expected, atol=1e-3)


def test_unknown_methods_and_classes_are_refused(case):
    model = build_model("resnet18", classes=("a", "b"), size=64)
    with pytest.raises(SettingError, match='Did you mean "grad-cam"'):
        explain(model, case, method="gradcam")
    with pytest.raises(SettingError, match="knows no class"):
        explain(model, case, target="z")
