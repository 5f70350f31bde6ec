"""Table E.1-1 of DICOM PS3.15: what becomes of each attribute under the basic profile and each option."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

_TABLE = Path(__file__).with_name("annex_e.csv")
_REPEATING = {"(50XX,XXXX)": 0x50000000, "(60XX,3000)": 0x60003000, "(60XX,4000)": 0x60004000}
_PRIVATE = "(GGGG,EEEE)"


@dataclass(frozen=True)
class AnnexRow:
    """A row of table E.1-1: an attribute, its code under the basic profile, and the codes of the options.

    Codes: X remove, Z empty, D a dummy value, U another UID, K keep, C clean; several are alternatives.
    """

    tag: str
    name: str
    basic_profile: str
    options: Mapping[str, str]
    edition: str


@cache
def annex_rows() -> tuple[AnnexRow, ...]:
    """All rows in the order of the tag: 621 of edition 2024e, and 35 that 2026c added.

    Example:
        >>> len(annex_rows())
        656
    """
    with open(_TABLE, newline="", encoding="utf-8") as file:
        return tuple(
            AnnexRow(
                row.pop("tag"),
                row.pop("name"),
                row.pop("basic_profile"),
                edition=row.pop("edition"),
                options=MappingProxyType({option: code for option, code in row.items() if code}),
            )
            for row in csv.DictReader(file)
        )


@cache
def annex_by_tag() -> Mapping[int, AnnexRow]:
    """Rows by tag; repeating groups stand under their first group, private attributes are not in it.

    Example:
        >>> annex_by_tag()[0x00100010].basic_profile
        'Z'
    """
    return MappingProxyType(
        {_REPEATING.get(row.tag) or _tag_number(row.tag): row for row in annex_rows() if row.tag != _PRIVATE}
    )


def _tag_number(text: str) -> int:
    return int(text[1:5] + text[6:10], 16)
