"""Answers by clicking: buttons where a notebook has ipywidgets, the same as text everywhere else.

What is clicked becomes text once it is complete and another cell runs, and a saved notebook holds the text only: nothing
in it needs a kernel that no longer exists.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from firstread.core.progress_bar import in_notebook

#: media type of a widget in a notebook's output, as ipywidgets defines it
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_STYLE = """<style>
.firstread-text .widget-html-content { font-size: 15px; line-height: 1.5; }
button.jupyter-button.firstread-option { height: auto; min-height: 2.3em; padding: .4em .8em; margin: 3px 0; overflow: visible;
  white-space: normal; text-align: left; line-height: 1.35; font-size: 14px; border: 1px solid #767676; border-radius: 6px;
  background: #fff; color: #1b2430; box-shadow: none; }
button.jupyter-button.firstread-option:hover { background: #e8f1fa; color: #1b2430; box-shadow: none; }
button.jupyter-button.firstread-option:focus-visible { outline: 3px solid #0b5394; outline-offset: 2px; }
button.jupyter-button.firstread-short { text-align: center; padding: .25em .3em; flex: 1 1 0; }
button.jupyter-button.firstread-chosen { background: #0b5394; border-color: #0b5394; color: #fff; }
button.jupyter-button.firstread-right { background: #00664b; border-color: #00664b; color: #fff; }
button.jupyter-button.firstread-wrong { background: #a63d00; border-color: #a63d00; color: #fff; }
</style>"""


class Clickable(ABC):
    """Something that a notebook shows with buttons, and everything else as text."""

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """True if everything was clicked: from then on text is enough."""

    @abstractmethod
    def _make_widget(self) -> Any:
        """The widget with the buttons (ipywidgets)."""

    @abstractmethod
    def _repr_html_(self) -> str:
        """The same as text, with what was clicked so far."""

    def _ipython_display_(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        data = self._as_text()
        shell = get_ipython()
        if shell is None or not have_buttons():
            display(data, raw=True)
            return
        widget = self._make_widget()
        data[WIDGET_VIEW] = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
        handle = display(data, raw=True, display_id=True)

        def become_text(_: Any = None) -> None:
            if self.is_complete:
                shell.events.unregister("pre_run_cell", become_text)
                handle.update(self._as_text(), raw=True)
                widget.close()

        shell.events.register("pre_run_cell", become_text)

    def _as_text(self) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def have_buttons() -> bool:
    """Whether this is a notebook with ipywidgets. FIRSTREAD_BUTTONS=off, as `firstread run` sets it, turns them off."""
    return os.environ.get("FIRSTREAD_BUTTONS") != "off" and in_notebook() and find_spec("ipywidgets") is not None


def make_button(label: str, on_click: Callable[[], None], *, hint: str = "", short: bool = False) -> Any:
    """A button whose label may take several lines; `hint` is read out after the label."""
    import ipywidgets

    layout = ipywidgets.Layout(width="auto", height="auto")
    button = ipywidgets.Button(description=label, tooltip=hint, layout=layout)
    button.add_class("firstread-option")
    if short:
        button.add_class("firstread-short")
    button.on_click(lambda _: on_click())
    return button


def make_html(html: str, *, with_style: bool = False) -> Any:
    """HTML between buttons; `with_style` brings the look of the buttons, once for each group of them."""
    import ipywidgets

    text = ipywidgets.HTML((_STYLE if with_style else "") + html)
    text.add_class("firstread-text")
    return text


def strip_widget_views(model: dict[str, Any], **_: Any) -> None:
    """Before a notebook is saved (Jupyter's `pre_save_hook`), leave out widgets that stand there as text as well."""
    content = model.get("content") if model.get("type") == "notebook" else None
    for cell in (content or {}).get("cells", []):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                data.pop(WIDGET_VIEW, None)
