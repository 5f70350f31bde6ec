"""Sanitizer for a line that a participant typed: no control or text direction characters, no towers of marks."""

import unicodedata

#: combining marks on one letter; no written language stacks more
MAX_COMBINING_MARKS = 3
_ZERO_WIDTH_JOINER = "\u200d"  # joins emoji


def clean_line(text: str) -> str:
    """Normalize text to one line (NFC), with single spaces and only characters that can be seen."""
    kept: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", text):
        if letter.isspace():
            kept.append(" ")
            continue
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks <= MAX_COMBINING_MARKS and _is_visible(letter):
            kept.append(letter)
    return " ".join("".join(kept).split())


def _is_visible(letter: str) -> bool:
    return unicodedata.category(letter)[0] != "C" or letter == _ZERO_WIDTH_JOINER
