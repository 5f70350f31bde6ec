"""Names of files, folders and splits."""

import re
from typing import Any

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def split_name(text: str | None) -> str | None:
    """ "train", "validation" or "test" for the names that people give them; None for anything else."""
    return _SPLIT_NAMES.get(str(text).strip().lower()) if text is not None else None


def natural_order(name: str) -> list[tuple[int, Any]]:
    """A key that sorts "image2" before "image10"."""
    parts = re.split(r"([0-9]+)", str(name))
    return [(0, int(part)) if part.isdecimal() and part.isascii() else (1, part.lower()) for part in parts if part]
