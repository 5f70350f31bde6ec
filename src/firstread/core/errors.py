"""Errors a user can act on.

Each says, in one paragraph: what happened, where, what was expected and what to do next. None of them ever carries
a value out of a patient's record: file names and tag names only.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class FirstreadError(Exception):
    """A mistake or a failure that the user can mend.

    Args:
        what: what happened, one sentence.
        where: the file, column or setting it happened in.
        expected: what firstread had hoped to find.
        do: what to do next.
    """

    def __init__(self, what: str, *, where: object = None, expected: str = "", do: str = "") -> None:
        self.what, self.where, self.expected, self.do = what, where, expected, do
        parts = [_sentence(what)]
        if where is not None:
            parts.append(f"Where: {where}.")
        if expected:
            parts.append(f"Expected: {_sentence(expected)}")
        if do:
            parts.append(f"What to do: {_sentence(do)}")
        super().__init__(" ".join(parts))


class DataError(FirstreadError):
    """Data cannot be used as they are: a broken file, an empty class, a missing label."""


class SettingError(FirstreadError, ValueError):
    """An argument or option has a value that makes no sense here."""


class NetworkError(FirstreadError):
    """Something had to be fetched and could not be."""


class StorageError(FirstreadError):
    """The disk is full, or a folder cannot be written."""


class MissingPartError(FirstreadError, ImportError):
    """An optional part of firstread is not installed, or is installed broken."""


def suggest(name: str, known: Iterable[str]) -> str:
    """' Did you mean "chest"?' or the list of what there is, for the end of an error message."""
    known = list(known)
    close = get_close_matches(str(name).lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    if close:
        return f' Did you mean "{next(k for k in known if k.lower() == close[0])}"?'
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f" There is: {shown}."


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."
