"""Decisions of people about curation: what is put back, and what is left out; in a file of the project, with reasons.

They name stacks, studies, patients and faults by identifiers that name nobody, so the file travels with the project.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json

PUT_BACK, EXCLUDE = "put back", "exclude"
_MAX_BYTES = 64 * 1024**2
_CHARACTERS = 11


@dataclass(frozen=True)
class CurationDecision:
    """One decision.

    Attributes:
        verb: "put back" or "exclude".
        target: identifier of a stack (S...), a study (T...), a patient, or a fault (F...).
        reason: in words that name nobody.
        by: who.
        at: UTC.
    """

    verb: str
    target: str
    reason: str
    by: str
    at: str


class CurationDecisions:
    """All decisions about curation; a later one about the same thing replaces an earlier one."""

    def __init__(self, decisions: Iterable[CurationDecision] = ()) -> None:
        self.all = tuple(decisions)

    @classmethod
    def read(cls, path: Path) -> "CurationDecisions":
        """The decisions in a file; none where there is no file.

        Raises:
            DataError: the file is damaged.
        """
        if not path.is_file():
            return cls()
        content = read_json(path, max_bytes=_MAX_BYTES)
        try:
            found = [CurationDecision(**entry) for entry in content["decisions"]]
            if any(one.verb not in (PUT_BACK, EXCLUDE) for one in found):
                raise ValueError("no such verb")
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                "The decisions about curation are damaged", where=path, do="take the file from a backup"
            ) from error
        return cls(found)

    def write(self, path: Path) -> None:
        """Write the file."""
        write_json(path, {"decisions": [asdict(decision) for decision in self.all]})

    def added(self, decision: CurationDecision) -> "CurationDecisions":
        """These and one more, in place of what was decided of the same thing."""
        return CurationDecisions([*(one for one in self.all if one.target != decision.target), decision])

    def without(self, targets: Iterable[str]) -> "CurationDecisions":
        """Those that are about none of some things."""
        gone = set(targets)
        return CurationDecisions(one for one in self.all if one.target not in gone)

    def of(self, *targets: str | None) -> CurationDecision | None:
        """The decision about the first of some things that one was made about; the narrowest comes first."""
        return next((self._by_target[target] for target in targets if target in self._by_target), None)

    @cached_property
    def _by_target(self) -> Mapping[str | None, CurationDecision]:
        return {one.target: one for one in self.all}


def stack_identifier(series: str, stack: int) -> str:
    """Short identifier of a stack.

    Example:
        >>> stack_identifier("2.25.1", 0)
        'S62cced1481c'
    """
    return _identifier("S", series, str(stack))


def study_identifier(study: str) -> str:
    """Short identifier of a study."""
    return _identifier("T", study)


def file_identifier(file: str) -> str:
    """Short identifier of a file that belongs to no stack."""
    return _identifier("N", file)


def _identifier(prefix: str, *parts: str) -> str:
    return prefix + sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:_CHARACTERS]
