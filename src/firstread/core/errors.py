"""Exceptions with messages that a user can act on.

Each message says, in one paragraph: what happened, where, what was expected and what to do next. No message contains a
value of a patient's record: only file names and tag names.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class FirstreadError(Exception):
    """Base class: an error that the user can correct.

    Args:
        what: what happened, one sentence.
        where: the file, column or setting it happened in.
        expected: what would have been valid.
        do: what to do next.
    """

    def __init__(self, what: str, *, where: object = None, expected: str = "", do: str = "") -> None:
        self.what, self.where, self.expected, self.do = what, where, expected, do
        parts = [_end_with_period(what)]
        if where is not None:
            parts.append(f"Where: {where}.")
        if expected:
            parts.append(f"Expected: {_end_with_period(expected)}")
        if do:
            parts.append(f"What to do: {_end_with_period(do)}")
        super().__init__(" ".join(parts))

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show in place of a traceback: the message, one sentence a line."""
        shown = {"": self.what, "Where": self.where, "Expected": self.expected, "What to do": self.do}
        lines = [_end_with_period(str(text)) for label, text in shown.items() if not label]
        return lines + [f"{label}: {_end_with_period(str(text))}" for label, text in shown.items() if label and text]


class DataError(FirstreadError):
    """Invalid data: a broken file, an empty class, a missing label."""


class SettingError(FirstreadError, ValueError):
    """Invalid value of an argument or option."""


class NetworkError(FirstreadError):
    """A download or another network request failed."""


class StorageError(FirstreadError):
    """The disk is full, or a folder is not writable."""


class MissingDependencyError(FirstreadError, ImportError):
    """An optional dependency of firstread is not installed, or its installation is broken."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Suggestion for the end of an error message: ' Did you mean "chest"?', or the list of known names."""
    known = list(known)
    close = get_close_matches(str(name).lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    if close:
        return f' Did you mean "{next(k for k in known if k.lower() == close[0])}"?'
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f" There is: {shown}."


def _end_with_period(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."
