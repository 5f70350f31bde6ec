"""Decisions of people about what was held back: which, by whom, when, why. They lie in the vault.

| verb | of | means |
|---|---|---|
| release | class, file | a person has looked at the pixels: they go on |
| drop | class, file, patient | stays out for good |
| keep | file | of the files with one SOPInstanceUID this one is true, the others stay out |
| join | patients, or a file and a patient | they are one person |
| separate | patient | several people share the identifier: each birth date and sex is one of them |
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json
from firstread.deidentification.identity import Identity
from firstread.project.withdrawal_marks import person_key

_FILE = "decisions.json"
_MAX_BYTES = 256 * 1024**2
VERBS = ("release", "drop", "keep", "join", "separate")


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        verb: of `VERBS`.
        kind: of what: "class", "file" or "patient".
        targets: review class, names of files, or keys of patients; `join` of a file names the file and the key.
        shown: how the target is called where nothing may name a patient: C..., H..., P...
        reason: in words.
        by: who.
        at: UTC.
    """

    verb: str
    kind: str
    targets: tuple[str, ...]
    shown: str
    reason: str
    by: str
    at: str


class Decisions:
    """All decisions of a project; a later one about the same thing replaces an earlier one."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self.all = tuple(decisions)

    @classmethod
    def read(cls, vault: Path) -> "Decisions":
        """The decisions in a vault.

        Raises:
            DataError: the file is damaged.
        """
        path = vault / _FILE
        if not path.is_file():
            return cls()
        content = read_json(path, max_bytes=_MAX_BYTES)
        try:
            return cls(Decision(**{**entry, "targets": tuple(entry["targets"])}) for entry in content["decisions"])
        except (KeyError, TypeError) as error:
            raise DataError("The decisions are damaged", where=path, do="take the file from a backup") from error

    def write(self, vault: Path) -> None:
        """Write the decisions into a vault."""
        write_json(vault / _FILE, {"decisions": [asdict(decision) for decision in self.all]})
        (vault / _FILE).chmod(0o600)

    def added(self, decision: Decision) -> "Decisions":
        """These and one more, which replaces what was decided of the same thing."""
        same = {(decision.kind, target) for target in decision.targets}
        kept = [one for one in self.all if not same & {(one.kind, target) for target in one.targets}]
        return Decisions([*kept, decision])

    def without(self, targets: Iterable[str]) -> "Decisions":
        """Those that are about none of some files and patients."""
        gone = set(targets)
        return Decisions(one for one in self.all if not gone & set(one.targets))

    @cached_property
    def released_classes(self) -> frozenset[str]:
        """Review classes that a person has said yes to."""
        return frozenset(
            target for one in self.all if (one.verb, one.kind) == ("release", "class") for target in one.targets
        )

    def of(self, name: str, key: str, review_class: str | None) -> Decision | None:
        """The decision that a file falls under: its own, its patient's, its class's."""
        for kind, target in (("file", name), ("patient", key), ("class", review_class)):
            if target and (found := self._by_target.get((kind, target))):
                return found
        return None

    def key_of(self, name: str, key: str) -> str:
        """The patient key of a file that states none, where a person has said whose it is; else as stated."""
        found = self._by_target.get(("file", name))
        return found.targets[1] if found and found.verb == "join" and not key else key

    def members(self, key: str) -> tuple[str, ...]:
        """Keys of all patients that are one person with this one, itself among them."""
        found = self._by_target.get(("patient", key))
        return found.targets if found and found.verb == "join" else (key,)

    def resolve(self, identity: Identity, birth_date: str | None, sex: str | None) -> Identity:
        """Who a file is of, after what was decided about its patient.

        Args:
            identity: of the patient's key, from all files.
            birth_date, sex: as this file states them.
        """
        found = self._by_target.get(("patient", identity.key))
        if found is None or found.verb not in ("join", "separate"):
            return identity
        key = min(found.targets) if found.verb == "join" else person_key(identity.key, birth_date, sex)
        return replace(identity, key=key, birth_dates=frozenset(), sexes=frozenset(), conflict=None)

    def basis(self, name: str, key: str, review_class: str | None) -> str:
        """Digest of all that was decided and touches a file: with another one the file is done again."""
        found = [
            self._by_target.get(pair) for pair in (("file", name), ("patient", key), ("class", review_class or ""))
        ]
        text = "|".join(f"{one.verb}:{','.join(one.targets)}" if one else "" for one in found)
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def digest(self) -> str:
        """Digest of all decisions."""
        text = "\0".join(f"{one.verb}|{one.kind}|{','.join(one.targets)}" for one in self.all)
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def _by_target(self) -> dict[tuple[str, str], Decision]:
        return {(one.kind, target): one for one in self.all for target in self._places(one)}

    @staticmethod
    def _places(decision: Decision) -> tuple[str, ...]:
        return decision.targets[:1] if (decision.verb, decision.kind) == ("join", "file") else decision.targets


def class_identifier(review_class: str) -> str:
    """Short identifier of a review class.

    Example:
        >>> class_identifier("US")
        'C9b202e'
    """
    return "C" + sha256(review_class.encode()).hexdigest()[:6]
