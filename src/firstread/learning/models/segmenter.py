"""Segmenter: a small 2.5D U-Net that labels the voxels of a volume slice by slice.

Source: MONAI's UNet with residual units; Dice and cross-entropy as in nnU-Net (Isensee 2021, doi
10.1038/s41592-020-01008-z).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from firstread.core.errors import SettingError
from firstread.core.task_protocol import Task, answer_names, task_from_json, task_to_json
from firstread.core.tasks import Segmentation
from firstread.core.windows import WindowLike, check_window
from firstread.learning.examples import to_tensor
from firstread.learning.input_spec import InputSpec
from firstread.learning.models.model_file import save_model
from firstread.learning.random_state import seeded

_WIDTHS = (16, 32, 64, 128)


class Segmenter(nn.Module):
    """2.5D U-Net: some neighbouring axial slices in, a score for each structure and voxel of the middle one out.

    Attributes:
        task: the structures.
        inputs: spacing, slices, window and size of the patches that it is trained on; it predicts slices of any size.
        network: MONAI's UNet, 16-32-64-128 channels, batch normalization.
    """

    metric: ClassVar[str] = "dice"
    default_learning_rates: ClassVar[Mapping[str, float]] = {"constant": 1e-3, "one-cycle": 5e-3}

    def __init__(self, task: Segmentation, inputs: InputSpec) -> None:
        super().__init__()
        from monai.losses import DiceCELoss
        from monai.networks.nets import UNet

        self.task, self.inputs = task, inputs
        self.network = UNet(
            spatial_dims=2,
            in_channels=inputs.slices,
            out_channels=1 + len(task.structures),
            channels=_WIDTHS,
            strides=(2,) * (len(_WIDTHS) - 1),
            num_res_units=1,
            norm="batch",
        )
        self._loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    @classmethod
    def build(
        cls,
        task: Task,
        *,
        backbone: str = "unet",
        size: int = 128,
        slices: int = 5,
        spacing_mm_zyx: tuple[float, float, float] = (4.0, 3.1, 3.1),
        window: WindowLike = "abdomen",
        images: tuple[str, ...] = ("image",),
        seed: int = 0,
    ) -> "Segmenter":
        """Build a segmentation network for CT with random weights.

        Args:
            task: a `Segmentation`.
            backbone: "unet", the only one.
            size: pixels on each side of the patches that it is trained on.
            slices: neighbouring slices that go in together, an odd number.
            spacing_mm_zyx: spacing to which volumes are resampled; labels go back to the scan's own grid.
            window: Hounsfield units that the network can tell apart.
            images: name of the case's image; "image" takes the first one.
            seed: of the weights.

        Raises:
            SettingError: an impossible value.
        """
        if backbone != "unet":
            raise SettingError(f'There is no backbone called "{backbone}" for a segmentation', expected="unet")
        if size < 16 or size % 8 or slices < 1 or not slices % 2:
            what = f"size={size}, slices={slices} is not possible"
            raise SettingError(what, expected="a size from 16 that 8 divides, an odd number of slices")
        checked = check_window(window)
        if isinstance(checked, str):
            raise SettingError(f'window="{window}" has no fixed range', expected="a CT window or (center, width)")
        inputs = InputSpec(
            patch_size=(size, size),
            slices=slices,
            spacing_mm_zyx=(float(spacing_mm_zyx[0]), float(spacing_mm_zyx[1]), float(spacing_mm_zyx[2])),
            unit="HU",
            window=checked,
            images=tuple(images),
        )
        with seeded(seed):
            return cls(task if isinstance(task, Segmentation) else Segmentation(answer_names(task)), inputs)

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Segmenter":
        """The network that `describe` described, with random weights."""
        task = task_from_json(description["task"])
        names = ("slices", "spacing_mm_zyx", "window", "images")
        return cls.build(task, size=description["size"], **{name: description[name] for name in names})

    def describe(self) -> dict[str, Any]:
        """Plain values from which `from_description` builds the network again."""
        inputs = self.inputs
        return {
            "backbone": "unet",
            "task": task_to_json(self.task),
            "size": inputs.patch_size[0],
            "slices": inputs.slices,
            "spacing_mm_zyx": list(inputs.spacing_mm_zyx or ()),
            "window": list(inputs.window or ()),
            "images": list(inputs.images),
            "parameters": self.parameter_count,
        }

    @property
    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the network lies: on the device that it was trained on."""
        return next(self.parameters()).device

    def prepare(self, inputs: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Hounsfield units (N, slices, H, W) -> float32 on the network's device, -1 to 1 over the window."""
        center, width = np.asarray(self.inputs.window, dtype=float)
        values = to_tensor(inputs).to(self.device).float()
        return values.sub_(float(center)).div_(float(width) / 2).clamp_(-1, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """(N, slices, H, W) -> logits (N, 1 + S, H, W); background first."""
        return self.network(values)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Dice loss and cross-entropy: logits (N, 1 + S, H, W), label maps (N, H, W) -> scalar, 0 is best."""
        return self._loss(outputs.float(), targets[:, None])

    def score(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Twice the common voxels, and the voxels of both, of each structure: (S,) each; their ratio is Dice."""
        predicted = outputs.argmax(dim=1)
        numbers = range(1, 1 + len(self.task.structures))
        common = torch.stack([2 * ((predicted == n) & (targets == n)).sum() for n in numbers])
        both = torch.stack([(predicted == n).sum() + (targets == n).sum() for n in numbers])
        return common, both

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Logits (N, 1 + S, H, W) -> probabilities on the CPU; they sum to 1 at every voxel."""
        return torch.softmax(outputs.float(), dim=1).cpu()

    def save(self, path: str | Path) -> Path:
        """Write weights and description to one safetensors file, atomically."""
        return save_model(self, path)

    def __repr__(self) -> str:
        spacing = " x ".join(f"{value:g}" for value in self.inputs.spacing_mm_zyx or ())
        return (
            f"2.5D U-Net: {self.parameter_count:,} weights; takes {self.inputs.slices} slices of CT at {spacing} mm; "
            f"answers {', '.join(self.task.structures)}"
        )
