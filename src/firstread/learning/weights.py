"""Pretrained weights: find the file on this computer, read it without running code, load it into a backbone."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from firstread.core.errors import DataError, NetworkError, SettingError
from firstread.core.paths import data_folder

#: the backbone of the bundled weights; chosen by measurement, see docs/explanation/bundled-weights.md
DEFAULT_BACKBONE = "regnetx_002"
BACKBONE_FORMAT = "firstread-backbone-1"
_BUNDLED = Path(__file__).resolve().parent / "bundled"
_WRAPPER_KEYS = ("state_dict", "model_state_dict", "model", "state_dict_ema")


def find_weights(weights: str | Path | None, backbone: str) -> tuple[str, Path | None]:
    """Resolve the `weights` argument of `build_model` to a name and a file; the file is None for random weights.

    Args:
        weights: "phantom", "imagenet", "none", a path, or None for the first of these that is available.

    Raises:
        SettingError: phantom weights of a backbone that has none.
        NetworkError: ImageNet weights that are not on this computer.
    """
    if weights is None:
        try:
            return "imagenet", imagenet_file(backbone)
        except NetworkError:
            weights = "phantom" if bundled_file(backbone).exists() else "none"
    if str(weights) == "none":
        return "none", None
    if str(weights) == "imagenet":
        return "imagenet", imagenet_file(backbone)
    if str(weights) != "phantom":
        return Path(weights).name, Path(weights)
    if not bundled_file(backbone).exists():
        available = sorted(file.stem.removeprefix("phantom-") for file in _BUNDLED.glob("phantom-*.safetensors"))
        raise SettingError(
            f"There are no phantom weights of {backbone}",
            expected=", ".join(available),
            do='choose that backbone, or weights="none"',
        )
    return "phantom", bundled_file(backbone)


def bundled_file(backbone: str) -> Path:
    """Path of a backbone's bundled weights; the file exists only for backbones that have some."""
    return _BUNDLED / f"phantom-{backbone}.safetensors"


def uses_per_image_normalization(file: Path) -> bool:
    """True if a file's weights were trained on images normalized each by its own mean and standard deviation."""
    import json

    from safetensors import SafetensorError, safe_open

    if file.suffix != ".safetensors":
        return False
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
        blueprint = json.loads(metadata.get("blueprint", "{}"))
        return metadata.get("format") == BACKBONE_FORMAT or bool(blueprint.get("per_image_normalization"))
    except (SafetensorError, OSError, ValueError, AttributeError):  # load_backbone reports what is wrong with the file
        return False


def imagenet_file(backbone: str) -> Path:
    """Find the file of a backbone's ImageNet weights on this computer; nothing is downloaded.

    Searches firstread's own folder `weights`, torch's cache, and the Hugging Face cache that timm uses.

    Raises:
        NetworkError: it is not on this computer; the message says how to get it.
    """
    for folder in (data_folder() / "weights", Path(torch.hub.get_dir()) / "checkpoints"):
        files = [f for suffix in (".safetensors", ".pth") for f in sorted(folder.glob(f"{backbone}*{suffix}"))]
        for separator in (None, ".", "-", "_"):  # the plain name first; "_" last, because it may be another backbone's
            for file in files:
                rest = file.stem.removeprefix(backbone)
                if (rest == "") if separator is None else rest.startswith(separator):
                    return file
    for file in sorted(_hugging_face_folder().glob(f"models--timm--{backbone}.*/snapshots/*/model.safetensors")):
        return file
    raise NetworkError(
        f"ImageNet weights of {backbone} are not on this computer",
        where=data_folder() / "weights",
        expected=f"{backbone}.safetensors",
        do="on a computer with internet run: "
        f"python -c \"import timm; timm.create_model('{backbone}', pretrained=True)\" "
        'and, if it is another computer, copy the file here; or use weights="none"',
    )


def count_input_channels(file: Path, first_layer: str) -> int | None:
    """Input channels of a file's weights; None if the file has no such layer.

    Args:
        file: of the weights.
        first_layer: timm's name of the backbone's first convolution.

    Raises:
        DataError: no such file, or a file that could run code.
    """
    kernel = _unwrap_state_dict(_read_state_dict(file)).get(f"{first_layer}.weight")
    return kernel.shape[1] if kernel is not None and kernel.ndim == 4 else None


def load_backbone(backbone: nn.Module, file: Path, *, name: str) -> None:
    """Load the weights of a file into a backbone, adapted to its number of input channels.

    Raises:
        DataError: no such file, a file that could run code, or one made for another backbone.
    """
    state = _unwrap_state_dict(_read_state_dict(file))
    expected = backbone.state_dict()
    state = {key: _adapt_input_channels(value, expected.get(key)) for key, value in state.items()}
    matching = {key: value for key, value in state.items() if key in expected and expected[key].shape == value.shape}
    if len(matching) < 0.9 * len(expected):
        raise DataError(
            f"The weights do not fit: {len(matching)} of {len(expected)} tensors match {name}",
            where=file,
            do="choose the backbone that the weights were made for",
        )
    backbone.load_state_dict(matching, strict=False)


def _hugging_face_folder() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _read_state_dict(file: Path) -> Any:
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


def _unwrap_state_dict(state: Any) -> dict[str, torch.Tensor]:
    """Extract the backbone's tensors, under timm's names, from a plain or a wrapped state dict."""
    for key in _WRAPPER_KEYS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        return {}
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    if any(key.startswith("backbone.") for key in tensors):  # a firstread Classifier
        tensors = {key: value for key, value in tensors.items() if key.startswith("backbone.")}
    return {key.removeprefix("backbone."): value for key, value in tensors.items()}


def _adapt_input_channels(value: torch.Tensor, expected: torch.Tensor | None) -> torch.Tensor:
    """Convert first-layer weights of three input channels to one (summed), or of one to three (divided)."""
    if expected is None or value.ndim != 4 or value.shape[1] == expected.shape[1]:
        return value
    if (value.shape[1], expected.shape[1]) == (3, 1):
        return value.sum(1, keepdim=True)
    return value.expand(-1, 3, -1, -1) / 3 if (value.shape[1], expected.shape[1]) == (1, 3) else value
