"""The script behind the bundled weights runs again for anyone, goes on where it stopped, and writes what the package reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from firstread.learning.models import build_model

FOLDER = Path(__file__).resolve().parents[2] / "pretraining"
sys.path.insert(0, str(FOLDER))

from pretrain import nt_xent  # noqa: E402
from views import random_views  # noqa: E402

WORDS = ["--backbone", "test_resnet", "--epochs", "1", "--slice-patients", "2", "--radiograph-patients", "3"]


def pretrain(home, out):
    command = [sys.executable, str(FOLDER / "pretrain.py"), *WORDS, "--out", str(out)]
    environment = {**os.environ, "FIRSTREAD_HOME": str(home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_writes_small_weights_with_their_story_and_does_nothing_twice(tmp_path):
    first = pretrain(tmp_path / "home", tmp_path / "w.safetensors")
    assert first.returncode == 0, first.stderr
    assert '"epoch": 1' in first.stdout
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        about = file.metadata()
        assert {file.get_tensor(name).dtype for name in file.keys()} <= {torch.float16, torch.float32, torch.int64}  # noqa: SIM118
    assert about["format"] == "firstread-backbone-1"
    for word in ('"backbone": "test_resnet"', '"seed": 0', '"images": 132', '"epochs": 1'):
        assert word in about["about"]
    again = pretrain(tmp_path / "home", tmp_path / "again.safetensors")
    assert '"epoch": 1' not in again.stdout
    one, two = (load_file(tmp_path / name) for name in ("w.safetensors", "again.safetensors"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    model = build_model("test_resnet", classes=("a", "b"), size=64, weights=tmp_path / "w.safetensors")
    assert model.blueprint.per_image


@given(seed=st.integers(0, 2**31), count=st.integers(1, 5), size=st.sampled_from([32, 64]))
@settings(max_examples=30)
def test_views_are_images_and_the_same_seed_gives_the_same_views(seed, count, size):
    pixels = torch.rand(count, 1, 40, 40, generator=torch.Generator().manual_seed(seed))
    one, two = (random_views(pixels, size, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert one.shape == (count, 1, size, size)
    assert 0 <= one.min() <= one.max() <= 1
    assert torch.equal(one, two)


def test_two_views_of_an_image_differ():
    pixels, generator = torch.rand(4, 1, 40, 40), torch.Generator().manual_seed(0)
    assert not torch.allclose(random_views(pixels, 40, generator), random_views(pixels, 40, generator), atol=0.05)


def test_nt_xent_is_low_where_views_of_one_image_lie_together():
    places = torch.eye(8, 16)
    assert nt_xent(torch.cat([places, places])) < 0.2 < nt_xent(torch.cat([places, places.roll(1, 0)]))


@pytest.mark.parametrize("count", [2, 5])
def test_nt_xent_against_its_definition(count):
    places = torch.randn(2 * count, 7, generator=torch.Generator().manual_seed(count))
    unit = places / places.norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        likeness = torch.exp(unit @ unit[i] / 0.2)
        total += float(-torch.log(likeness[partner] / (likeness.sum() - likeness[i])))
    assert float(nt_xent(places)) == pytest.approx(total / (2 * count), rel=1e-4)
