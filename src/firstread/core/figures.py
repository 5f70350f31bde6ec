"""How every figure of firstread looks: one palette that colour-blind readers and a black-and-white printer can tell
apart, one font size that a lecture hall can read."""

import base64
import io
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

#: Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), without its yellow, which vanishes on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#555555")
#: a second cue beside colour, in the same order
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

_STYLE = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "figure.constrained_layout.use": True,
}


def new_figure(rows: int = 1, columns: int = 1, *, width: float = 5.0, height: float = 4.0) -> tuple[Any, Any]:
    """A figure of `rows` x `columns` panels in firstread's style.

    Args:
        width, height: inches of each panel.

    Returns:
        (figure, axes array of shape (rows, columns)); nothing is registered with pyplot, so figures do not pile up.
    """
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        figure = _figure_class()(figsize=(width * columns, height * rows))
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def show_images(
    images: Sequence[np.ndarray], titles: Sequence[str] = (), *, columns: int = 5, size: float = 2.2
) -> Any:
    """A contact sheet; returns the matplotlib figure.

    Args:
        images: uint8 arrays, (H, W) or (H, W, 3), of any sizes.
        titles: one line above each, or nothing.
        columns: images in a row.
        size: inches of each image.
    """
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    figure, axes = new_figure(rows, columns, width=size, height=size * (1.15 if titles else 1.0))
    for index, axis in enumerate(axes.flat):
        axis.axis("off")
        if index < len(images):
            axis.imshow(images[index], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            if index < len(titles):
                axis.set_title(titles[index], fontsize=10)
    return figure


def plot_learning_curve(table: Any, *, value: str = "accuracy", title: str = "") -> Any:
    """How good a way of learning is, by the number of images that it learned from; returns the figure.

    Args:
        table: a data frame with the columns way, images, mean, low, high: one row for each way and number of images.
        value: what mean, low and high are.
    """
    figure, axes = new_figure(width=7.0, height=4.2)
    axis = axes[0, 0]
    ways = list(dict.fromkeys(table["way"]))
    for index, way in enumerate(ways):
        rows = table[table["way"] == way].sort_values("images")
        shift = 1 + 0.025 * (index - (len(ways) - 1) / 2)  # so that intervals do not hide one another
        axis.errorbar(
            rows["images"] * shift, rows["mean"], yerr=[rows["mean"] - rows["low"], rows["high"] - rows["mean"]],
            label=way, color=PALETTE[index], linestyle=LINE_STYLES[index], marker="osD^vPX"[index], capsize=3,
        )  # fmt: skip
    axis.set_xscale("log")
    counts = sorted(set(table["images"]))
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.minorticks_off()
    axis.set_xlabel("training images of each class")
    axis.set_ylabel(f"{value}, mean and 95% interval")
    axis.set_title(title)
    axis.legend(fontsize=9, loc="lower right")
    return figure


@cache
def _figure_class() -> type:
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """A figure that draws itself in a notebook without pyplot."""

        def _repr_png_(self) -> bytes:
            return png_bytes(self, dpi=100)

    return NotebookFigure


def png_bytes(figure: Any, *, dpi: int = 130) -> bytes:
    """The figure as PNG bytes, without the time it was made, so that the same figure is the same file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def data_address(png: bytes) -> str:
    """PNG bytes as a data: address for a self-contained HTML page."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
