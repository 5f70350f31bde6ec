"""InputSpec: what a network takes in, in the patient's millimetres or in pixels."""

from dataclasses import dataclass

from firstread.core.windows import WindowLike

#: pixels of one inference batch; larger batches would not be faster on a CPU
_INFERENCE_PIXELS = 1_500_000


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a network takes in: the service and the DICOM node choose the series by it.

    Attributes:
        patch_size: rows and columns of the image that the network gets.
        channels: of a picture: 1 (grayscale) or 3 (color).
        images: names of the case's images that go in.
        slices: neighbouring slices of a volume that go in together (2.5D); the answer is for the middle one.
        spacing_mm_zyx: spacing to which volumes are resampled; None for pictures, which are resized to `patch_size`.
        unit: of the values, "HU" for CT; "" for pictures of 8 bits.
        window: range of the values that the network can tell apart, see `firstread.core.windows`.

    Example:
        >>> InputSpec(patch_size=(96, 96)).is_volume
        False
    """

    patch_size: tuple[int, int]
    channels: int = 1
    images: tuple[str, ...] = ("image",)
    slices: int = 1
    spacing_mm_zyx: tuple[float, float, float] | None = None
    unit: str = ""
    window: WindowLike = None

    @property
    def is_volume(self) -> bool:
        """Whether slices of volumes go in, and not pictures."""
        return self.spacing_mm_zyx is not None

    @property
    def pixels(self) -> int:
        """Pixels of one input, of one channel."""
        return self.patch_size[0] * self.patch_size[1]

    @property
    def inference_batch_size(self) -> int:
        """Inference batch size for this image size: 64 for small images, 16 for 299 pixels.

        Larger batches would not be faster on a CPU, and would need memory that a laptop does not have.
        """
        return max(8, min(64, _INFERENCE_PIXELS // self.pixels))
