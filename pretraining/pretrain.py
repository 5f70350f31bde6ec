"""`make pretrain`: train the weights that come with firstread, on phantom patients alone.

Two things are learned at once: to name each image (kind, level, sequence, view), and to recognise an image among 127 others by
another random view of it (NT-Xent, Chen 2020, arXiv 2002.05709). An interrupted training goes on from its last whole epoch.

Usage: python pretraining/pretrain.py [--backbone NAME] [--epochs N] [--seed N]
"""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
import typer
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from firstread.core.files import write_atomically, write_json
from firstread.core.paths import home
from firstread.core.progress_bar import Progress
from firstread.learning.hardware import this_machine
from firstread.learning.models import standardise_each
from firstread.learning.weights import BACKBONE_FORMAT, DEFAULT_BACKBONE, bundled_file
from phantom_set import phantom_set
from views import random_views

BATCH, RATE, TEMPERATURE = 128, 3e-3, 0.2
SIZES = (64, 96)  # pixels; taken in turn


def main(
    backbone: Annotated[str, typer.Option(help="A timm name.")] = DEFAULT_BACKBONE,
    epochs: Annotated[int, typer.Option(min=1)] = 16,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    slice_patients: Annotated[int, typer.Option(min=1, help="Of each CT and MR kind.")] = 250,
    radiograph_patients: Annotated[int, typer.Option(min=1, help="Of each region.")] = 900,
    out: Annotated[Path | None, typer.Option(help="Default: where the package looks for them.")] = None,
) -> None:
    """Simulate, train, and write float16 weights with what they were made from."""
    work = home() / "pretraining"
    images = phantom_set(work, slice_patients=slice_patients, radiograph_patients=radiograph_patients)
    pixels, targets = torch.from_numpy(images.pixels), torch.from_numpy(images.targets)
    torch.manual_seed(seed)
    learner = Learner(backbone, len(images.names)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(learner.parameters(), lr=RATE, weight_decay=0.05, fused=True)
    steps = len(pixels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * steps + 1, pct_start=0.15)
    state = {"learner": learner, "optimiser": optimiser, "schedule": schedule}
    name = f"{backbone}-{epochs}-{seed}-{slice_patients}-{radiograph_patients}"
    history = _take_up(work / f"{name}.pt", state)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = device == "cuda" or this_machine().precision == "bfloat16"
    learner.to(device)
    with Progress(f"Pretraining {backbone}", (epochs - len(history)) * steps, unit="step") as bar:
        for epoch in range(len(history), epochs):
            begin = time.perf_counter()
            learner.train()
            generator = torch.Generator().manual_seed(seed * 1000 + epoch)
            loss_sum, right = 0.0, 0
            for step, chosen in enumerate(
                torch.randperm(len(pixels), generator=generator)[: steps * BATCH].split(BATCH)
            ):
                whole = pixels[chosen].unsqueeze(1).float() / 255
                size = SIZES[step % len(SIZES)]
                views = torch.cat([random_views(whole, size, generator) for _ in range(2)])
                views = views.contiguous(memory_format=torch.channels_last).to(device)
                truth = targets[chosen].repeat(2).to(device)
                with torch.autocast(device, torch.bfloat16, enabled=half):
                    logits, places = learner(standardise_each(views))
                loss = cross_entropy(logits.float(), truth, label_smoothing=0.1) + 0.5 * nt_xent(places.float())
                loss.backward()
                optimiser.step()
                optimiser.zero_grad()
                schedule.step()
                loss_sum, right = loss_sum + loss.item(), right + int((logits.argmax(1) == truth).sum())
                bar.step()
            row = {"epoch": epoch + 1, "loss": loss_sum / steps, "accuracy": right / (2 * steps * BATCH)}
            history.append({**row, "seconds": time.perf_counter() - begin})
            print(json.dumps(history[-1]), flush=True)
            everything = {**{k: v.state_dict() for k, v in state.items()}, "history": history}
            write_atomically(work / f"{name}.pt", lambda temporary, kept=everything: torch.save(kept, temporary))
    about = {
        "backbone": backbone, "epochs": epochs, "seed": seed, "images": len(pixels), "classes": len(images.names),
        "torch": torch.__version__, "timm": timm.__version__, "device": device, "bfloat16": half,
        "seconds": round(sum(row["seconds"] for row in history)), "last": history[-1],
    }  # fmt: skip
    file = out or bundled_file(backbone)
    save_weights(learner.backbone, file, about)
    write_json(work / f"{name}.json", {**about, "history": history})
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


class Learner(nn.Module):
    """A backbone with the two heads that it is pretrained with and that are thrown away afterwards."""

    def __init__(self, backbone: str, classes: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(backbone, num_classes=0, in_chans=1)
        with torch.no_grad():
            features = self.backbone.eval()(torch.zeros(1, 1, 64, 64)).shape[1]
        self.names = nn.Linear(features, classes)
        self.places = nn.Sequential(nn.Linear(features, 256), nn.ReLU(), nn.Linear(256, 128))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 1, S, S) -> logits (N, classes), and places (N, 128) where views of one image should lie together."""
        features = self.backbone(pixels)
        return self.names(features), self.places(features)


def nt_xent(places: torch.Tensor) -> torch.Tensor:
    """Normalised temperature-scaled cross-entropy: (2N, D), where rows i and N + i are views of one image."""
    unit = normalize(places, dim=1)
    likeness = unit @ unit.T / TEMPERATURE
    likeness.fill_diagonal_(-1e4)
    partner = torch.arange(len(places), device=places.device).roll(len(places) // 2)
    return cross_entropy(likeness, partner)


def save_weights(backbone: nn.Module, file: Path, about: dict[str, Any]) -> None:
    """Weights as float16 (statistics and biases as float32), with what they were made from in the file's own description."""
    tensors = {
        name: (value.half() if value.ndim > 1 else value).cpu().contiguous()
        for name, value in backbone.state_dict().items()
    }
    described = {"format": BACKBONE_FORMAT, "about": json.dumps(about)}
    write_atomically(file, lambda temporary: save_file(tensors, temporary, metadata=described))


def _take_up(file: Path, state: dict[str, Any]) -> list[dict[str, float]]:
    """Put back what an interrupted training had reached; its history, or none."""
    if not file.exists():
        return []
    kept = torch.load(file, map_location="cpu", weights_only=True)
    for name, holder in state.items():
        holder.load_state_dict(kept[name])
    return kept["history"]


if __name__ == "__main__":
    typer.run(main)
