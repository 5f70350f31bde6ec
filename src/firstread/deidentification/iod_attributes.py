"""Attributes and types of each information object definition (DICOM PS3.3): what an object may hold at all."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

AttributeType = Literal["1", "1C", "2", "2C", "3"]
_TABLE = Path(__file__).with_name("iod_attributes.json")
#: attributes of the SOP Common and other modules that every composite object may hold and the tables may lack
_STRICTNESS = ("1", "1C", "2", "2C", "3")


@cache
def known_sop_classes() -> frozenset[str]:
    """UIDs of the storage classes whose attributes are known."""
    return frozenset(_tables()["sop_classes"])


def attribute_type(sop_class: str, parent: int | None, tag: int) -> AttributeType | None:
    """Type of an attribute in an object of a SOP class; None where the definition does not have it.

    Args:
        sop_class: UID of the SOP class.
        parent: tag of the sequence that holds the attribute; None at the top.
        tag: the attribute.

    Example:
        >>> attribute_type("1.2.840.10008.5.1.4.1.1.2", None, 0x00080018)  # CT image, SOP Instance UID
        '1'
    """
    types = _types_in_sequence(parent) if parent is not None else _types_at_top(sop_class)
    return types.get(tag)


def is_described_sequence(parent: int) -> bool:
    """Whether the attributes of a sequence's items are known."""
    return bool(_types_in_sequence(parent))


@cache
def _types_at_top(sop_class: str) -> Mapping[int, AttributeType]:
    tables = _tables()
    definition = tables["sop_classes"].get(sop_class, "")
    found: dict[int, AttributeType] = {}
    for module in tables["iods"].get(definition, []):
        for tag, kind in tables["modules"].get(module, {}).items():
            number = int(tag, 16)
            found[number] = min(kind, found.get(number, "3"), key=_STRICTNESS.index)
    return found


@cache
def _types_in_sequence(parent: int) -> Mapping[int, AttributeType]:
    return {int(tag, 16): kind for tag, kind in _tables()["nested"].get(f"{parent:08X}", {}).items()}


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return cast("dict[str, dict[str, Any]]", json.loads(_TABLE.read_text(encoding="utf-8")))
