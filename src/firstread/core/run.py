"""Run: settings, history and metadata of one training. Needs no torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: of its checkpoints (`last.safetensors`, `best.safetensors`) and `run.json`.
        model: backbone name and how the network was built.
        settings: every argument of every call to `train` that made this run, oldest first (a resumed run has several).
        history: one row an epoch: `epoch` (1, 2, ...), `phase` ("frozen" or "unfrozen"), `train_loss`,
            `validation_loss`, `train_accuracy`, `validation_accuracy`, `learning_rate`, `seconds`.
        arms: the experiment arms as they were really run, such as {"augmentation": "on", "dropout": "off"}.
        metadata: versions, device, precision, seed, seconds by phase, messages (a smaller batch, CPU instead of GPU).
    """

    folder: Path
    model: dict[str, Any]
    settings: list[dict[str, Any]]
    history: list[dict[str, Any]]
    arms: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> "pd.DataFrame":
        """`history` as a table."""
        import pandas as pd

        return pd.DataFrame(self.history)

    @property
    def epochs(self) -> int:
        """Number of epochs trained, over all calls."""
        return len(self.history)

    def plot(self) -> "Figure":
        """Plot loss and accuracy by epoch: training solid, validation dashed, a line where the phase changes."""
        from firstread.core.figures import new_figure

        figure, axes = new_figure(1, 2, panel_width_inches=5.2, panel_height_inches=3.6)
        table = self.table
        for axis, name, label in zip(axes[0], ("loss", "accuracy"), ("Loss", "Accuracy"), strict=True):
            _draw_history(axis, table, name)
            _draw_phase_changes(axis, table)
            axis.set(xlabel="Epoch", title=label)
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.legend()
        axes[0][1].set_ylim(-0.02, 1.02)
        return figure

    def save(self) -> Path:
        """Write `run.json` into the run's folder, atomically."""
        value = {name: getattr(self, name) for name in ("model", "settings", "history", "arms", "metadata")}
        return write_json(self.folder / "run.json", value)

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Read a run from its folder.

        Raises:
            DataError: `run.json` is missing, of an older version of firstread, or not that of a run.
        """
        folder = Path(folder)
        value = read_json(folder / "run.json")
        if isinstance(value, dict) and "facts" in value:
            raise DataError("This run was written by an older version of firstread", where=folder, do="train again")
        try:
            return cls(folder=folder, **value)
        except TypeError as error:
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
