"""Checkpoints: one safetensors file an epoch that holds all that is needed to go on, written atomically.

kill -9 at any moment loses at most the epoch that was running. Nothing in a checkpoint can run as code.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from firstread.core.errors import DataError
from firstread.core.files import plain, write_atomically

_PREFIX = "training/"
_OPTIMISER = _PREFIX + "optimiser/"
#: of convolutions: what the optimiser remembers lies as (K, h, w, C), as in firstread.learning.optimizers
_LAST = "channels last"


def save_checkpoint(
    path: Path,
    model: Any,
    *,
    optimiser: torch.optim.Optimizer,
    generators: dict[str, torch.Tensor],
    progress: dict[str, Any],
) -> None:
    """Write network, optimiser and random states to one file.

    Args:
        generators: name -> state of a random generator (uint8).
        progress: plain values, such as the history so far.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"{_OPTIMISER}{index}/{name}"] = torch.as_tensor(value).detach().cpu()
    for name, state in generators.items():
        tensors[f"{_PREFIX}generator/{name}"] = state
    about = {
        "format": "firstread-classifier-1",
        "blueprint": json.dumps(model.describe()),
        "progress": json.dumps(plain(progress)),
        "optimiser": _LAST,
    }
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=about))


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """(tensors, progress) of a checkpoint.

    Raises:
        DataError: missing or broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        if about.get("optimiser") != _LAST:  # a training that an older version began
            tensors = {
                name: _channels_last(value) if name.startswith(_OPTIMISER) else value for name, value in tensors.items()
            }
        return tensors, json.loads(about.get("progress", "{}"))
    except Exception as error:  # safetensors raises a type of its own
        raise DataError(
            "The checkpoint cannot be read", where=path, do="train again, or use best.safetensors beside it"
        ) from error


def restore(model: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Put a checkpoint's weights into a network of the same blueprint.

    Raises:
        DataError: the network was built differently.
    """
    weights = {name: value for name, value in tensors.items() if not name.startswith(_PREFIX)}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(
            "This run was made with a different network",
            expected="the same backbone, classes and channels",
            do="build the network as before, or train without resume",
        ) from error


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put back what the optimiser remembered."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(_OPTIMISER):
            index, key = name.removeprefix(_OPTIMISER).split("/")
            state.setdefault(int(index), {})[key] = value
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def _channels_last(value: torch.Tensor) -> torch.Tensor:
    return value.permute(0, 2, 3, 1).contiguous() if value.ndim == 4 else value


def generator_state(tensors: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """The state of one random generator."""
    return tensors[f"{_PREFIX}generator/{name}"]
