"""Weights from a file: found on this computer, read without running anything, fitted to a backbone."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from firstread.core.errors import DataError, NetworkError
from firstread.core.settings import data_folder

_WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema")


def imagenet_file(backbone: str) -> Path:
    """The file of ImageNet weights of a backbone; nothing is fetched.

    It is looked for in firstread's own folder `weights`, in torch's cache, and in the Hugging Face cache that timm uses.

    Raises:
        NetworkError: it is not on this computer; the message says how to get it.
    """
    for folder in (data_folder() / "weights", Path(torch.hub.get_dir()) / "checkpoints"):
        files = [f for suffix in (".safetensors", ".pth") for f in sorted(folder.glob(f"{backbone}*{suffix}"))]
        for mark in (None, ".", "-", "_"):  # the plain name first; "_" last, because it may be another backbone's
            for file in files:
                rest = file.stem.removeprefix(backbone)
                if (rest == "") if mark is None else rest.startswith(mark):
                    return file
    for file in sorted(_hugging_face_folder().glob(f"models--timm--{backbone}.*/snapshots/*/model.safetensors")):
        return file
    raise NetworkError(
        f"ImageNet weights of {backbone} are not on this computer",
        where=data_folder() / "weights",
        expected=f"{backbone}.safetensors",
        do=f"on a computer with internet run: python -c \"import timm; timm.create_model('{backbone}', pretrained=True)\" "
        'and, if it is another computer, copy the file here; or use weights="none"',
    )


def load_backbone(backbone: nn.Module, file: Path, *, name: str) -> None:
    """Put the weights of a file into a backbone; three-channel weights are summed for a backbone that takes one.

    Raises:
        DataError: no such file, a file that could run code, or one made for another backbone.
    """
    state = _without_wrapping(_read(file))
    own = backbone.state_dict()
    state = {key: _gray(value, own.get(key)) for key, value in state.items()}
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    if len(fitting) < 0.9 * len(own):
        raise DataError(
            f"The weights do not fit: {len(fitting)} of {len(own)} tensors match {name}",
            where=file,
            do="choose the backbone that the weights were made for",
        )
    backbone.load_state_dict(fitting, strict=False)


def _hugging_face_folder() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _read(file: Path) -> Any:
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError("There is no file of weights", where=file, do="check the path") from error
    except Exception as error:  # unpickling refuses with many types; none of them may run code
        raise DataError(
            "The weights cannot be read safely", where=file, expected="safetensors, or a .pth that holds tensors only"
        ) from error


def _without_wrapping(state: Any) -> dict[str, torch.Tensor]:
    """Only the backbone's tensors, under timm's names, from a plain or a wrapped dictionary."""
    for key in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        return {}
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    if any(key.startswith("backbone.") for key in tensors):  # a network of firstread's own
        tensors = {key: value for key, value in tensors.items() if key.startswith("backbone.")}
    return {key.removeprefix("backbone."): value for key, value in tensors.items()}


def _gray(value: torch.Tensor, own: torch.Tensor | None) -> torch.Tensor:
    """The first convolution's weights, made for three channels, summed for one."""
    colour = own is not None and value.ndim == 4 and value.shape[1] == 3 and own.shape[1] == 1
    return value.sum(1, keepdim=True) if colour else value
