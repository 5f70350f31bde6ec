"""Words of firstread's own sentences and of the standard: a patient of the name "Rule" is not found in each page."""

import ast
from functools import lru_cache
from pathlib import Path

from firstread.project.identity_words import text_words

_ROOMS = ("project", "curation", "deidentification", "dicom", "core", "readers")


@lru_cache(maxsize=1)
def own_words() -> frozenset[str]:
    """All words that firstread itself writes into tables and pages, and the names of objects in DICOM PS3.6.

    Example:
        >>> {"held", "storage"} <= own_words(), "doe" in own_words()
        (True, False)
    """
    from pydicom.uid import UID_dictionary

    package = Path(__file__).parents[1]
    files = [file for room in _ROOMS for file in (package / room).rglob("*.py")]
    texts = [text for file in files for text in _written_texts(ast.parse(file.read_text(encoding="utf-8")))]
    names = [entry[0] for entry in UID_dictionary.values()]
    return frozenset(word for text in texts + names for word in text_words(text) if " " not in word)


def _written_texts(tree: ast.AST) -> list[str]:
    """Text constants of a module but for docstrings, whose examples name people."""
    expressions = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in expressions)
    return [node.value for node in constants if isinstance(node.value, str)]
