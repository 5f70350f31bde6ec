"""Matplotlib figures in one style: color-blind safe palette, line styles for black-and-white print, large fonts."""

import base64
import io
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

#: Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), without its yellow, which vanishes on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#555555")
#: line styles that distinguish curves without color, in the order of the palette
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

#: of figures in a notebook
NOTEBOOK_DPI = 100

_RC_PARAMS: "dict[RcKeyType, Any]" = {
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


def new_figure(
    rows: int = 1, columns: int = 1, *, panel_width_inches: float = 5.0, panel_height_inches: float = 4.0
) -> "tuple[Figure, np.ndarray]":
    """Create a figure of `rows` x `columns` panels in firstread's style.

    Args:
        panel_width_inches, panel_height_inches: size of each panel.

    Returns:
        (figure, axes array of shape (rows, columns)); nothing is registered with pyplot, so figures do not pile up.
    """
    import matplotlib as mpl

    with mpl.rc_context(_RC_PARAMS):
        figure = _notebook_figure_class()(figsize=(panel_width_inches * columns, panel_height_inches * rows))
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def show_images(
    images: Sequence[np.ndarray], titles: Sequence[str] = (), *, columns: int = 5, size_inches: float = 2.2
) -> "Figure":
    """Draw images in a grid (a contact sheet); returns the matplotlib figure.

    Args:
        images: uint8 arrays, (H, W) or (H, W, 3), of any sizes.
        titles: one line above each, or nothing.
        columns: images in a row.
        size_inches: width and height of each image.

    Example:
        >>> figure = fr.show_images([np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)], ["black", "white"])
        >>> [axes.get_title() for axes in figure.axes][:2]
        ['black', 'white']
    """
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    height_inches = size_inches * (1.15 if titles else 1.0)
    figure, axes = new_figure(rows, columns, panel_width_inches=size_inches, panel_height_inches=height_inches)
    for index, ax in enumerate(axes.flat):
        ax.axis("off")
        if index < len(images):
            ax.imshow(images[index], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            if index < len(titles):
                ax.set_title(titles[index], fontsize=10)
    return figure


def plot_learning_curve(table: "pd.DataFrame", *, value: str = "accuracy", title: str = "") -> "Figure":
    """Learning curve: performance of each training method by number of training images; returns the figure.

    Args:
        table: a data frame with the columns way (the training method), images, mean, low, high: one row for each
            method and number of images.
        value: what mean, low and high are.
        title: of the figure.
    """
    figure, axes = new_figure(panel_width_inches=7.0, panel_height_inches=4.2)
    ax = axes[0, 0]
    methods = list(dict.fromkeys(table["way"]))
    for index, method in enumerate(methods):
        shift = 1 + 0.025 * (index - (len(methods) - 1) / 2)  # so that intervals do not hide one another
        rows = table[table["way"] == method].sort_values("images")
        _plot_method(ax, rows, label=method, index=index, shift=shift)
    ax.set_xscale("log")
    counts = sorted(set(table["images"]))
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set_xlabel("training images of each class")
    ax.set_ylabel(f"{value}, mean and 95% interval")
    ax.set_title(title)
    ax.legend(fontsize=9, loc="lower right")
    return figure


def _plot_method(ax: "Axes", rows: "pd.DataFrame", *, label: str, index: int, shift: float) -> None:
    """Draw the means of one training method with their intervals."""
    below, above = rows["mean"] - rows["low"], rows["high"] - rows["mean"]
    style: dict[str, Any] = {"color": PALETTE[index], "linestyle": LINE_STYLES[index], "marker": "osD^vPX"[index]}
    ax.errorbar(rows["images"] * shift, rows["mean"], yerr=[below, above], label=label, capsize=3, **style)


@cache
def _notebook_figure_class() -> "type[Figure]":
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """Figure that a notebook shows as PNG with a text for screen readers, independent of pyplot."""

        def _repr_png_(self) -> bytes:
            return png_bytes(self, dpi=NOTEBOOK_DPI)

        def _ipython_display_(self) -> None:
            from IPython.display import display

            picture = base64.b64encode(self._repr_png_()).decode("ascii")
            data = {"image/png": picture, "text/plain": repr(self)}
            display(data, raw=True, metadata={"image/png": {"alt": describe_figure(self)}})

    return NotebookFigure


def describe_figure(figure: "Figure") -> str:
    """Alternative text of a figure, for whoever cannot see it: what its panels show, by their titles and labels."""
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    images = [axes for axes in panels if axes.images and not axes.axison]
    parts = []
    if images:
        titles = [title for axes in images if (title := " ".join(axes.get_title().split()))]
        count = "1 image" if len(images) == 1 else f"{len(images)} images"
        joint = ": " if len(titles) == len(images) else ", titled "
        parts.append(f"{count}{joint}{', '.join(titles)}" if titles else count)
    parts += [_describe_plot(axes) for axes in panels if axes.axison]
    return "; ".join(parts) or "a figure"


def _describe_plot(axes: "Axes") -> str:
    title, x, y = (" ".join(text.split()) for text in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()))
    rows = [label.get_text() for label in axes.get_yticklabels()]
    names = [row for row in rows if row and not _is_number(row)]
    legend = axes.get_legend()
    curves = [text.get_text() for text in legend.get_texts()] if legend else []
    text = f"chart: {title or y or 'values'}{f' by {x}' if x else ''}"
    text += f", {y}" if title and y else ""
    return text + (f", curves {', '.join(curves)}" if curves else "") + (f", rows {', '.join(names)}" if names else "")


def _is_number(text: str) -> bool:
    return text.replace("\N{MINUS SIGN}", "").replace(".", "").replace("-", "").isdigit()


def figure_html(figure: "Figure", *, alt: str = "") -> str:
    """HTML of a figure, embedded, with its alternative text; never wider than the page."""
    text = escape(alt or describe_figure(figure), quote=True)
    source = data_url(png_bytes(figure, dpi=NOTEBOOK_DPI))
    return f'<img style="max-width:100%" alt="{text}" src="{source}">'


def png_bytes(figure: "Figure", *, dpi: int = 130) -> bytes:
    """Encode a figure as reproducible PNG bytes (no creation time or software in the metadata)."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def data_url(picture: bytes, *, kind: str = "png") -> str:
    """Encode a picture, PNG or another kind ("svg+xml"), as a data: URL for a self-contained HTML page."""
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")
