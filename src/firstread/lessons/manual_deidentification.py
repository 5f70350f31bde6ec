"""De-identification by hand: the learner ticks what to remove, then sees what still names the patient, and where."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import suggest
from firstread.lessons.buttons import Clickable, make_button, make_html
from firstread.lessons.dicom_file import DicomFile, HeaderLine, read_lines
from firstread.lessons.identity_traces import (
    EMPTY,
    GONE,
    KINDS,
    ComparedLine,
    ComparedLines,
    Trace,
    Traces,
    find_traces,
)
from firstread.lessons.notes import Note, NotYetError, frame

if TYPE_CHECKING:
    import pandas as pd
    from pydicom import Dataset

    from firstread.deidentification.deidentification_result import Deidentification

#: value representations of numbers and codes of the scanner, which name nobody
_NUMBERS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "OB", "OW", "AT"})
#: without these a picture cannot be shown or measured
_NEEDED = frozenset(
    "Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel PhotometricInterpretation "
    "PixelData PixelSpacing ImagePositionPatient ImageOrientationPatient RescaleSlope RescaleIntercept SOPClassUID "
    "SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality".split()
)
_IMAGE_GROUPS = (0x0028, 0x7FE0)


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
        return Traces(len(self.removed), self._traces(dataset), needed)

    def compare(self) -> "ComparedLines":
        """The lines that lead to the patient: as they were, after your hand, and after firstread's rules."""
        from firstread.deidentification.dataset_deidentifier import deidentify_dataset
        from firstread.deidentification.profile import Profile
        from firstread.deidentification.pseudonym_keys import PseudonymKeys

        original = self.image.dataset()
        profile = Profile().without_options("retain_full_dates", "retain_modified_dates")  # anonymous: no dates
        found = deidentify_dataset(original, profile=profile, keys=PseudonymKeys.forgotten())
        after = {} if found.dataset is None else {line.place: line for line in read_lines(found.dataset, self.image.path)}
        leading = {trace.place: trace.kind for trace in self._traces(original)}
        return ComparedLines(
            tuple(
                ComparedLine(
                    line.name,
                    line.excerpt,
                    GONE if line.keyword in self.removed else line.excerpt,
                    (after[line.place].excerpt or EMPTY) if line.place in after else GONE,
                    leading[line.place],
                )
                for line in read_lines(original, self.image.path)
                if not line.depth and line.place in leading
            )
        )

    def write_report(self, result: "Deidentification", folder: Path) -> Path:
        """Write the learner's page: what the rules did, and how the own work compares; no value of the patient."""
        import pandas as pd

        traces = self.search()
        report = result.report().add_heading("By hand")
        report.add_text(f"{traces.removed} lines of one image's header were removed by hand.")
        rows = [(words, traces.counts[kind]) for kind, words in KINDS.items()]
        table = pd.DataFrame(rows, columns=["what still leads to the patient", "places"])
        return report.add_table(table, caption="What was left after the work by hand").write(folder / "report.html")

    def _traces(self, dataset: "Dataset") -> tuple[Trace, ...]:
        return tuple(find_traces(dataset, self.image.path, self.values, root=self.root))

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

        def untick() -> None:
            for box in boxes:
                box.value = False

        clear = make_button("untick all", untick, short=True)
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
