"""What firstread's curation finds in a pile, series by series with its evidence, and beside it what a learner found."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from firstread.core.progress_bar import track
from firstread.lessons.dicom_file import LEFT_ALIGNED, scroll_box
from firstread.lessons.pile import BUTTON_OF, Pile, PileSeries

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: kind of a fault that curation finds -> the learner's button; others are named as curation names them
_BUTTON_OF_KIND = {
    "missing_slices": "slices missing",
    "irregular_spacing": "slices missing",
    "low_coverage": "liver cut off",
    "noise": "too noisy",
    "phase_contradiction": "not venous",
    "contradicting_phases": "not venous",
    "wrong_body_part": "no abdomen",
    "duplicate_same_content": "here twice",
    "duplicate_other_content": "here twice",
    "images_under_two_ids": "here twice",
}
#: a UID of a series within evidence
_UID = re.compile(r"\b\d+(?:\.\d+){2,}\b")
_WRAPPED = "white-space:normal;min-width:13em;overflow-wrap:anywhere"
_FINE, _LOCALIZER = "fine", "localizer"


@dataclass(frozen=True, eq=False)
class PileCuration:
    """Result of a curation of a pile.

    Attributes:
        pile: that was curated.
        series, studies: tables of `curation.curation_schemas`.
        faults: rows of FAULTS_FOUND.
    """

    pile: Pile
    series: "pa.Table" = field(repr=False)
    studies: "pa.Table" = field(repr=False)
    faults: tuple[dict[str, Any], ...] = field(repr=False)

    @classmethod
    def of(cls, pile: Pile) -> "PileCuration":
        """Curate a pile: each series by itself, then what spans series, studies and patients."""
        import pyarrow as pa

        from firstread.curation.curation_schemas import INSTANCES, SERIES, STUDIES
        from firstread.curation.series_description import describe_series
        from firstread.curation.study_relations import describe_studies, relate

        stacks: list[dict[str, Any]] = []
        instances: list[dict[str, Any]] = []
        faults: list[dict[str, Any]] = []
        for one in track(pile.series, "Looking at each series", unit="series"):
            found = describe_series(one.files, root=pile.folder)
            stacks += found.stacks
            instances += found.instances
            faults += found.faults
        series, files = pa.Table.from_pylist(stacks, SERIES), pa.Table.from_pylist(instances, INSTANCES)
        studies = pa.Table.from_pylist(describe_studies(files, series), STUDIES)
        relations = relate(series, studies, files)
        _leave_out(stacks, relations)
        return cls(pile, pa.Table.from_pylist(stacks, SERIES), studies, (*faults, *relations))

    @cached_property
    def _faults_of(self) -> dict[str, list[dict[str, Any]]]:
        """Series -> its faults; of a pair that is there twice the one that is kept has a note that says so."""
        found: dict[str, list[dict[str, Any]]] = {}
        for fault in self.faults:
            found.setdefault(str(fault["series"]), []).append(fault)
        kept: dict[str, list[dict[str, Any]]] = {}
        for uid, faults in found.items():
            for fault in faults:
                for other in _UID.findall(str(fault["evidence"])):
                    text = f"its images lie under series {self._numbers.get(uid, uid)} as well; this one is kept"
                    kept.setdefault(other, []).append({**fault, "evidence": text, "action": "note"})
        for uid, notes in kept.items():
            if not any(fault["kind"] == note["kind"] for fault in found.get(uid, ()) for note in notes):
                found.setdefault(uid, []).extend(notes)
        return found

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {one.series: one.number for one in self.pile.series}

    def _in_words(self, evidence: str) -> str:
        """Evidence with the numbers of series in place of their UIDs."""
        return _UID.sub(lambda match: f"series {self._numbers.get(match[0], match[0])}", evidence).replace(
            "series series", "series"
        )

    @cached_property
    def _kinds(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for row in self.series.select(["series", "kind"]).to_pylist():
            found.setdefault(str(row["series"]), set()).add(str(row["kind"]))
        return found

    def answers(self, one: PileSeries) -> tuple[str, ...]:
        """What curation says of a series, as the buttons say it; "fine" if it leaves nothing out."""
        answers = [_LOCALIZER] if self._kinds.get(one.series) == {"localizer"} else []
        for fault in self._faults_of.get(one.series, ()):
            if fault["action"] == "exclude" or fault["kind"] in _BUTTON_OF_KIND:
                answers.append(_BUTTON_OF_KIND.get(fault["kind"], str(fault["kind"]).replace("_", " ")))
        return tuple(dict.fromkeys(answers)) or (_FINE,)

    def evidence(self, one: PileSeries) -> str:
        """Why, in words."""
        texts = [self._in_words(str(fault["evidence"])) for fault in self._faults_of.get(one.series, ())]
        if self._kinds.get(one.series) == {"localizer"}:
            rows = self.series.filter(_equals(self.series, one.series)).to_pylist()
            texts += [str(row["kind_evidence"]) for row in rows if row["kind_evidence"]]
        return "; ".join(dict.fromkeys(texts))

    def is_right(self, one: PileSeries) -> bool:
        """Whether what was planted is among what curation says, and nothing else."""
        return self.answers(one) == (one.label,)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """One row a series: series, patient, description, planted (if it is known), found, evidence."""
        import pandas as pd

        rows = [
            (one.number, one.patient, one.description, one.label, ", ".join(self.answers(one)), self.evidence(one))
            for one in self.pile.series
        ]
        return pd.DataFrame(rows, columns=["series", "patient", "description", "planted", "found", "evidence"])

    @cached_property
    def counts(self) -> "pd.DataFrame":
        """One row a button: how many were found; planted and found of these, if it is known."""
        import pandas as pd

        rows = []
        for button in dict.fromkeys([*BUTTON_OF.values(), *(name for one in self.pile.series for name in self.answers(one))]):
            found = [one for one in self.pile.series if button in self.answers(one)]
            planted = [one for one in self.pile.series if one.label == button]
            right = sum(one.label == button for one in found)
            rows.append((button, len(planted), right, len(found) - right, len(found)))
        table = pd.DataFrame(rows, columns=["", "planted", "of these found", "found beside them", "found"])
        return table.drop(columns="found") if self.pile.has_truth else table[["", "found"]]

    def to_json(self) -> dict[str, Any]:
        """Counts, as JSON values."""
        return {"counts": self.counts.to_dict("records")}

    def __repr__(self) -> str:
        return self.counts.to_string(index=False)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{one.number}</td><td>{escape(one.description)}</td><td>{escape(', '.join(self.answers(one)))}</td>"
            f"<td style='{_WRAPPED}'>{escape(self.evidence(one))}</td></tr>"
            for one in self.pile.series
            if self.answers(one) != (_FINE,)
        )
        head = "<tr><th>series</th><th>description</th><th>found</th><th>evidence</th></tr>"
        listed = scroll_box(head + rows, label="what curation found, and why")
        return f"{self.counts.to_html(index=False, border=0)}{listed}{LEFT_ALIGNED}"


@dataclass(frozen=True)
class ReadingComparison:
    """A learner's answers beside a curation's, series by series.

    Attributes:
        rows: number of the image, what is so (or None), the learner's answer, the curation's, its evidence.
    """

    rows: tuple[tuple[int, str | None, str, str, str], ...]

    @classmethod
    def of(cls, series: Sequence[PileSeries], answers: Sequence[str], curation: PileCuration) -> "ReadingComparison":
        """Compare the answers for some series."""
        return cls(
            tuple(
                (number, one.label, said, ", ".join(curation.answers(one)), curation.evidence(one))
                for number, (one, said) in enumerate(zip(series, answers, strict=True), start=1)
            )
        )

    @property
    def has_truth(self) -> bool:
        """True if it is known what was planted."""
        return all(truth is not None for _, truth, *_ in self.rows)

    @property
    def correct(self) -> tuple[int, int]:
        """Of the learner, and of the curation."""
        return (
            sum(said == truth for _, truth, said, _, _ in self.rows),
            sum(found == truth for _, truth, _, found, _ in self.rows),
        )

    @property
    def summary(self) -> str:
        """The result in a sentence."""
        if not self.has_truth:
            agreed = sum(said == found for _, _, said, found, _ in self.rows)
            return f"You and firstread say the same of {agreed} of {len(self.rows)} series. Nobody knows who is right."
        mine, found = self.correct
        return f"As planted: you {mine} of {len(self.rows)}, firstread {found} of {len(self.rows)}."

    def to_json(self) -> dict[str, Any]:
        """Numbers of right answers, as JSON values."""
        mine, found = self.correct
        return {"of": len(self.rows), "mine": mine, "curation": found} if self.has_truth else {"of": len(self.rows)}

    def __repr__(self) -> str:
        lines = [f"{number:3} {truth or '?':15} you: {said:15} firstread: {found}" for number, truth, said, found, _ in self.rows]
        return "\n".join([*lines, self.summary])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in _marked(row))}"
            f"<td style='{_WRAPPED}'>{escape(row[-1])}</td></tr>"
            for row in self.rows
        )
        names = ("image", *(("planted",) if self.has_truth else ()), "you", "firstread", "evidence")
        head = "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
        table = f"<div style='overflow-x:auto'><table class='firstread-header'>{head}{rows}</table></div>"
        return f"{table}<div><b>{escape(self.summary)}</b></div>{LEFT_ALIGNED}"


def _leave_out(stacks: list[dict[str, Any]], faults: Iterable[dict[str, Any]]) -> None:
    """Mark the stacks that what spans series and patients takes out; the reason stands beside."""
    for fault in faults:
        for row in stacks:
            if fault["excluded"] and fault["series"] == row["series"] and fault["stack"] in (None, row["stack"]):
                row["selected"], row["reason"] = False, row["reason"] or fault["kind"]


def _marked(row: tuple[int, str | None, str, str, str]) -> Iterable[object]:
    """A row without its evidence; a mark before each answer, where it is known what is right."""
    number, truth, said, found, _ = row
    if truth is None:
        return number, said, found
    return number, truth, f"{_mark(said == truth)} {said}", f"{_mark(found == truth)} {found}"


def _mark(is_right: bool) -> str:
    return "✓" if is_right else "✗"


def _equals(table: "pa.Table", series: str) -> Any:
    import pyarrow.compute as pc

    return pc.equal(table["series"], series)
