"""Weights from a file: found on this computer or in the package, read without running anything, fitted to a backbone."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from firstread.core.errors import DataError, NetworkError, SettingError
from firstread.core.paths import data_folder

#: the backbone that weights come with; chosen by measurement, see docs/explanation/bundled-weights.md
DEFAULT_BACKBONE = "regnetx_002"
BACKBONE_FORMAT = "firstread-backbone-1"
_BUNDLED = Path(__file__).resolve().parent / "bundled"
_WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema")


def find_weights(asked: str | Path | None, backbone: str) -> tuple[str, Path | None]:
    """What to call the weights of a backbone, and the file that they are in; None if they are random.

    Args:
        asked: "phantom", "imagenet", "none", a path, or None for the first of these that can be had.

    Raises:
        SettingError: phantom weights of a backbone that has none.
        NetworkError: ImageNet weights that are not on this computer.
    """
    if asked is None:
        try:
            return "imagenet", imagenet_file(backbone)
        except NetworkError:
            asked = "phantom" if bundled_file(backbone).exists() else "none"
    if str(asked) == "none":
        return "none", None
    if str(asked) == "imagenet":
        return "imagenet", imagenet_file(backbone)
    if str(asked) != "phantom":
        return Path(asked).name, Path(asked)
    if not bundled_file(backbone).exists():
        there = sorted(file.stem.removeprefix("phantom-") for file in _BUNDLED.glob("phantom-*.safetensors"))
        raise SettingError(
            f"There are no phantom weights of {backbone}",
            expected=", ".join(there),
            do='choose that backbone, or weights="none"',
        )
    return "phantom", bundled_file(backbone)


def bundled_file(backbone: str) -> Path:
    """Where the weights of a backbone lie that come with firstread, if there are any."""
    return _BUNDLED / f"phantom-{backbone}.safetensors"


def reads_each_image_by_itself(file: Path) -> bool:
    """True if the weights of a file learned from images that were normalised each by its own mean and spread."""
    import json

    from safetensors import SafetensorError, safe_open

    if file.suffix != ".safetensors":
        return False
    try:
        with safe_open(file, framework="pt") as opened:
            about = opened.metadata() or {}
        return about.get("format") == BACKBONE_FORMAT or bool(json.loads(about.get("blueprint", "{}")).get("per_image"))
    except (SafetensorError, OSError, ValueError, AttributeError):  # what is wrong with it is said where it is read
        return False


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
    """Put the weights of a file into a backbone; three-channel weights are summed for a backbone that takes one, and shared out
    for one that takes three.

    Raises:
        DataError: no such file, a file that could run code, or one made for another backbone.
    """
    state = _without_wrapping(_read(file))
    own = backbone.state_dict()
    state = {key: _channels(value, own.get(key)) for key, value in state.items()}
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


def _channels(value: torch.Tensor, own: torch.Tensor | None) -> torch.Tensor:
    """The first convolution's weights, made for three channels or for one, for a backbone that takes the other number."""
    if own is None or value.ndim != 4 or value.shape[1] == own.shape[1]:
        return value
    if (value.shape[1], own.shape[1]) == (3, 1):
        return value.sum(1, keepdim=True)
    return value.expand(-1, 3, -1, -1) / 3 if (value.shape[1], own.shape[1]) == (1, 3) else value
