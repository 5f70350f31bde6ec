"""`make pretrain`: pretrain the bundled weights on phantom patients alone.

Two objectives at once: classification (kind, level, sequence), and contrastive learning: to identify an image
among 127 others by another augmented view of it (NT-Xent, Chen 2020, arXiv 2002.05709). An interrupted training resumes
after its last complete epoch.

Usage: python pretraining/pretrain.py [--backbone NAME] [--epochs N] [--seed N]
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
import typer
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from augmentation import random_views
from firstread.core.files import write_atomically, write_json
from firstread.core.paths import home_folder
from firstread.core.progress_bar import ProgressBar
from firstread.learning.hardware import this_hardware
from firstread.learning.models import per_image_standardization
from firstread.learning.weights import BACKBONE_FORMAT, DEFAULT_BACKBONE, bundled_file
from phantom_dataset import load_phantom_dataset

BATCH_SIZE, LEARNING_RATE, TEMPERATURE = 128, 3e-3, 0.2
IMAGE_SIZES = (64, 96)  # pixels; alternate between batches

History = list[dict[str, float]]


def main(
    backbone: Annotated[str, typer.Option(help="A timm name.")] = DEFAULT_BACKBONE,
    epochs: Annotated[int, typer.Option(min=1)] = 16,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    slice_patients: Annotated[int, typer.Option(min=1, help="Of each CT and MR kind.")] = 250,
    radiograph_patients: Annotated[int, typer.Option(min=1, help="Of each region.")] = 900,
    out: Annotated[Path | None, typer.Option(help="Default: where the package looks for them.")] = None,
) -> None:
    """Simulate, train, and write float16 weights with their provenance."""
    folder = home_folder() / "pretraining"
    dataset = load_phantom_dataset(folder, slice_patients=slice_patients, radiograph_patients=radiograph_patients)
    pixels, targets = torch.from_numpy(dataset.pixels), torch.from_numpy(dataset.targets)
    torch.manual_seed(seed)
    steps = len(pixels) // BATCH_SIZE
    state = create_training_state(backbone, classes=len(dataset.classes), total_steps=epochs * steps + 1)
    name = f"{backbone}-{epochs}-{seed}-{slice_patients}-{radiograph_patients}"
    history = _load_checkpoint(folder / f"{name}.pt", state)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    use_bfloat16 = device == "cuda" or this_hardware().precision == "bfloat16"
    state.model.to(device)
    with ProgressBar(f"Pretraining {backbone}", (epochs - len(history)) * steps, unit="step") as bar:
        for epoch in range(len(history), epochs):
            start = time.perf_counter()
            generator = torch.Generator().manual_seed(seed * 1000 + epoch)
            metrics = train_epoch(state, pixels, targets, generator, use_bfloat16=use_bfloat16, bar=bar)
            history.append({"epoch": epoch + 1, **metrics, "seconds": time.perf_counter() - start})
            print(json.dumps(history[-1]), flush=True)
            _save_checkpoint(folder / f"{name}.pt", state, history)
    provenance = {
        "backbone": backbone,
        "epochs": epochs,
        "seed": seed,
        "images": len(pixels),
        "classes": len(dataset.classes),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "device": device,
        "bfloat16": use_bfloat16,
        "seconds": round(sum(row["seconds"] for row in history)),
        "last": history[-1],
    }
    file = out or bundled_file(backbone)
    save_weights(state.model.backbone, file, provenance)
    write_json(folder / f"{name}.json", {**provenance, "history": history})
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


class PretrainingModel(nn.Module):
    """A backbone with the classification and the projection head of pretraining, which are discarded afterwards."""

    def __init__(self, backbone: str, classes: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(backbone, num_classes=0, in_chans=1)
        with torch.no_grad():
            features = self.backbone.eval()(torch.zeros(1, 1, 64, 64)).shape[1]
        self.classifier = nn.Linear(features, classes)
        self.projection = nn.Sequential(nn.Linear(features, 256), nn.ReLU(), nn.Linear(256, 128))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 1, S, S) -> logits (N, classes), embeddings (N, 128) that are close for views of one image."""
        features = self.backbone(pixels)
        return self.classifier(features), self.projection(features)


@dataclass(frozen=True)
class PretrainingState:
    """Model, optimizer and learning rate scheduler, saved together in a checkpoint."""

    model: PretrainingModel
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler


def create_training_state(backbone: str, *, classes: int, total_steps: int) -> PretrainingState:
    """Create the model with random weights, AdamW and a one-cycle schedule."""
    model = PretrainingModel(backbone, classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05, fused=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total_steps, pct_start=0.15)
    return PretrainingState(model, optimizer, scheduler)


def train_epoch(
    state: PretrainingState,
    pixels: torch.Tensor,
    targets: torch.Tensor,
    generator: torch.Generator,
    *,
    use_bfloat16: bool,
    bar: ProgressBar,
) -> dict[str, float]:
    """Train for one epoch on pixels (N, H, W) uint8 and targets (N,); returns mean loss and accuracy."""
    state.model.train()
    device = next(state.model.parameters()).device.type
    steps = len(pixels) // BATCH_SIZE
    loss_sum, correct = 0.0, 0
    batches = torch.randperm(len(pixels), generator=generator)[: steps * BATCH_SIZE].split(BATCH_SIZE)
    for step, batch in enumerate(batches):
        images = pixels[batch].unsqueeze(1).float() / 255
        size = IMAGE_SIZES[step % len(IMAGE_SIZES)]
        views = torch.cat([random_views(images, size, generator) for _ in range(2)])
        views = views.contiguous(memory_format=torch.channels_last).to(device)
        truth = targets[batch].repeat(2).to(device)
        with torch.autocast(device, torch.bfloat16, enabled=use_bfloat16):
            logits, embeddings = state.model(per_image_standardization(views))
        loss = cross_entropy(logits.float(), truth, label_smoothing=0.1) + 0.5 * nt_xent(embeddings.float())
        loss.backward()
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.scheduler.step()
        loss_sum, correct = loss_sum + loss.item(), correct + int((logits.argmax(1) == truth).sum())
        bar.update()
    return {"loss": loss_sum / steps, "accuracy": correct / (2 * steps * BATCH_SIZE)}


def nt_xent(embeddings: torch.Tensor) -> torch.Tensor:
    """Normalized temperature-scaled cross-entropy loss: (2N, D), where rows i and N + i are views of one image."""
    normalized = normalize(embeddings, dim=1)
    similarity = normalized @ normalized.T / TEMPERATURE
    similarity.fill_diagonal_(-1e4)
    positives = torch.arange(len(embeddings), device=embeddings.device).roll(len(embeddings) // 2)
    return cross_entropy(similarity, positives)


def save_weights(backbone: nn.Module, file: Path, provenance: dict[str, Any]) -> None:
    """Save weights as float16 (statistics and biases as float32), with their provenance in the file's metadata."""
    tensors = {
        name: (value.half() if value.ndim > 1 else value).cpu().contiguous()
        for name, value in backbone.state_dict().items()
    }
    metadata = {"format": BACKBONE_FORMAT, "about": json.dumps(provenance)}
    write_atomically(file, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def _save_checkpoint(file: Path, state: PretrainingState, history: History) -> None:
    parts = {name: part.state_dict() for name, part in vars(state).items()}
    checkpoint = {**parts, "history": history}
    write_atomically(file, lambda temporary: torch.save(checkpoint, temporary))


def _load_checkpoint(file: Path, state: PretrainingState) -> History:
    """Restore the state of an interrupted training; returns its history, empty without a checkpoint."""
    if not file.exists():
        return []
    checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    for name, part in vars(state).items():
        part.load_state_dict(checkpoint[name])
    return checkpoint["history"]


if __name__ == "__main__":
    typer.run(main)
