"""What is left out of curated data and why: faults that were found, and what people decided about them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from firstread.curation.curation_schemas import FAULT_KINDS
from firstread.project.curation_decisions import (
    EXCLUDE,
    PUT_BACK,
    CurationDecision,
    CurationDecisions,
    stack_identifier,
    study_identifier,
)

#: one row a thing that is left out, or was put back
EXCLUDED = pa.schema(
    {
        "id": pa.string(),
        "what": pa.string(),
        "patient": pa.string(),
        "study": pa.string(),
        "series": pa.string(),
        "stack": pa.int32(),
        "file": pa.string(),
        "kind": pa.string(),
        "reason": pa.string(),
        "can": pa.string(),
        "decision": pa.string(),
        "decided_by": pa.string(),
        "decided_at": pa.string(),
    }
)


_SELECTED_KINDS = ("original", None)
#: of faults that no decision mends
UNREADABLE = ("truncated_file", "not_described")


@dataclass(frozen=True)
class StackPlace:
    """The key of a stack, what it belongs to, and its kind: only originals are selected by themselves."""

    series: str
    stack: int
    study: str | None
    patient: str | None
    kind: str | None = None

    @property
    def identifier(self) -> str:
        """Short identifier, S..."""
        return stack_identifier(self.series, self.stack)

    @property
    def identifiers(self) -> tuple[str | None, ...]:
        """What a decision about this stack can name, the narrowest first."""
        study = study_identifier(self.study) if self.study else None
        return (self.identifier, self.series, study, self.study, self.patient)


@dataclass
class Exclusions:
    """Faults by their places, and decisions; says of each stack whether it is left out, and why.

    Attributes:
        decisions: of people.
        faults: rows of FAULTS_FOUND.
    """

    decisions: CurationDecisions
    faults: Sequence[Mapping[str, Any]]
    _by_place: dict[tuple[str, ...], list[Mapping[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fault in self.faults:
            if fault["action"] == "exclude" and (place := fault_place(fault)):
                self._by_place.setdefault(place, []).append(fault)

    def decide(self, place: StackPlace) -> tuple[str, CurationDecision | None]:
        """Why a stack is left out, "" where it is not, and the decision of a person about it."""
        decision = self.decisions.of(*place.identifiers)
        if decision is not None:
            return (decision.reason if decision.verb == EXCLUDE else ""), decision
        standing = (fault for fault in self.faults_of(place) if self.put_back(fault) is None)
        return "; ".join(_reasons(place, standing)), None

    def faults_of(self, place: StackPlace) -> Iterator[Mapping[str, Any]]:
        """Faults for which a stack is left out: its own, those of its series, study and patient."""
        places = [("stack", place.series, str(place.stack)), ("series", place.series)]
        places += [("study", place.study)] if place.study else []
        places += [("patient", place.patient)] if place.patient else []
        for one in places:
            yield from self._by_place.get(one, ())

    def put_back(self, fault: Mapping[str, Any]) -> CurationDecision | None:
        """The decision that puts a fault's stack, file, study or patient back; the narrowest counts."""
        if fault["kind"] in UNREADABLE:
            return None
        study = fault["study"]
        stack = None if fault["stack"] is None else stack_identifier(fault["series"], fault["stack"])
        found = self.decisions.of(
            fault["id"], stack, fault["series"], study and study_identifier(study), study, fault["patient"]
        )
        return found if found is not None and found.verb == PUT_BACK else None


def fault_place(fault: Mapping[str, Any]) -> tuple[str, ...]:
    """What a fault is about, the narrowest thing that it names: a file, stack, series, study or patient."""
    if fault["file"]:
        return ("file", fault["file"])
    if fault["series"] and fault["stack"] is not None:
        return ("stack", fault["series"], str(fault["stack"]))
    for name in ("series", "study", "patient"):
        if fault[name]:
            return (name, fault[name])
    return ()


def describe_fault(fault: Mapping[str, Any]) -> str:
    """A fault in words: what its kind means, and the evidence."""
    meaning = FAULT_KINDS[fault["kind"]].meaning
    return f"{meaning} ({fault['evidence']})" if fault["evidence"] else meaning


def decided_faults(exclusions: Exclusions) -> Iterator[dict[str, Any]]:
    """Rows of FAULTS_FOUND with who put back what they exclude."""
    for fault in exclusions.faults:
        decision = exclusions.put_back(fault) if fault["action"] == "exclude" else None
        yield {
            **fault,
            "excluded": fault["action"] == "exclude" and decision is None,
            "put_back_by": decision.by if decision else None,
            "put_back_at": decision.at if decision else None,
            "put_back_reason": decision.reason if decision else None,
        }


def excluded_rows(places: Iterable[StackPlace], exclusions: Exclusions) -> Iterator[dict[str, Any]]:
    """Rows of EXCLUDED: stacks first, then files and series that no stack stands for."""
    seen: set[str] = set()
    for place in places:
        seen.add(place.series)
        reason, decision = exclusions.decide(place)
        faults = list(exclusions.faults_of(place))
        because = _reasons(place, faults)
        if reason or (decision is not None and because):
            kinds = [f"kind: {place.kind}"] * (place.kind not in _SELECTED_KINDS) + [fault["kind"] for fault in faults]
            kinds = kinds or ["decision"]
            where = {"patient": place.patient, "study": place.study, "series": place.series, "stack": place.stack}
            row = _row(place.identifier, "stack", where, reason or "; ".join(because), decision)
            yield row | {"kind": ", ".join(dict.fromkeys(kinds)), "can": "put-back"}
    for fault in exclusions.faults:
        what = next(iter(fault_place(fault)), "")
        if fault["action"] == "exclude" and (what == "file" or fault["series"] not in seen | {None}):
            row = _row(fault["id"], what, fault, describe_fault(fault), exclusions.put_back(fault))
            yield row | {"kind": fault["kind"], "can": None if fault["kind"] in UNREADABLE else "put-back"}


def _reasons(place: StackPlace, faults: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why a stack is not selected: what it is, and its faults, each once."""
    kind = [] if place.kind in _SELECTED_KINDS else [f"no original image ({place.kind})"]
    return list(dict.fromkeys([*kind, *map(describe_fault, faults)]))


def _row(
    identifier: str, what: str, where: Mapping[str, Any], reason: str, decision: CurationDecision | None
) -> dict[str, Any]:
    return {
        "id": identifier,
        "what": what,
        **{name: where.get(name) for name in ("patient", "study", "series", "stack", "file")},
        "reason": reason,
        "decision": decision.verb if decision else None,
        "decided_by": decision.by if decision else None,
        "decided_at": decision.at if decision else None,
    }
