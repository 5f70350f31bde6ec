"""Checkpoints: one safetensors file with weights, optimizer state and random states, written atomically every epoch.

kill -9 at any moment loses at most the epoch that was running. Nothing in a checkpoint can run as code.
"""

import json
from pathlib import Path
from typing import Any

import torch

from firstread.core.errors import DataError
from firstread.core.files import to_jsonable
from firstread.learning.models.model_file import TRAINING_PREFIX, read_tensors, save_model
from firstread.learning.optimizers import flat_state, load_flat_state

_OPTIMIZER = TRAINING_PREFIX + "optimizer/"
#: memory format of the optimizer's state of convolutions: (K, h, w, C), as in firstread.learning.optimizers
_CHANNELS_LAST = "channels last"


def save_checkpoint(
    path: Path,
    model: Any,
    *,
    optimizer: torch.optim.Optimizer,
    generators: dict[str, torch.Tensor],
    progress: dict[str, Any],
) -> None:
    """Write weights, optimizer state and random states to one file.

    Args:
        generators: name -> state of a random generator (uint8).
        progress: plain values, such as the history so far.
    """
    tensors = {f"{TRAINING_PREFIX}generator/{name}": state for name, state in generators.items()}
    tensors |= {_OPTIMIZER + key: value.detach().cpu() for key, value in flat_state(optimizer).items()}
    save_model(model, path, tensors=tensors, progress=json.dumps(to_jsonable(progress)), optimizer=_CHANNELS_LAST)


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read (tensors, progress) of a checkpoint.

    Raises:
        DataError: missing, broken, or written by an older version.
    """
    try:
        tensors, metadata = read_tensors(path)
        progress = json.loads(metadata.get("progress", "{}"))
    except (DataError, ValueError) as error:
        raise DataError(
            "The checkpoint cannot be read", where=path, do="train again, or use best.safetensors beside it"
        ) from error
    # best.safetensors holds weights alone
    has_training_state = any(name.startswith(TRAINING_PREFIX) for name in tensors)
    if has_training_state and metadata.get("optimizer") != _CHANNELS_LAST:
        raise DataError(
            "The checkpoint was written by an older version of firstread and cannot be continued",
            where=path,
            do="train again",
        )
    return tensors, progress


def restore_weights(model: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Load a checkpoint's weights into a network of the same blueprint.

    Raises:
        DataError: the network was built differently.
    """
    weights = {name: value for name, value in tensors.items() if not name.startswith(TRAINING_PREFIX)}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(
            "This run was made with a different network",
            expected="the same backbone, classes and channels",
            do="build the network as before, or train without resume",
        ) from error


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Load a checkpoint's optimizer state."""
    own = {name.removeprefix(_OPTIMIZER): value for name, value in tensors.items() if name.startswith(_OPTIMIZER)}
    load_flat_state(optimizer, own)


def generator_state(tensors: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """State of a random generator in a checkpoint."""
    return tensors[f"{TRAINING_PREFIX}generator/{name}"]
