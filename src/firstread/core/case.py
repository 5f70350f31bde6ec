"""Case: one row of a cohort, with its images, targets and facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.columns import label_numbers
from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.geometry import Geometry, same_grid
from firstread.core.images import middle_file, read_image, read_volume
from firstread.core.square_pixels import read_square_pixels
from firstread.core.table_schemas import ADJUDICATED
from firstread.core.volume import Volume
from firstread.core.windows import WindowLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CASE_FIELDS = ("case", "patient", "split")
_IMAGE_FIELDS = ("case", "name", "files", "frame", "modality", "unit", "affine_lps", "spacing_mm")


@dataclass(frozen=True, eq=False)
class Image:
    """An image or series of a case; pixels are read when they are asked for.

    Attributes:
        name: such as "image", "portal" or "input"; unique in its case.
        files: paths; several for a series of slices.
        frame: frame or slice within the file, or None.
        modality: of DICOM, or None.
        window: how values of 16 bits are shown with 8.
        metadata: every other column of its row, such as `series`, `rows` and `slices`.
    """

    name: str
    files: tuple[str, ...]
    frame: int | None = None
    modality: str | None = None
    window: WindowLike = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def shown(self, window: WindowLike = None) -> np.ndarray:
        """The picture to look at, with square pixels: uint8, (height, width) or (height, width, 3).

        Args:
            window: see `firstread.core.windows`; None is this image's own.
        """
        return read_square_pixels(middle_file(self.files), frame=self.frame, window=self._window(window))

    def pixels(self, window: WindowLike = None) -> np.ndarray:
        """The picture on the grid of its file, which boxes and masks refer to and networks read: as `shown`."""
        return read_image(middle_file(self.files), frame=self.frame, window=self._window(window))

    def _window(self, window: WindowLike) -> WindowLike:
        return self.window if window is None else window

    def volume(self) -> Volume:
        """The values in real units with their place in the patient: a whole series, or one frame of it.

        Raises:
            DataError: a file is broken, slices are missing, or the format states no geometry.
        """
        return read_volume(self.files, frame=self.frame)


@dataclass(frozen=True, eq=False)
class Case:
    """One row of a Cohort: a unit of prediction.

    Attributes:
        case: the identifier of this row, unique in its cohort.
        file, frame: of the image to look at, the first one; enough to make a case by hand.
        label: the class of the cohort's finding, or None where it is not known.
        patient: exact identifier or pseudonym of the patient, or None.
        split: "train", "validation", "test" or None.
        window: how values of 16 bits are shown with 8.
        metadata: every other column of the row.
        images: name -> Image.
        targets: what is said of the case, one dictionary a row of the table `targets`, without what is missing.

    Example:
        >>> case = fr.simulate_patients(1, kinds=("brain MR",), size=64)[0]
        >>> case.label, case.image().shape, list(case.images)
        ('brain MR', (64, 64), ['image'])
    """

    case: str
    file: str
    frame: int | None = None
    label: str | None = None
    patient: str | None = None
    split: str | None = None
    window: WindowLike = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    targets: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not self.images:
            image = Image("image", (self.file,), self.frame, window=self.window)
            object.__setattr__(self, "images", MappingProxyType({image.name: image}))

    @classmethod
    def from_rows(
        cls,
        facts: Mapping[str, Any],
        images: Sequence[Mapping[str, Any]],
        targets: Sequence[Mapping[str, Any]],
        *,
        label: str | None,
        window: WindowLike,
    ) -> "Case":
        """A case from its rows in the three tables."""
        named = {}
        for row in images:
            others = {name: value for name, value in row.items() if name not in _IMAGE_FIELDS}
            name = str(row.get("name", "image"))
            named[name] = Image(name, tuple(row["files"]), row.get("frame"), row.get("modality"), window, others)
        if not named:
            raise DataError("The case has no image", where=facts["case"], expected="a row in the table 'images'")
        first = next(iter(named.values()))
        others = {name: value for name, value in facts.items() if name not in _CASE_FIELDS}
        return cls(
            facts["case"],
            first.files[0],
            first.frame,
            label,
            facts.get("patient"),
            facts.get("split"),
            window,
            {**({"modality": first.modality} if first.modality else {}), **first.metadata, **others},
            MappingProxyType(named),
            tuple(MappingProxyType(dict(row)) for row in targets),
        )

    @property
    def _first_image(self) -> Image:
        return next(iter(self.images.values()))

    def image(self) -> np.ndarray:
        """The picture to look at, with square pixels: uint8, (height, width) or (height, width, 3)."""
        return self._first_image.shown()

    def pixels(self) -> np.ndarray:
        """The picture on the grid of its file, which boxes and masks refer to and networks read: as `image`."""
        return self._first_image.pixels()

    def volume(self, name: str | None = None) -> Volume:
        """The values of an image (by default the first) in real units, with their place in the patient.

        Raises:
            SettingError: the case has no image of this name.
            DataError: as `Image.volume`.
        """
        if name is not None and name not in self.images:
            raise SettingError(f'The case has no image "{name}".{suggest(name, tuple(self.images))}', where=self.case)
        return (self.images[name] if name else self._first_image).volume()

    def mask(self, structure: str, *, reader: str | None = None) -> Volume:
        """The mask of a structure, or of all lesions of a name: bool values (z, y, x), on the grid of its file.

        Args:
            structure: name of the mask in the targets.
            reader: whose mask; None takes the adjudicated one, else that of the only reader.

        Raises:
            DataError: no such mask, several readers, or a file that cannot be read.
        """
        rows = self.find_masks(structure, reader)
        volume = read_volume([rows[0]["file"]], frame=rows[0].get("frame"))
        return volume.labelled([number for row in rows for number in label_numbers(row.get("value"))])

    def mask_volume(
        self, structures: Sequence[str], *, grid: Geometry | None = None, reader: str | None = None
    ) -> Volume:
        """Label map of several structures: uint8 (z, y, x), 0 the background, then in the order of `structures`.

        Args:
            structures: names; where two overlap, the later one counts, so that a lesion lies within its organ.
            grid: of the image that the masks must fit; None takes that of the first mask.
            reader: whose masks, as in `mask`; a task says it as `task.reader`.

        Raises:
            DataError: a mask is missing, is one of several readers', or lies on another grid.
        """
        labels: Volume | None = None
        for number, structure in enumerate(structures, 1):
            mask = self.mask(structure, reader=reader)
            same_grid(grid or mask.geometry, mask.geometry, names=("image", f"mask of {structure}"))
            if labels is None:
                labels = Volume(np.zeros(mask.geometry.size_zyx, np.uint8), grid or mask.geometry)
            same_grid(labels.geometry, mask.geometry, names=("first mask", f"mask of {structure}"))
            labels.values[mask.values] = number
        if labels is None:
            raise SettingError("No structure was asked for", expected="the name of at least one")
        return labels

    def find_masks(self, structure: str, reader: str | None) -> list[Mapping[str, Any]]:
        """Rows of one mask in the targets: one, or those of several numbered lesions in one file.

        Raises:
            DataError: no such mask, or those of several readers.
        """
        rows = [row for row in self.targets if row.get("kind") == "mask" and row.get("name") == structure]
        readers = {row.get("reader") for row in rows}
        if reader is None and ADJUDICATED in readers:
            reader = ADJUDICATED
        if reader is not None:
            rows = [row for row in rows if row.get("reader") == reader]
        lesions = {row.get("lesion") for row in rows}
        is_numbered = len(lesions) == len(rows) > 1 and len({row.get("file") for row in rows}) == 1
        if len(rows) != 1 and not is_numbered:
            raise DataError(
                f"The case has {len(rows) or 'no'} mask{'s' if len(rows) > 1 else ''} of {structure}"
                + (f" by {reader}" if reader else ""),
                where=self.case,
                expected="one mask" if len(rows) < 2 else "one mask, or an adjudicated one",
                do="choose a reader" if len(rows) > 1 else "check the table 'targets'",
            )
        return rows

    def show(self, title: str | None = None) -> "Figure":
        """Draw the image in grayscale or color; returns the matplotlib figure."""
        from firstread.core.figures import show_images

        return show_images([self.image()], [title if title is not None else (self.label or self.case)], columns=1)
