"""What a lesson shows beside the public functions: the code behind a step, windows as a table, a batch, a curve."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from firstread.core.errors import SettingError, suggest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from firstread.core.cohort import Cohort


_CODE_STYLE = "white-space:pre;word-break:normal;line-height:1.4"


@dataclass(frozen=True)
class SourceCode:
    """The code of a function, as it runs.

    Attributes:
        place: module and name, such as "firstread.learning.loop:run_one_epoch".
        text: its source.
    """

    place: str
    text: str

    @classmethod
    def of(cls, place: str) -> Self:
        """The source of what `module:name` names."""
        module, _, name = place.partition(":")
        thing: Any = import_module(module)
        for part in name.split("."):
            thing = getattr(thing, part)
        return cls(place, inspect.cleandoc("\n" + inspect.getsource(thing)))

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters.html import HtmlFormatter
        from pygments.lexers.python import PythonLexer

        formatter = HtmlFormatter(noclasses=True, style="default", wrapcode=True, prestyles=_CODE_STYLE)
        code = highlight(self.text, PythonLexer(), formatter)
        module, _, name = self.place.partition(":")
        return f"<div>{escape(name)} in {escape(module)}:</div><div style='overflow-x:auto'>{code}</div>"


def window_table(values_hu: Sequence[float], windows: Sequence[str]) -> "pd.DataFrame":
    """Gray levels (0 to 255) of CT values in some windows, one row a window with its center and width.

    Args:
        values_hu: Hounsfield units, one column each.
        windows: names of `firstread.core.windows.CT_WINDOWS`.

    Raises:
        SettingError: no window has that name.
    """
    import numpy as np
    import pandas as pd

    from firstread.core.windows import CT_WINDOWS, apply_window

    rows = {}
    for name in windows:
        if name not in CT_WINDOWS:
            raise SettingError(f'There is no window called "{name}".{suggest(name, CT_WINDOWS)}')
        center, width = CT_WINDOWS[name]
        rows[f"{name} (center {center:g}, width {width:g})"] = apply_window(
            np.asarray(values_hu, dtype=float), center=center, width=width
        )
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"{value:g} HU" for value in values_hu])


def show_batch(cohort: "Cohort", *, size: int, seed: int, count: int = 12) -> "Figure":
    """A dozen images as a network gets them: `size` x `size` pixels."""
    import numpy as np

    from firstread.core.figures import show_images

    picked = np.sort(np.random.default_rng(seed).permutation(len(cohort))[:count])
    shown = cohort[[index in picked for index in range(len(cohort))]]
    return show_images(list(shown.images(size)), list(shown.table["label"].fillna("no label")), columns=6)


def show_learning_curve(folder: Path) -> "Figure":
    """The lesson's measured learning curve (learning-curve.csv in its folder)."""
    import pandas as pd

    from firstread.core.figures import plot_learning_curve

    return plot_learning_curve(pd.read_csv(folder / "learning-curve.csv"))
