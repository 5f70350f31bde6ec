"""Data augmentation: random rotation, shift, zoom, shear and flip of training images, drawn anew in every epoch."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from firstread.core.errors import SettingError


@dataclass(frozen=True)
class Augmentation:
    """Random affine augmentation of training images; validation and test images are never augmented.

    It states which changes must not change the answer.

    Attributes:
        rotate_degrees: turn by up to this much either way, 0 to 180.
        shift: move by up to this fraction of the width and height, 0 to 0.5.
        zoom: enlarge or shrink by up to this fraction, 0 to 0.9.
        shear_degrees: slant by up to this much, 0 to 45.
        flip: mirror left and right half of the time. Wrong for any question in which side matters.

    Raises:
        SettingError: a value is outside its range.

    Source: the augmentation of Lakhani 2018, doi 10.1007/s10278-018-0079-6, in the terms of Keras.
    """

    rotate_degrees: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear_degrees: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        limits = {"rotate_degrees": 180, "shift": 0.5, "zoom": 0.9, "shear_degrees": 45}
        for name, highest in limits.items():
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= highest:
                raise SettingError(f"Augmentation: {name}={value!r} is not possible", expected=f"0 to {highest}")

    @property
    def is_identity(self) -> bool:
        """True if no image is changed."""
        return not any(asdict(self).values())

    def __call__(self, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Augment each image of a batch by its own random draw.

        Args:
            batch: (N, C, H, W) float; what lies outside an image is filled with its nearest border pixel.
            generator: a CPU generator; the same generator state gives the same images.

        Returns:
            (N, C, H, W), same type and device.
        """
        if self.is_identity:
            return batch
        matrix = self.matrices(len(batch), generator, aspect=batch.shape[3] / batch.shape[2])
        grid = torch.nn.functional.affine_grid(matrix.to(batch), list(batch.shape), align_corners=False)
        return torch.nn.functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)

    def matrices(self, count: int, generator: torch.Generator, *, aspect: float = 1.0) -> torch.Tensor:
        """Draw (count, 2, 3) affine matrices in the normalized coordinates of `torch.nn.functional.affine_grid`.

        Args:
            aspect: width / height, so that a turn stays a turn on an oblong image.
        """

        def draw(limit: float) -> torch.Tensor:
            return (torch.rand(count, generator=generator) * 2 - 1) * limit

        angle = torch.deg2rad(draw(self.rotate_degrees))
        shear = torch.tan(torch.deg2rad(draw(self.shear_degrees)))
        scale = 1 + draw(self.zoom)
        translation = torch.stack([draw(self.shift) * 2, draw(self.shift) * 2], dim=1)
        mirror = torch.ones(count)
        if self.flip:
            mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        row_x = torch.stack([mirror * cos, (shear * cos - sin) / aspect], dim=1)
        row_y = torch.stack([mirror * sin * aspect, shear * sin + cos], dim=1)
        linear = torch.stack([row_x, row_y], dim=1) * scale[:, None, None]
        return torch.cat([linear, translation[:, :, None]], dim=2)

    def show(self, image: np.ndarray, *, count: int = 11, seed: int = 0) -> Any:
        """Draw the image and `count` augmented versions of it; returns the figure.

        Args:
            image: uint8, (H, W) or (H, W, 3).
        """
        from firstread.core.figures import show_images

        pixels = image[..., None] if image.ndim == 2 else image
        tensor = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
        augmented = self(tensor.repeat(count, 1, 1, 1), torch.Generator().manual_seed(seed))
        arrays = augmented.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        versions = [a[..., 0] if image.ndim == 2 else a for a in arrays]
        return show_images([image, *versions], ["original", *[""] * count], columns=6)
