"""Networks in files: weights and description in one safetensors file, from which nothing can run as code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from firstread.core.errors import DataError
from firstread.core.files import write_atomically
from firstread.core.registry import find_registered

if TYPE_CHECKING:
    from firstread.learning.models.protocol import Model

#: tensors of a checkpoint that are not weights
TRAINING_PREFIX = "training/"
_FORMAT = "firstread-model-1"
#: files of older versions, which hold a classifier
_CLASSIFIER_FORMAT = "firstread-classifier-1"


def save_model(
    model: "Model", path: str | Path, *, tensors: Mapping[str, torch.Tensor] | None = None, **metadata: str
) -> Path:
    """Write a network to one safetensors file, atomically.

    Args:
        model: its weights and its description are written.
        path: of the file.
        tensors: further ones, such as a checkpoint's.
        **metadata: further texts.
    """
    from safetensors.torch import save_file

    header = {"format": _FORMAT, "kind": model.task.kind, "blueprint": json.dumps(model.describe()), **metadata}
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    state.update(tensors or {})
    return write_atomically(path, lambda temporary: save_file(state, temporary, metadata=header))


def read_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        DataError: the file is missing or broken.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
            return tensors, file.metadata() or {}
    except Exception as error:  # safetensors raises a type of its own
        raise DataError("The network cannot be read", where=path, expected="a whole .safetensors file") from error


def load_model(path: str | Path) -> "Model":
    """Load a network that `save` wrote. Nothing in the file can run as code.

    Returns:
        The network, of the class that is registered for its task, in evaluation mode.

    Raises:
        DataError: the file is missing, broken, or not a firstread network.
        MissingDependencyError: the package is not installed that provides networks for this task.
    """
    state, metadata = read_tensors(path)
    if metadata.get("format") not in (_FORMAT, _CLASSIFIER_FORMAT):
        raise DataError("This file does not hold a firstread network", where=path, do="use build_model(weights=path)")
    network = find_registered("models", metadata.get("kind", "classification"))
    try:
        model: Model = network.from_description(json.loads(metadata["blueprint"]))
        model.load_state_dict({name: value for name, value in state.items() if not name.startswith(TRAINING_PREFIX)})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            "This network does not fit its own description", where=path, do="save it again, or use another copy"
        ) from error
    return model.eval()
