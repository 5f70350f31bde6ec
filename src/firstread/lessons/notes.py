"""What a lesson says in a notebook: a sentence in a frame, and the error that stops what depends on an answer."""

from html import escape

from firstread.core.errors import FirstreadError

#: of the frame and its heading, dark enough to be read on white
_COLORS = {True: "#00664b", False: "#a63d00", None: "#0b5394"}


class NotYetError(FirstreadError):
    """Something that a later cell needs is missing: an answer, a choice, a reading."""


class Note:
    """Message that renders as HTML in a notebook and as text in a terminal.

    Attributes:
        text: the message; a line break starts a new line.
        good: whether something is right (True), wrong (False) or neither (None).
    """

    def __init__(self, text: str, *, good: bool | None = None) -> None:
        self.text, self.good = text, good

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return frame(escape(self.text).replace("\n", "<br>"), good=self.good)


def frame(html: str, *, good: bool | None = None, role: str = "note") -> str:
    """A frame around HTML, colored by whether something is right; `role` is for screen readers."""
    style = f"border-left:4px solid {_COLORS[good]};padding:.4em .9em;margin:.3em 0;max-width:46em"
    return f'<div role="{role}" style="{style}">{html}</div>'
