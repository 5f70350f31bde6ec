"""Where data come from and what was done to them: origin and processing steps."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Origin:
    """Source of the data: name, license, citation, URL; shown in every report about them."""

    name: str
    description: str = ""
    license: str = ""
    citation: str = ""
    url: str = ""


@dataclass(frozen=True)
class Step:
    """One processing step of a cohort, recorded for reproducibility.

    Attributes:
        name: what was done.
        parameters: with what.
        seed: of chance, if any.
        version: of firstread.
        warning: what every result on these cases must say because of it, in a sentence.
    """

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    version: str = ""
    warning: str = ""
