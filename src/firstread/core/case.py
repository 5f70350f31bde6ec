"""Case: one row of a cohort, with its image and metadata."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.images import read_image
from firstread.core.windows import WindowLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Case:
    """One row of a Cohort.

    Attributes:
        case: the identifier of this row, unique in its cohort.
        file: path of the image file.
        frame: frame or slice within the file, or None.
        label: the class, or None where it is not known.
        patient: pseudonym of the patient, or None.
        split: "train", "validation", "test" or None.
        window: how 16-bit pixels are converted to 8 bits.
        metadata: every other column of the row.
    """

    case: str
    file: str
    frame: int | None = None
    label: str | None = None
    patient: str | None = None
    split: str | None = None
    window: WindowLike = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def image(self) -> np.ndarray:
        """The pixels: uint8, (height, width) or (height, width, 3)."""
        return read_image(self.file, frame=self.frame, window=self.window)

    def show(self, title: str | None = None) -> "Figure":
        """Draw the image in grayscale or color; returns the matplotlib figure."""
        from firstread.core.figures import show_images

        return show_images([self.image()], [title if title is not None else (self.label or self.case)], columns=1)
