"""De-identification by hand: the learner ticks what to remove, then sees what still names the patient, and where."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import suggest
from firstread.deidentification.value_search import encoded_values, undisguise, value_patterns
from firstread.lessons.buttons import Clickable, make_button, make_html
from firstread.lessons.dicom_file import SHOWN_CHARACTERS, DicomFile, HeaderLine, printable, read_lines
from firstread.lessons.notes import Note, NotYetError, frame

if TYPE_CHECKING:
    import pandas as pd
    from pydicom import Dataset

    from firstread.deidentification.deidentification_result import Deidentification

#: value representations of numbers and codes of the scanner, which name nobody
_NUMBERS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "OB", "OW", "AT"})
_DATES = frozenset({"DA", "DT"})
#: without these a picture cannot be shown or measured
_NEEDED = frozenset(
    "Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel PhotometricInterpretation "
    "PixelData PixelSpacing ImagePositionPatient ImageOrientationPatient RescaleSlope RescaleIntercept SOPClassUID "
    "SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality".split()
)
_IMAGE_GROUPS = (0x0028, 0x7FE0)
_PREAMBLE_BYTES = 128
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
        for kind, words in KINDS.items():
            rows = "".join(
                f"<tr><td style='white-space:nowrap'>{escape(trace.place)}</td><td>{escape(trace.name)}</td>"
                f"<td style='overflow-wrap:anywhere'><b>{escape(trace.text)}</b></td></tr>"
                for trace in self.traces
                if trace.kind == kind
            )
            if rows:
                head = "<tr><th>where</th><th>name</th><th>what stands there</th></tr>"
                is_open = " open" if kind == "identity" else ""
                parts.append(
                    f"<details{is_open}><summary>{self.counts[kind]} x {escape(words)}</summary>"
                    f"<table class='firstread-header'>{head}{rows}</table></details>"
                )
        return "".join(parts) + _LEFT


_LEFT = "<style>table.firstread-header td, table.firstread-header th { text-align: left !important; }</style>"


class ManualDeidentification(Clickable):
    """The lines of a header that could name somebody, with a box beside each.

    Args:
        image: the file; it is not changed.
        values: (kind, text) of all that names the patient.
        root: folder that the names of files are told from.
        removed: keywords that were ticked before.
        on_change: is told the keywords that are ticked.
    """

    def __init__(
        self,
        image: DicomFile,
        values: frozenset[tuple[str, str]],
        *,
        root: Path,
        removed: Iterable[str],
        on_change: Callable[[list[str]], None],
    ) -> None:
        self.image, self.values, self.root = image, values, root
        self.lines = tuple(line for line in read_lines(image.dataset(), image.path) if _is_offered(line))
        known = {line.keyword for line in self.lines}
        self.removed: set[str] = set(removed) & known
        self._on_change = on_change

    @property
    def is_complete(self) -> bool:
        """True once anything is removed."""
        return bool(self.removed)

    def remove(self, text: str) -> Note:
        """Type what to remove in place of ticking it: `by_hand.remove("PatientName, PatientID")`.

        Keywords or names, with commas between them, in upper or lower case.

        Raises:
            NotYetError: the header has no such line.
        """
        names = [name for part in re.split(r"[,;\n]", text) if (name := part.strip())]
        known = {_plain(key): line.keyword for line in self.lines for key in (line.keyword, line.name)}
        unknown = [name for name in names if _plain(name) not in known]
        if unknown or not names:
            said = f'the header has no line "{unknown[0]}".{suggest(unknown[0], list(known))}' if unknown else "nothing was typed"
            raise NotYetError(
                f"This cannot be removed: {said}",
                expected='names of lines, such as "PatientName, PatientID"',
                do="take the names from the header above",
            )
        self.removed |= {known[_plain(name)] for name in names}
        self._on_change(sorted(self.removed))
        return Note(f"{len(self.removed)} of {len(self.lines)} lines will be removed.", good=True)

    def search(self) -> Traces:
        """What still leads to the patient once the ticked lines are gone.

        Raises:
            NotYetError: nothing is ticked.
        """
        if not self.removed:
            raise NotYetError(
                "Not yet: nothing is removed",
                expected="a tick beside each line that names the patient",
                do="tick the boxes above, then run this cell again",
            )
        dataset = self.image.dataset()
        for keyword in self.removed:
            delattr(dataset, keyword)
        needed = tuple(sorted(self.removed & _NEEDED))
        return Traces(len(self.removed), tuple(self._traces(dataset)), needed)

    def compare(self) -> "pd.DataFrame":
        """The lines that name somebody: as they were, after your hand, and after firstread's rules."""
        import pandas as pd

        from firstread.deidentification.dataset_deidentifier import deidentify_dataset
        from firstread.deidentification.profile import Profile
        from firstread.deidentification.pseudonym_keys import PseudonymKeys

        original = self.image.dataset()
        profile = Profile().without_options("retain_full_dates", "retain_modified_dates")  # anonymous: no dates
        found = deidentify_dataset(original, profile=profile, keys=PseudonymKeys.forgotten())
        leading = {trace.place for trace in self._traces(self.image.dataset())}
        after = {} if found.dataset is None else {line.place: line for line in read_lines(found.dataset, self.image.path)}
        rows = []
        for line in read_lines(original, self.image.path):
            if line.depth or line.place not in leading:
                continue
            ruled = after[line.place].excerpt if line.place in after else "(gone)"
            own = "(gone)" if line.keyword in self.removed else line.excerpt
            rows.append((line.name, line.excerpt, own, ruled or "(empty)"))
        return pd.DataFrame(rows, columns=["line", "original", "you", "firstread"])

    def write_report(self, result: "Deidentification", folder: Path) -> Path:
        """Write the learner's page: what the rules did, and how the own work compares; no value of the patient."""
        import pandas as pd

        traces = self.search()
        report = result.report().add_heading("By hand")
        report.add_text(f"{traces.removed} lines of one image's header were removed by hand.")
        rows = [(words, traces.counts[kind]) for kind, words in KINDS.items()]
        table = pd.DataFrame(rows, columns=["what still leads to the patient", "places"])
        return report.add_table(table, caption="What was left after the work by hand").write(folder / "report.html")

    # ---- search

    def _traces(self, dataset: "Dataset") -> Iterator[Trace]:
        yield from self._outside(dataset)
        for line in read_lines(dataset, self.image.path):
            if kind := self._kind(line):
                yield Trace(line.place, line.name, line.excerpt, kind)

    def _outside(self, dataset: "Dataset") -> Iterator[Trace]:
        """What stands in the name of the file and of its folders, and in the bytes before the header."""
        path = self.image.path
        name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        if self._names_somebody(name):
            yield Trace("name of the file", "folders and file", name, "identity")
        preamble = getattr(dataset, "preamble", None) or b""
        with open(path, "rb") as file:
            preamble = preamble or file.read(_PREAMBLE_BYTES)
        if any(form in preamble for form in self._encoded):
            text = " ".join(printable(preamble).split())[:SHOWN_CHARACTERS]
            yield Trace("before the header", "preamble", text, "identity")

    @cached_property
    def _encoded(self) -> tuple[bytes, ...]:
        return encoded_values(self.values)

    def _kind(self, line: HeaderLine) -> str:
        """Kind of what a line still says of the patient; "" where it says nothing."""
        if not line.value or line.vr in ("SQ", "TM"):
            return ""
        if self._names_somebody(line.value) and line.vr not in ("DS", "IS", "UI", "DA", "DT"):
            return "identity"
        if line.place.startswith("(60") and line.place.endswith(",3000)"):
            return "drawing"
        if line.vr in _DATES:
            return "identity" if line.keyword == "PatientBirthDate" else "date"
        if line.vr == "UI" and not line.value.startswith(_STANDARD_UIDS) and not line.place.startswith("(0002"):
            return "uid"
        return ""

    def _names_somebody(self, text: str) -> bool:
        plain = undisguise(text)
        return any(pattern.search(plain) for _, pattern in value_patterns(self.values))

    # ---- as a notebook shows it

    def _make_widget(self) -> Any:
        import ipywidgets

        status = make_html(self._status_html())
        boxes = []

        def tick(keyword: str, change: dict[str, Any]) -> None:
            (self.removed.add if change["new"] else self.removed.discard)(keyword)
            status.value = self._status_html()
            self._on_change(sorted(self.removed))

        for line in self.lines:
            label = f"{line.name}: {line.excerpt}"
            box = ipywidgets.Checkbox(
                value=line.keyword in self.removed, description=label, indent=False, tooltip=f"remove {line.name}"
            )
            box.layout = ipywidgets.Layout(width="100%", height="auto")
            box.observe(partial(tick, line.keyword), names="value")
            boxes.append(box)
        columns = "repeat(auto-fill, minmax(330px, 1fr))"
        grid = ipywidgets.GridBox(
            boxes, layout=ipywidgets.Layout(grid_template_columns=columns, grid_gap="0 18px", width="100%")
        )
        head = make_html("<b>Tick what you would remove.</b>", with_style=True)
        clear = make_button("untick all", lambda: [setattr(box, "value", False) for box in boxes], short=True)
        return ipywidgets.VBox([head, grid, clear, status])

    def _status_html(self) -> str:
        text = f"{len(self.removed)} of {len(self.lines)} lines are ticked."
        done = " Run the next cell to see what is left." if self.removed else ""
        return frame(text + done, good=True if self.removed else None, role="status")

    def __repr__(self) -> str:
        rows = (f"[{'x' if line.keyword in self.removed else ' '}] {line.keyword}: {line.excerpt}" for line in self.lines)
        return "\n".join(rows)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<div>{'☑' if line.keyword in self.removed else '☐'} {escape(line.name)}: {escape(line.excerpt)}</div>"
            for line in self.lines
        )
        style = "display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:0 18px;overflow-wrap:anywhere"
        return f'<div style="{style}">{rows}</div>{self._status_html()}'


def _is_offered(line: HeaderLine) -> bool:
    """Whether a box stands beside a line: at the top of the header, with a name, neither image nor number."""
    group = int(line.place[1:5], 16)
    return not line.depth and bool(line.keyword) and group not in (2, *_IMAGE_GROUPS) and line.vr not in _NUMBERS


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())
