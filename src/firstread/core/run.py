"""Run: settings, history and metadata of one training. Needs no torch."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMAT = "firstread-run-2"


@dataclass(frozen=True)
class Run:
    """One training: what a call of `train` made.

    A run that went on from another one (`train(..., resume=run)`) is its child: it has a folder of its own, and nothing
    is ever written into that of its parent.

    Attributes:
        folder: of its checkpoints (`last.safetensors`, `best.safetensors`) and `run.json`.
        model: backbone name and how the network was built.
        settings: every argument of every call to `train` that led here, oldest first: those of the parents, then its
            own.
        history: one row an epoch, over the parents too: `epoch` (1, 2, ...), `phase` ("frozen" or "unfrozen"),
            `train_loss`, `validation_loss`, `train_<metric>`, `validation_<metric>` (accuracy, dice), `learning_rate`,
            `seconds`.
        arms: the experiment arms as they were really run, such as {"augmentation": "on", "dropout": "off"}.
        metadata: versions, device, precision, where the examples were read from, seconds by phase, messages (a smaller
            batch, CPU instead of GPU), `finished` or `interrupted`, `kept_epoch` (whose weights the network has at its
            end).
        id: its name, unique; that of its folder unless a folder was given.
        parent: id of the run that it went on from, or None.
        epochs_before: number of rows of `history` that its parents trained.
        fingerprints: of the network's blueprint ("model"), the training and validation cases ("cohort"), and the
            weights at its end ("weights"): what does not have them is not taken for a part of this run.
        patients: digests (`patient_digest`) of the patients of the training and validation cases, so that it can be
            said which networks saw a patient who withdraws.
    """

    folder: Path
    model: dict[str, Any]
    settings: list[dict[str, Any]]
    history: list[dict[str, Any]]
    arms: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    parent: str | None = None
    epochs_before: int = 0
    fingerprints: dict[str, str] = field(default_factory=dict)
    patients: list[str] = field(default_factory=list, repr=False)

    @property
    def table(self) -> "pd.DataFrame":
        """`history` as a table."""
        import pandas as pd

        return pd.DataFrame(self.history)

    @property
    def epochs(self) -> int:
        """Number of epochs trained, over all calls."""
        return len(self.history)

    @property
    def metric(self) -> str:
        """Name of the metric in `history` beside the loss: "accuracy" of a classifier, "dice" of a segmentation."""
        names = [name.removeprefix("train_") for row in self.history[-1:] for name in row if name.startswith("train_")]
        return next((name for name in names if name != "loss"), "accuracy")

    @property
    def weights_file(self) -> Path:
        """File of the weights that the network had at the end: the best epoch's with `patience`, else the last's."""
        kept_epoch = self.metadata.get("kept_epoch", self.epochs)
        return self.folder / ("last.safetensors" if kept_epoch == self.epochs else "best.safetensors")

    def plot(self) -> "Figure":
        """Plot loss and metric by epoch: training solid, validation dashed, a line where the phase changes."""
        from firstread.core.figures import new_figure

        figure, axes = new_figure(1, 2, panel_width_inches=5.2, panel_height_inches=3.6)
        table = self.table
        for axis, name in zip(axes[0], ("loss", self.metric), strict=True):
            _draw_history(axis, table, name)
            _draw_phase_changes(axis, table)
            axis.set(xlabel="Epoch", title=name.capitalize())
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.legend()
        axes[0][1].set_ylim(-0.02, 1.02)
        return figure

    def save(self) -> Path:
        """Write `run.json` into the run's folder, atomically."""
        value = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "folder"}
        return write_json(self.folder / "run.json", {"format": _FORMAT, **value})

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Read a run from its folder.

        Raises:
            DataError: `run.json` is missing, of an older version of firstread, or not that of a run.
        """
        folder = Path(folder)
        value = read_json(folder / "run.json")
        if isinstance(value, dict) and "history" in value and value.get("format") != _FORMAT:
            raise DataError("This run was written by an older version of firstread", where=folder, do="train again")
        try:
            return cls(folder=folder, **{name: item for name, item in value.items() if name != "format"})
        except (TypeError, AttributeError) as error:
            raise DataError(
                "This is not a training run", where=folder, do="choose a folder that holds run.json"
            ) from error


def _draw_history(axis: "Axes", table: "pd.DataFrame", name: str) -> None:
    """Draw the columns `train_<name>` and `validation_<name>` by epoch, where they hold values."""
    from firstread.core.figures import PALETTE

    for split, color, style, marker in (("train", PALETTE[0], "-", "o"), ("validation", PALETTE[1], "--", "s")):
        column = f"{split}_{name}"
        if column in table and table[column].notna().any():
            axis.plot(table["epoch"], table[column], style, color=color, marker=marker, markersize=4, label=split)


def _draw_phase_changes(axis: "Axes", table: "pd.DataFrame") -> None:
    """Mark the epochs at which the phase changed, such as from frozen to unfrozen."""
    if not len(table):
        return
    for change in table.index[table["phase"] != table["phase"].shift()][1:]:
        epoch = table["epoch"][change] - 0.5
        axis.axvline(epoch, color="#555555", linestyle=":", linewidth=1.2)
        label = f" {table['phase'][change]}"
        axis.annotate(label, (epoch, 0.98), fontsize=9, xycoords=("data", "axes fraction"), va="top")
