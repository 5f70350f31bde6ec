"""Data augmentation: random rotation, shift, zoom, shear and flip of training images, drawn anew in every epoch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from firstread.core.errors import SettingError

#: share of a box that must be left in the image; less than that is no lesion any more that could be found
MIN_BOX_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Augmented:
    """Images that were augmented, with what moved with them.

    Attributes:
        images: (N, C, H, W).
        masks: (N, H, W), or None.
        boxes: for each image (M, 4): x0, y0, x1, y1 in pixels, half open; or None.
        kept: for each image (M,) bool: whether enough of each box is left; or None.
    """

    images: torch.Tensor
    masks: torch.Tensor | None = None
    boxes: list[torch.Tensor] | None = None
    kept: list[torch.Tensor] | None = None


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

    Example:
        >>> augmentation = Augmentation(rotate_degrees=10, shift=0.1)
        >>> augmentation(torch.rand(2, 1, 32, 32), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 32, 32])
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
        return self.apply(batch, generator).images

    def apply(
        self,
        images: torch.Tensor,
        generator: torch.Generator,
        *,
        masks: torch.Tensor | None = None,
        boxes: Sequence[torch.Tensor] | None = None,
    ) -> "Augmented":
        """Augment images, and move their masks and boxes with them.

        Args:
            images: (N, C, H, W) float; the channels of one image (such as neighbouring slices) move together.
            generator: as for a call.
            masks: (N, H, W), label maps of any integer type; moved by the nearest voxel, so that no new number appears.
                What lies outside is background (0).
            boxes: for each image (M, 4) float, x0, y0, x1, y1 in pixels, half open.

        Returns:
            Augmented images, masks and boxes. A box becomes the smallest one around the moved box; it is clipped to the
            image, and empty (its `kept` is False) where less than a quarter of it is left.

        Example:
            >>> turn = Augmentation(rotate_degrees=90)
            >>> moved = turn.apply(torch.zeros(2, 1, 8, 8), torch.Generator(), masks=torch.ones(2, 8, 8, dtype=int))
            >>> moved.masks.shape
            torch.Size([2, 8, 8])
        """
        if self.is_identity:
            kept = None if boxes is None else [torch.ones(len(one), dtype=torch.bool) for one in boxes]
            return Augmented(images, masks, None if boxes is None else list(boxes), kept)
        height, width = images.shape[2:]
        matrix = self.matrices(len(images), generator, aspect=width / height)
        grid = torch.nn.functional.affine_grid(matrix.to(images), list(images.shape), align_corners=False)
        moved = torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
        if masks is not None:
            layers = masks[:, None].to(grid.dtype)
            layers = torch.nn.functional.grid_sample(layers, grid, mode="nearest", align_corners=False)
            masks = layers[:, 0].round().to(masks.dtype)
        if boxes is None:
            return Augmented(moved, masks)
        pairs = [_move_boxes(one, m, width=width, height=height) for one, m in zip(boxes, matrix, strict=True)]
        return Augmented(moved, masks, [box for box, _ in pairs], [kept for _, kept in pairs])

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


def _move_boxes(
    boxes: torch.Tensor, matrix: torch.Tensor, *, width: int, height: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (M, 4) after an affine change (2, 3) of `affine_grid`, which leads from the new image to the old one."""
    size = torch.tensor([width, height], dtype=torch.float32)
    corners = boxes.float()[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)  # (M, 4, 2) x, y
    normalized = corners * 2 / size - 1
    moved = (normalized - matrix[:, 2]) @ torch.linalg.inv(matrix[:, :2]).T
    pixels = (moved + 1) * size / 2
    low, high = pixels.amin(dim=1), pixels.amax(dim=1)
    clipped = torch.cat([low.clamp(min=0).minimum(size), high.clamp(min=0).minimum(size)], dim=1)
    share = (clipped[:, 2:] - clipped[:, :2]).prod(dim=1) / (high - low).prod(dim=1).clamp_min(1e-9)
    kept = share >= MIN_BOX_SHARE
    return torch.where(kept[:, None], clipped, torch.zeros_like(clipped)).to(boxes.dtype), kept
