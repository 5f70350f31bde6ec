"""What still leads to a patient after a de-identification by hand: where it stands, and what rules make of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from firstread.deidentification.value_search import encoded_values, undisguise, value_patterns
from firstread.lessons.dicom_file import LEFT_ALIGNED, SHOWN_CHARACTERS, HeaderLine, printable, read_lines, scroll_box
from firstread.lessons.notes import frame

if TYPE_CHECKING:
    import pandas as pd
    from pydicom import Dataset

_DATES = frozenset({"DA", "DT"})
_PREAMBLE_BYTES = 128
GONE, EMPTY = "(gone)", "(empty)"
_STANDARD_UIDS = "1.2.840.10008."
#: kind of what was found -> in words, the worst first
KINDS = {
    "identity": "names, numbers, addresses, telephones",
    "date": "dates: with an age and a place they find a person",
    "uid": "unique identifiers: who can search the archive finds the study",
    "drawing": "drawings over the image (overlays): text may stand in them",
}


@dataclass(frozen=True)
class Trace:
    """Something that still leads to the patient: where it stands, the text, and its kind (a key of KINDS)."""

    place: str
    name: str
    text: str
    kind: str

    @property
    def where(self) -> str:
        """Its place, short: the tag, and how many sequences deep it stands."""
        *outer, tag = self.place.split(" > ")
        return f"{tag}, {_count(len(outer))} deep" if outer else tag


@dataclass(frozen=True)
class Traces:
    """Everything that was found after a de-identification by hand.

    Attributes:
        removed: number of elements that were removed.
        traces: what is left.
        needed: keywords that were removed although the picture cannot be read without them.
    """

    removed: int
    traces: tuple[Trace, ...]
    needed: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Kind -> number of places."""
        counts = Counter(trace.kind for trace in self.traces)
        return {kind: counts[kind] for kind in KINDS}

    def to_json(self) -> dict[str, Any]:
        """Numbers for the record of the lesson; no value of the file."""
        return {"removed": self.removed, "left": self.counts, "needed": list(self.needed)}

    def table(self) -> "pd.DataFrame":
        """One row a place."""
        import pandas as pd

        rows = [(trace.place, trace.name, trace.text, trace.kind) for trace in self.traces]
        return pd.DataFrame(rows, columns=["where", "name", "what stands there", "kind"])

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        found = self.counts["identity"]
        return (
            f"You removed {self.removed} lines. In {found} places something still names the patient"
            if found
            else f"You removed {self.removed} lines. Nothing names the patient any more"
        ) + f"; {self.counts['date']} dates and {self.counts['uid']} unique identifiers are left."

    def __repr__(self) -> str:
        return "\n".join([self.sentence, self._needed_sentence, self.table().to_string(index=False)]).strip()

    @property
    def _needed_sentence(self) -> str:
        if not self.needed:
            return ""
        return f"And the image cannot be read or measured any more: {', '.join(self.needed)} went with it."

    def _repr_html_(self) -> str:
        lines = [escape(line) for line in (self.sentence, self._needed_sentence) if line]
        parts = [frame("<br>".join(lines), good=not self.counts["identity"] and not self.needed)]
        for kind in KINDS:
            rows = [
                f"<tr><td title='{escape(trace.place)}'>{escape(trace.where)}</td><td>{escape(trace.name)}</td>"
                f"<td style='overflow-wrap:anywhere'><b>{escape(trace.text)}</b></td></tr>"
                for trace in self.traces
                if trace.kind == kind
            ]
            parts.append(_section(kind, ("where", "name", "what stands there"), rows))
        return "".join(parts) + LEFT_ALIGNED


class ComparedLine(NamedTuple):
    """A line of a header as it was, after the learner's hand, and after firstread's rules."""

    name: str
    original: str
    by_hand: str
    by_rules: str
    kind: str


class ComparedLines(tuple[ComparedLine, ...]):
    """Lines side by side; those that name somebody are shown, dates and identifiers are folded."""

    def table(self) -> "pd.DataFrame":
        """One row a line."""
        import pandas as pd

        return pd.DataFrame([line[:4] for line in self], columns=["line", "original", "you", "firstread"])

    def __repr__(self) -> str:
        return str(self.table().to_string(index=False))

    def _repr_html_(self) -> str:
        columns = ("line", "original", "you", "firstread")
        parts = []
        for kind in KINDS:
            rows = [f"<tr>{''.join(map(_cell, line[:4]))}</tr>" for line in self if line.kind == kind]
            parts.append(_section(kind, columns, rows))
        return "".join(parts) + LEFT_ALIGNED


def _section(kind: str, columns: tuple[str, ...], rows: list[str]) -> str:
    """HTML of the rows of one kind, to unfold; open where they name somebody, nothing where there are none."""
    if not rows:
        return ""
    words = KINDS[kind]
    head = f"<tr>{''.join(f'<th>{column}</th>' for column in columns)}</tr>"
    is_open = " open" if kind == "identity" else ""
    box = scroll_box(head + "".join(rows), label=words)
    return f"<details{is_open}><summary>{len(rows)} x {escape(words)}</summary>{box}</details>"


def _count(sequences: int) -> str:
    return f"{sequences} sequence{'' if sequences == 1 else 's'}"


def _cell(text: str) -> str:
    color = "color:#00664b" if text in (GONE, EMPTY) else ""
    return f"<td style='overflow-wrap:anywhere;max-width:16em;{color}'>{escape(text)}</td>"


def find_traces(
    dataset: "Dataset", path: Path, values: frozenset[tuple[str, str]], *, root: Path
) -> Iterator[Trace]:
    """Everything in a dataset, and around it in its file, that names the patient or leads to one.

    Args:
        dataset: after elements were removed; the file itself is read for what stands before the header.
        path: of the file.
        values: (kind, text) of all that names the patient.
        root: folder that the name of the file is told from.
    """
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    if _names_somebody(name, values):
        yield Trace("name of the file", "folders and file", name, "identity")
    with open(path, "rb") as file:
        preamble, mark = file.read(_PREAMBLE_BYTES), file.read(4)
    if mark == b"DICM" and any(form in preamble for form in encoded_values(values)):
        text = " ".join(printable(preamble).split())[:SHOWN_CHARACTERS]
        yield Trace("before the header", "preamble", text, "identity")
    for line in read_lines(dataset, path):
        if kind := _kind(line, values):
            yield Trace(line.place, line.name, line.excerpt, kind)


def _kind(line: HeaderLine, values: frozenset[tuple[str, str]]) -> str:
    """Kind of what a line still says of the patient; "" where it says nothing."""
    if not line.value or line.vr in ("SQ", "TM"):
        return ""
    if _names_somebody(line.value, values) and line.vr not in ("DS", "IS", "UI", "DA", "DT"):
        return "identity"
    if line.place.startswith("(60") and line.place.endswith(",3000)"):
        return "drawing"
    if line.vr in _DATES:
        return "identity" if line.keyword == "PatientBirthDate" else "date"
    if line.vr == "UI" and not line.value.startswith(_STANDARD_UIDS) and not line.place.startswith("(0002"):
        return "uid"
    return ""


def _names_somebody(text: str, values: frozenset[tuple[str, str]]) -> bool:
    plain = undisguise(text)
    return any(pattern.search(plain) for _, pattern in value_patterns(values))
