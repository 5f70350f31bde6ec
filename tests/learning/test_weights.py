"""Weights are found where they may lie, read without running anything, and never fetched."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from firstread.core.errors import DataError, NetworkError, SettingError
from firstread.learning.models import build_model, load_model
from firstread.learning.weights import DEFAULT_BACKBONE, bundled_file, imagenet_file

BUILD = {"classes": ["a", "b"], "size": 32}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("firstread.learning.weights._hugging_face_folder", lambda: tmp_path / "hub")
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_imagenet_weights_are_looked_for_in_three_places(home):
    with pytest.raises(NetworkError, match="pretrained=True"):
        imagenet_file("resnet18")
    hub = put(home / "hub/models--timm--resnet18.a1_in1k/snapshots/x/model.safetensors")
    assert imagenet_file("resnet18") == hub
    cached = put(home / "torch/hub/checkpoints/resnet18-f37072fd.pth")
    assert imagenet_file("resnet18") == cached
    own = put(home / "data/weights/resnet18.safetensors")
    assert imagenet_file("resnet18") == own


def test_another_backbone_with_a_longer_name_is_not_taken(home):
    put(home / "data/weights/resnet18d.safetensors")
    with pytest.raises(NetworkError, match="are not on this computer"):
        imagenet_file("resnet18")


def test_imagenet_weights_bring_their_own_normalisation_and_three_channels(home):
    state = timm.create_model("resnet18", pretrained=False).state_dict()  # with its 1000-class layer, as published
    (home / "data/weights").mkdir(parents=True)
    save_file(state, home / "data/weights/resnet18.safetensors")
    model = build_model("resnet18", weights="imagenet", **BUILD)
    assert model.channels == 3
    assert model.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert model.std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])
    assert bool(model.fitted)
    assert torch.equal(model.backbone.conv1.weight, state["conv1.weight"])
    assert model.prepare(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    "wrap", [lambda s: {"state_dict": s, "epoch": 3}, lambda s: {f"module.{k}": v for k, v in s.items()}]
)
def test_wrapped_weights_are_unwrapped(tmp_path, wrap):
    state = timm.create_model("resnet18", pretrained=False, in_chans=1, num_classes=0).state_dict()
    torch.save(wrap(state), tmp_path / "w.pth")
    model = build_model("resnet18", weights=tmp_path / "w.pth", **BUILD)
    assert torch.equal(model.backbone.conv1.weight, state["conv1.weight"])


def test_a_list_of_tensors_is_no_network(tmp_path):
    torch.save([torch.zeros(3)], tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"0 of .* tensors match"):
        build_model("resnet18", weights=tmp_path / "w.pth", **BUILD)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(DataError, match="no file of weights"):
        build_model("resnet18", weights=tmp_path / "absent.safetensors", **BUILD)
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0nonsense")
    with pytest.raises(DataError, match="cannot be read safely"):
        build_model("resnet18", weights=tmp_path / "broken.safetensors", **BUILD)


def test_a_network_whose_description_is_broken(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "m.safetensors", metadata={"format": "firstread-classifier-1"})
    with pytest.raises(DataError, match="does not fit its own description"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": "chest"}, "one word"),
        ({"dropout": "on"}, "dropout='on'"),
        ({"size": "96"}, "size='96'"),
        ({"channels": 2}, "channels=2"),
    ],
)
def test_arguments_of_the_wrong_kind(arguments, message):
    with pytest.raises(SettingError, match=message):
        build_model("resnet18", **{**BUILD, **arguments})


# ---- the weights that come with firstread


def test_bundled_weights_are_the_default_and_small(home):
    model = build_model(classes=["a", "b"])
    assert model.backbone_name == DEFAULT_BACKBONE
    assert model.blueprint.weights == "phantom"
    assert model.blueprint.per_image_normalization
    assert bool(model.fitted)
    assert bundled_file(DEFAULT_BACKBONE).stat().st_size <= 8e6
    assert build_model("resnet18", **BUILD).blueprint.weights == "none"


def test_imagenet_weights_on_disk_come_before_bundled_ones(home):
    (home / "data/weights").mkdir(parents=True)
    state = timm.create_model(DEFAULT_BACKBONE, pretrained=False).state_dict()
    save_file(state, home / f"data/weights/{DEFAULT_BACKBONE}.safetensors")
    model = build_model(classes=["a", "b"], size=32)
    assert model.blueprint.weights == "imagenet"
    assert not model.blueprint.per_image_normalization
    assert build_model(classes=["a", "b"], size=32, weights="phantom").blueprint.weights == "phantom"


def test_phantom_weights_of_another_backbone_are_refused_with_a_way_out(home):
    with pytest.raises(SettingError, match=rf"no phantom weights of resnet18.*{DEFAULT_BACKBONE}.*weights=\"none\""):
        build_model("resnet18", weights="phantom", **BUILD)


def test_bundled_weights_do_not_care_for_exposure_or_contrast(home):
    model = build_model(classes=["a", "b"], size=64, weights="phantom").eval()
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(model(image), model(image * 0.4 + 0.3), atol=1e-3)
        assert torch.isfinite(model(torch.zeros(1, 1, 64, 64))).all()


def test_bundled_weights_in_colour_read_gray_as_gray(home):
    gray, colour = (build_model(classes=["a", "b"], size=64, weights="phantom", channels=n).eval() for n in (1, 3))
    image = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = gray.backbone(gray.normalize(image))
        assert torch.allclose(ours, colour.backbone(colour.normalize(image.expand(-1, 3, -1, -1))), atol=1e-3)


def test_a_network_from_bundled_weights_comes_back_from_disk_as_it_was(home, tmp_path):
    model = build_model(classes=["a", "b"], size=64, weights="phantom").eval()
    loaded = load_model(model.save(tmp_path / "m.safetensors"))
    image = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model(image), loaded(image))
    other = build_model(classes=["x", "y"], size=64, weights=tmp_path / "m.safetensors")
    assert other.blueprint.per_image_normalization


# ---- gray images through the weights of color channels


def color_weights(folder, backbone):
    """Random weights with statistics of BatchNorm that differ between channels, in a file, as ImageNet's would be."""
    torch.manual_seed(3)
    network = timm.create_model(backbone, pretrained=False).train()
    network(torch.randn(8, 3, 96, 96))
    file = folder / f"{backbone}.pth"
    torch.save(network.state_dict(), file)
    return file


def feature_maps(model, gray, channels):
    """Features of gray images (N, 1, S, S), whole maps with their borders."""
    with torch.inference_mode():
        return model.eval().backbone.forward_features(model.normalize(gray.expand(-1, channels, -1, -1)))


@pytest.mark.parametrize("backbone", ["resnet18", "regnetx_002", "convnext_atto", "inception_v3"])
def test_a_gray_image_is_seen_as_its_three_equal_channels_are(tmp_path, backbone):
    file = color_weights(tmp_path, backbone)
    gray, color = (build_model(backbone, classes=["a", "b"], size=96, channels=count, weights=file) for count in (1, 3))
    images = torch.rand(3, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    images[0] = 0  # where nothing is, the borders are all that differs
    ours, theirs = feature_maps(gray, images, 1), feature_maps(color, images, 3)
    assert float((ours - theirs).abs().max() / theirs.abs().max()) < 1e-5
    assert gray.channels == 1
    assert gray.inputs.channels == 1
    assert gray.prepare(np.zeros((2, 96, 96), np.uint8)).shape == (2, 1, 96, 96)


def test_channels_that_are_normalized_alike_need_one_only(tmp_path):
    one = build_model("inception_v3", classes=["a", "b"], size=96, weights=color_weights(tmp_path, "inception_v3"))
    assert not one.blueprint.gray_as_color
    assert one.mean.shape == (1, 1, 1, 1)
    random = build_model("resnet18", classes=["a", "b"], size=32, weights="none")
    assert "gray_as_color" not in random.describe(), "runs of before would no longer be resumed"


def test_gray_in_three_channels_is_trained_explained_saved_and_loaded(tiny_cohort, tmp_path):
    from firstread.explanation.grad_cam import find_target_layer
    from firstread.learning.training import train

    file = color_weights(tmp_path, "resnet18")
    model = build_model("resnet18", classes=tiny_cohort.classes, size=32, channels=1, weights=file)
    run = train(model, tiny_cohort, epochs=1, freeze=True, folder=tmp_path / "run", quiet=True)
    train(model, tiny_cohort, epochs=1, resume=run, checkpoints=False, quiet=True)
    assert find_target_layer(model)
    loaded = load_model(model.save(tmp_path / "m.safetensors"))
    assert loaded.blueprint == model.blueprint
    images = model.prepare(tiny_cohort.test.images(32))
    with torch.inference_mode():
        assert torch.allclose(model.eval()(images), loaded(images), atol=1e-5)
    other = build_model("resnet18", classes=["x", "y"], size=32, channels=1, weights=tmp_path / "m.safetensors")
    assert other.blueprint.gray_as_color
