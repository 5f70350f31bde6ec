"""One case of a cohort: an image, what is known about it, and a way to look at it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


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
        window: how 16-bit pixels are brought to 8 bits.
        facts: every other column of the row.
    """

    case: str
    file: str
    frame: int | None = None
    label: str | None = None
    patient: str | None = None
    split: str | None = None
    window: Any = None
    facts: dict[str, Any] = field(default_factory=dict)

    def image(self) -> np.ndarray:
        """The pixels: uint8, (height, width) or (height, width, 3)."""
        from firstread.core.images import read_image

        return read_image(self.file, frame=self.frame, window=self.window)

    def show(self, title: str | None = None) -> Any:
        """Draw the image as a radiologist would look at it; returns the matplotlib figure."""
        from firstread.core.figures import show_images

        return show_images([self.image()], [title if title is not None else (self.label or self.case)], columns=1)
