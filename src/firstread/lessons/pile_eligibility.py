"""Who is in, in a lesson: an eligibility file as text, one criterion of it changed, and the flow that it makes."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError, SettingError
from firstread.lessons.dicom_file import LEFT_ALIGNED

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from firstread.curation.eligibility import Eligibility
    from firstread.curation.participant_flow import Participants
    from firstread.curation.table_one import TableOne
    from firstread.lessons.pile_curation import PileCuration

_WHERE = re.compile(r'^where = .*$', re.MULTILINE)
_NAME = re.compile(r'^name = "(.*)"$', re.MULTILINE)
_CLINICAL_CRITERION = re.compile(r"^where = .*\bclinical\.", re.MULTILINE)
#: columns of Table 1
_DESCRIBED = ("age_years", "sex", "finding", "largest_mm", "liver_surgery", "proven_by")


@dataclass(frozen=True)
class EligibilityFile:
    """An eligibility file, shown as the text that it is.

    Attributes:
        text: TOML, criteria with empty lines between them.
        changed: names of criteria that were changed in this lesson.
        left_out: criteria that ask a clinical table where there is none.
    """

    text: str
    changed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def read(cls, file: Path, *, has_clinical: bool) -> "EligibilityFile":
        """Read a lesson's file; without a clinical table the criteria that ask one are left out."""
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise DataError("The lesson's eligibility file cannot be read", where=file) from error
        if has_clinical:
            return cls(text)
        blocks = text.split("\n\n")
        kept = [block for block in blocks if not _CLINICAL_CRITERION.search(block)]
        left = [match[1] for block in blocks if block not in kept and (match := _NAME.search(block))]
        return cls("\n\n".join(kept), left_out=tuple(left))

    @cached_property
    def eligibility(self) -> "Eligibility":
        """What the text means."""
        from firstread.curation.eligibility import parse_eligibility

        return parse_eligibility(self.text)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its criteria, in their order."""
        return tuple(criterion.name for criterion in self.eligibility.criteria)

    def change(self, name: str, where: str) -> "EligibilityFile":
        """The file with another question for one criterion: `change("Adults", where="study.age_years >= 21")`.

        Raises:
            SettingError: it has no such criterion, or the question cannot be read.
        """
        if name in self.left_out:
            return self
        if name not in self.names:
            raise SettingError(f'There is no criterion "{name}"', expected=", ".join(self.names))
        blocks = self.text.split("\n\n")
        index = next(i for i, block in enumerate(blocks) if (match := _NAME.search(block)) and match[1] == name)
        quoted = '"' + where.replace("\\", "\\\\").replace('"', "'") + '"'
        blocks[index] = _WHERE.sub(lambda _: f"where = {quoted}", blocks[index])
        changed = replace(self, text="\n\n".join(blocks), changed=tuple(dict.fromkeys([*self.changed, name])))
        _ = changed.eligibility  # what cannot be read is said here
        return changed

    def apply(self, curation: "PileCuration") -> "Inclusion":
        """Apply the criteria to a curated pile, in their order."""
        from firstread.curation.eligibility_tables import ArchiveTables
        from firstread.curation.participant_flow import select_participants

        tables = ArchiveTables.join(
            series=curation.series, study=curation.studies, clinical=curation.pile.clinical_table()
        )
        return Inclusion(self, select_participants(self.eligibility, tables))

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        style = "white-space:pre-wrap;line-height:1.45;margin:0;padding:.6em .9em;border:1px solid #ccc;font-size:13px"
        blocks = [self._block_html(block) for block in self.text.strip().split("\n\n")]
        note = f"<div>Left out, because there is no clinical table: {escape(', '.join(self.left_out))}.</div>"
        return f"<pre style='{style}'>{'<br>'.join(blocks)}</pre>{note if self.left_out else ''}"

    def _block_html(self, block: str) -> str:
        match = _NAME.search(block)
        lines = [
            f"<mark>{escape(line)}</mark>" if match and match[1] in self.changed and line.startswith("where") else escape(line)
            for line in block.splitlines()
        ]
        return "\n".join([*lines, ""])


@dataclass(frozen=True, eq=False)
class Inclusion:
    """Who is in: flow diagram, Table 1, and the bias that the criteria bring.

    Attributes:
        file: that was applied.
        participants: who is in, and how it came to that.
    """

    file: EligibilityFile
    participants: "Participants" = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Step -> number of patients that are left after it."""
        return {row["criterion"]: row["after"] for row in self.participants.flow.to_pylist()}

    @property
    def patients(self) -> tuple[str, ...]:
        """Who is in."""
        rows = self.participants.tables.rows["patient.patient"].to_pylist()
        return tuple(dict.fromkeys(name for name, kept in zip(rows, self.participants.included, strict=True) if kept))

    @cached_property
    def table_one(self) -> "TableOne":
        """Table 1: those who were assessed, those who are in."""
        from firstread.curation.table_one import table_one

        patients, included = self._patients()
        return table_one(patients, {"assessed": included | True, "included": included}, skip=("patient",))

    def _patients(self) -> "tuple[pa.Table, np.ndarray]":
        """One row a patient with what Table 1 describes, and (N,) whether the patient is in."""
        import numpy as np
        import pyarrow as pa

        rows = self.participants.tables.rows
        names = rows["patient.patient"].to_pylist()
        first = {name: index for index, name in reversed(list(enumerate(names)))}
        order = [first[name] for name in dict.fromkeys(names)]
        columns = {}
        for name in _DESCRIBED:
            found = next((f"{table}.{name}" for table in ("clinical", "patient") if f"{table}.{name}" in rows.column_names), None)
            if found is not None:
                columns[name] = rows[found].combine_chunks().take(pa.array(order))
        inside = set(self.patients)
        return pa.table(columns), np.array([names[index] in inside for index in order], bool)

    @property
    def bias(self) -> "Biases":
        """The bias that the criteria bring, in words."""
        from firstread.curation.selection_bias import BIAS, bias_of

        criteria = self.file.eligibility.criteria
        needs_of = {name: needs for needs, (name, _) in BIAS.items()}
        missing = any(row["side"] == "missing" for row in self.participants.flow.to_pylist())
        return Biases(
            tuple(
                (name, text, ", ".join(one.name for one in criteria if one.needs == needs_of.get(name)))
                for name, text in bias_of(self.file.eligibility, missing=missing)
            )
        )

    def to_json(self) -> dict[str, Any]:
        """Number of patients after each step, as JSON values."""
        return {"flow": self.counts, "changed": list(self.file.changed)}

    def __repr__(self) -> str:
        lines = [f"{count:4} {step}" for step, count in self.counts.items()]
        return "\n".join([*lines, *self.participants.remarks, "", self.table_one.rows.to_string(index=False)])

    def _repr_html_(self) -> str:
        from firstread.curation.flow_diagram import draw_flow

        svg = draw_flow(self.participants.flow, title=self.file.eligibility.title)
        remarks = "".join(f"<li>{escape(text)}</li>" for text in self.participants.remarks)
        return (
            f"<div style='display:flex;flex-wrap:wrap;gap:18px;align-items:flex-start'>"
            f"<div style='flex:1 1 300px;max-width:440px'>{svg}</div>"
            f"<div style='overflow-x:auto;flex:1 1 300px;max-width:500px'>{self._table_one_html()}</div></div>"
            f"<ul>{remarks}</ul>{LEFT_ALIGNED}"
        )

    def _table_one_html(self) -> str:
        """Table 1, narrow enough to stand beside the flow: each variable as a heading of its lines."""
        groups = list(self.table_one.sizes)
        head = "<tr><th>Table 1</th>" + "".join(f"<th>{escape(group)}</th>" for group in groups) + "</tr>"
        rows, before = [], ""
        for line in self.table_one.rows.to_dict("records"):
            name = str(line["variable"]).replace("_", " ")
            if name != before:
                rows.append(f"<tr><th colspan='{len(groups) + 1}' scope='rowgroup'>{escape(name)}</th></tr>")
            cells = "".join(f"<td>{escape(str(line[group]))}</td>" for group in groups)
            rows.append(f"<tr><td style='padding-left:1.5em'>{escape(str(line['value']))}</td>{cells}</tr>")
            before = name
        return f"<table class='firstread-header'>{head}{''.join(rows)}</table>"


@dataclass(frozen=True)
class Biases:
    """Bias of a selection: name, what it means, the criteria that bring it."""

    rows: tuple[tuple[str, str, str], ...]

    def __repr__(self) -> str:
        return "\n".join(f"{name} ({criteria}): {text}" if criteria else f"{name}: {text}" for name, text, criteria in self.rows)

    def _repr_html_(self) -> str:
        style = "max-width:46em;margin:.4em 0"
        return "".join(
            f"<p style='{style}'><b>{escape(name)}</b>{f' ({escape(criteria)})' if criteria else ''}. {escape(text)}</p>"
            for name, text, criteria in self.rows
        )
