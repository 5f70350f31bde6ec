"""Run: one training, as it was set up and as it went. Reading it needs no torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: where its checkpoints (`last.safetensors`, `best.safetensors`) and `run.json` lie.
        model: backbone name and how the network was built.
        settings: every argument of every call to `train` that made this run, oldest first (a resumed run has several).
        history: one row an epoch: `epoch` (1, 2, ...), `phase` ("frozen" or "unfrozen"), `train_loss`,
            `validation_loss`, `train_accuracy`, `validation_accuracy`, `learning_rate`, `seconds`.
        arms: the experiment arms as they were really run, such as {"augmentation": "on", "dropout": "off"}.
        facts: versions, device, precision, seed, seconds by phase, messages (a smaller batch, a CPU in place of a GPU).
    """

    folder: Path
    model: dict[str, Any]
    settings: list[dict[str, Any]]
    history: list[dict[str, Any]]
    arms: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> "pd.DataFrame":
        """`history` as a table."""
        import pandas as pd

        return pd.DataFrame(self.history)

    @property
    def epochs(self) -> int:
        """Epochs done, over all calls."""
        return len(self.history)

    def plot(self) -> Any:
        """Loss and accuracy by epoch, training solid, validation dashed; a line marks where the backbone thawed."""
        from firstread.core.figures import PALETTE, new_figure

        figure, axes = new_figure(1, 2, width=5.2, height=3.6)
        table = self.table
        for axis, name, label in zip(axes[0], ("loss", "accuracy"), ("Loss", "Accuracy"), strict=True):
            for part, colour, style, marker in (
                ("train", PALETTE[0], "-", "o"),
                ("validation", PALETTE[1], "--", "s"),
            ):
                column = f"{part}_{name}"
                if column in table and table[column].notna().any():
                    axis.plot(
                        table["epoch"],
                        table[column],
                        style,
                        color=colour,
                        marker=marker,
                        markersize=4,
                        label=part,
                    )
            changes = table.index[table["phase"] != table["phase"].shift()][1:] if len(table) else []
            for change in changes:
                axis.axvline(table["epoch"][change] - 0.5, color="#555555", linestyle=":", linewidth=1.2)
                axis.annotate(
                    f" {table['phase'][change]}", (table["epoch"][change] - 0.5, 0.98), fontsize=9,
                    xycoords=("data", "axes fraction"), va="top",
                )  # fmt: skip
            axis.set(xlabel="Epoch", title=label)
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.legend()
        axes[0][1].set_ylim(-0.02, 1.02)
        return figure

    def save(self) -> Path:
        """Write `run.json` into the run's folder, atomically."""
        value = {name: getattr(self, name) for name in ("model", "settings", "history", "arms", "facts")}
        return write_json(self.folder / "run.json", value)

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Read a run from its folder."""
        folder = Path(folder)
        value = read_json(folder / "run.json")
        try:
            return cls(folder=folder, **value)
        except TypeError as error:
            raise DataError(
                "This is not a training run", where=folder, do="choose a folder that holds run.json"
            ) from error
