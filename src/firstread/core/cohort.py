"""Cohort: the table of cases, one row an image or series, with its origin and processing steps."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.case import Case
from firstread.core.columns import COLUMNS, SPLITS, encode_labels, none_if_missing, validate_table
from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.files import read_json, to_jsonable, write_atomically, write_json
from firstread.core.images import read_image, resize_square, to_grayscale
from firstread.core.windows import WindowLike

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Origin:
    """Source of the data: name, license, citation, URL; shown in every report about them."""

    name: str
    description: str = ""
    license: str = ""
    citation: str = ""
    url: str = ""


@dataclass(frozen=True)
class Step:
    """One processing step of a cohort, recorded for reproducibility."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    version: str = ""


@dataclass(frozen=True)
class Cohort:
    """Images with their classes, patients and splits.

    Attributes:
        table: pandas table; columns `case` (unique text), `file`, `frame` (frame or slice, or missing), `label` (one of
            `classes`, or missing), `patient` (pseudonym, or missing), `split` ("train", "validation", "test" or
            missing), and any further metadata. Rows are in file order, which the "contiguous" split relies on.
        classes: class names in the order of a network's outputs. With two classes the second is the *positive* one.
        origin: name, license and citation of the data.
        steps: processing steps that made this table, oldest first.
        window: how 16-bit pixels are converted to 8 bits, as in `read_dicom`.
        parent: the cohort of which this is a subset (`cohort.test.parent` is `cohort`), or None.

    A cohort is never changed in place: every method returns a new one.
    """

    table: "pd.DataFrame"
    classes: tuple[str, ...]
    origin: Origin
    steps: tuple[Step, ...] = ()
    window: WindowLike = None
    parent: "Cohort | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(str(name) for name in self.classes))
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "table", validate_table(self.table, self.classes))

    # ---- cases and counts

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Case]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Case:
        try:
            row = self.table.iloc[index]
        except IndexError:
            raise IndexError(f"There is no case {index}: the cohort has {len(self)}.") from None
        values = {str(column): none_if_missing(value) for column, value in row.items()}
        frame = values.pop("frame")
        return Case(
            frame=None if frame is None else int(frame),
            window=self.window,
            metadata={column: values.pop(column) for column in list(values) if column not in COLUMNS},
            **values,
        )

    @property
    def train(self) -> "Cohort":
        """The training split."""
        return self.subset("train")

    @property
    def validation(self) -> "Cohort":
        """The validation split, for model selection and early stopping; never augmented."""
        return self.subset("validation")

    @property
    def test(self) -> "Cohort":
        """The test split, evaluated once, at the end."""
        return self.subset("test")

    @property
    def positive(self) -> str | None:
        """The positive class of two (a score of 1); None with more classes."""
        return self.classes[1] if len(self.classes) == 2 else None

    @property
    def targets(self) -> np.ndarray:
        """Class indices of the labels: (N,) int64, positions in `classes`; -1 where there is no label."""
        return encode_labels(self.table["label"], self.classes)

    def counts(self) -> "pd.DataFrame":
        """Number of cases of each class in each split."""
        import pandas as pd

        split = self.table["split"].fillna("(none)")
        label = self.table["label"].fillna("(no label)")
        counts = pd.crosstab(label, split)
        columns = [name for name in (*SPLITS, "(none)") if name in counts.columns]
        rows = [name for name in (*self.classes, "(no label)") if name in counts.index]
        counts = counts.loc[rows, columns].rename_axis(index="class", columns=None)
        counts["all"] = counts.sum(axis=1)
        return counts

    def show(self, count: int = 10, *, seed: int = 0) -> "Figure":
        """Draw `count` random cases, equally many of each class; returns the figure."""
        from firstread.core.figures import show_images

        order = np.random.default_rng(seed).permutation(len(self))
        targets = self.targets
        by_class = [[i for i in order if targets[i] == k] for k in sorted(set(targets.tolist()))]
        picked = [members[rank] for rank in range(count) for members in by_class if rank < len(members)][:count]
        if by_class:
            picked.sort(key=lambda i: targets[i])
        cases = [self[int(i)] for i in picked]
        return show_images([case.image() for case in cases], [case.label or case.case for case in cases])

    def images(self, size: int, *, channels: int = 1) -> np.ndarray:
        """All images, resized to one square size.

        Args:
            size: pixels on each side.
            channels: 1 for grayscale, 3 for color.

        Returns:
            uint8 array, (N, size, size) for one channel, (N, size, size, 3) for three.

        Raises:
            DataError: a file cannot be read; the message names it.
        """
        from firstread.core.progress_bar import track

        if channels not in (1, 3):
            raise SettingError(f"channels={channels} is not possible", expected="1 (grayscale) or 3 (colour)")
        shape = (len(self), size, size) if channels == 1 else (len(self), size, size, 3)
        stack = np.zeros(shape, np.uint8)
        rows = zip(self.table["file"], self.table["frame"], strict=True)
        for index, (file, frame) in enumerate(track(rows, "Reading images", total=len(self))):
            pixels = read_image(file, frame=none_if_missing(frame), window=self.window)
            if channels == 1:
                pixels = to_grayscale(pixels)
            elif pixels.ndim == 2:
                pixels = np.repeat(pixels[..., None], 3, axis=2)
            stack[index] = resize_square(pixels, size)
        return stack

    # ---- subsets and copies

    def subset(self, split: str) -> "Cohort":
        """The cases of one split: "train", "validation" or "test"."""
        if split not in SPLITS:
            raise SettingError(f'There is no split called "{split}".{suggest(split, SPLITS)}')
        return self.where(self.table["split"] == split)

    def where(self, mask: "Sequence[bool] | np.ndarray | pd.Series") -> "Cohort":
        """The cases for which `mask` (N,) is true; their `parent` is this cohort, or its parent."""
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != (len(self),):
            raise SettingError(f"The mask has the shape {mask.shape}", expected=f"({len(self)},): one value a case")
        selected = self.table[mask].reset_index(drop=True)
        return replace(self, table=selected, parent=self.parent or self)

    def with_column(self, name: str, values: "Sequence[Any] | np.ndarray", *, step: Step | None = None) -> "Cohort":
        """A copy with the column `name` (such as "split") set to `values` (N,)."""
        import pandas as pd

        values = list(values)
        if len(values) != len(self):
            raise SettingError(f"{len(values)} values were given for {len(self)} cases", expected="one value a case")
        table = self.table.copy()
        table[name] = pd.Series(values, dtype=object)
        return replace(self, table=table, steps=self.steps + ((step,) if step else ()), parent=None)

    # ---- saving and loading

    def save(self, folder: str | Path) -> Path:
        """Write `cohort.csv` and `cohort.json` into `folder`; files under it are named relative to it."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        base = folder.resolve()
        table = self.table.copy()
        table["file"] = [_relative_path(Path(file), base) for file in table["file"]]
        write_atomically(folder / "cohort.csv", lambda path: table.to_csv(path, index=False))
        header = {"classes": self.classes, "origin": asdict(self.origin), "window": self.window}
        write_json(folder / "cohort.json", {**header, "steps": [asdict(step) for step in self.steps]})
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> "Cohort":
        """Read a cohort from a folder that `save` wrote.

        Raises:
            DataError: the folder holds no cohort, a broken one, or one of an older version of firstread.
        """
        import pandas as pd

        folder = Path(folder)
        header = read_json(folder / "cohort.json")
        remedy = "delete the folder and run the step again"
        try:
            if "licence" in header["origin"]:  # the spelling of older versions
                what = "The saved cohort was written by an older version of firstread"
                raise DataError(what, where=folder, do=remedy)
            table = pd.read_csv(
                folder / "cohort.csv",
                dtype={name: "object" for name in ("case", "file", "label", "patient", "split")},
                keep_default_na=False,  # a class may be called "None" or "NA"
                na_values=[""],
            )
            table["file"] = [str(folder / file) for file in table["file"]]
            return cls(
                table=table,
                classes=tuple(header["classes"]),
                origin=Origin(**header["origin"]),
                steps=tuple(Step(**step) for step in header["steps"]),
                window=tuple(header["window"]) if isinstance(header["window"], list) else header["window"],
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError("The saved cohort is broken", where=folder, do=remedy) from error

    def describe(self) -> dict[str, Any]:
        """Origin, counts and steps as JSON-serializable values, for reports."""
        counts = self.counts()
        summary: dict[str, Any] = to_jsonable(
            {
                "origin": asdict(self.origin),
                "classes": self.classes,
                "counts": {split: counts[split].to_dict() for split in counts.columns},
                "steps": [asdict(step) for step in self.steps],
            }
        )
        return summary

    def __repr__(self) -> str:
        return f"Cohort {self.origin.name!r}: {len(self)} cases, classes {', '.join(self.classes)}\n{self.counts()}"

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self.origin.name)}</b>: {len(self)} cases</p>{self.counts().to_html()}"


def _relative_path(file: Path, base: Path) -> str:
    """Path of `file` relative to `base` if it is inside, else its absolute path."""
    try:
        return str(file.resolve().relative_to(base))
    except ValueError:
        return str(file.resolve())
