"""Pretraining of the bundled weights: reproducible, resumable, and its output can be loaded by the package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from firstread.learning.models import build_model

FOLDER = Path(__file__).resolve().parents[2] / "pretraining"
sys.path.insert(0, str(FOLDER))

from pretrain import nt_xent  # noqa: E402

OPTIONS = ["--backbone", "test_resnet", "--epochs", "1", "--slice-patients", "2", "--radiograph-patients", "3"]


def pretrain(home, out):
    command = [sys.executable, str(FOLDER / "pretrain.py"), *OPTIONS, "--out", str(out)]
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
    assert model.blueprint.per_image_normalization


def test_nt_xent_is_low_where_views_of_one_image_lie_together():
    embeddings = torch.eye(8, 16)
    assert nt_xent(torch.cat([embeddings, embeddings])) < 0.2 < nt_xent(torch.cat([embeddings, embeddings.roll(1, 0)]))


@pytest.mark.parametrize("count", [2, 5])
def test_nt_xent_against_its_definition(count):
    embeddings = torch.randn(2 * count, 7, generator=torch.Generator().manual_seed(count))
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        similarity = torch.exp(unit @ unit[i] / 0.2)
        total += float(-torch.log(similarity[partner] / (similarity.sum() - similarity[i])))
    assert float(nt_xent(embeddings)) == pytest.approx(total / (2 * count), rel=1e-4)
