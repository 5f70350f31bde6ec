"""`check_data`: data quality report on duplicates, leaks, artefacts and shortcuts, for use before training."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.files import to_jsonable
from firstread.core.report import Report
from firstread.curation.checks import Finding, find_artefacts, find_image_sizes, find_unreadable
from firstread.curation.cohort_checks import find_files_left_out, find_labels, find_patients, find_split_gaps
from firstread.curation.data_check_report import build_report, describe
from firstread.curation.duplicate_checks import find_duplicates, find_series, search_duplicates
from firstread.curation.measurements import CohortMeasurements, measure_cohort
from firstread.curation.shortcut_checks import find_border_pixels, find_file_order_leak, find_shortcuts
from firstread.curation.shortcut_strength import ShortcutStrength, measure_rules

if TYPE_CHECKING:
    import pandas as pd

_SEVERITIES = ("problem", "warning", "note")


@dataclass(frozen=True)
class DataCheck:
    """The result of `check_data`.

    Attributes:
        cohort: the cohort that was checked.
        findings: most severe first.
        counts: cases of each class in each split.
        shortcuts: one row for each trivial rule: `rule`, `accuracy`, `low`, `high`, `right`, `cases`, `how`, and the
            same on held-out splits.
        examples: title -> names of cases that a page shows.
    """

    cohort: Cohort
    findings: tuple[Finding, ...]
    counts: "pd.DataFrame"
    shortcuts: "pd.DataFrame"
    examples: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def of_kind(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def report(self) -> Report:
        """A page with the findings, example images, and the table of trivial rules."""
        return build_report(self.cohort, self.findings, self.counts, self.shortcuts, self.examples)

    def show(self) -> Report:
        """The report, displayed in a notebook."""
        return self.report()

    def to_json(self) -> dict[str, Any]:
        """Findings and the table of rules as plain values for JSON."""
        findings = [asdict(finding) for finding in self.findings]
        return to_jsonable(
            {
                "data": self.cohort.describe(),
                "findings": findings,
                "shortcuts": self.shortcuts.to_dict("records"),
            }
        )

    def __str__(self) -> str:
        return describe(self.cohort, self.findings, self.shortcuts)

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()


def check_data(cohort: Cohort) -> DataCheck:
    """Check a cohort for duplicates, leaks between splits, artefacts, and shortcuts.

    Why a radiologist should care: a network finds the easiest way to its label, and the easiest way is often
    not in the anatomy.

    Args:
        cohort: any cohort, with or without classes; labels, splits and patients are used where there are any. Of a case
            with several images the first is looked at, of a volume the middle slice. Each image is read once.

    Returns:
        Findings in sentences, tables, and a page with pictures. Images that cannot be read are a finding.

    Raises:
        DataError: there are no images; or several readers' labels, none of them adjudicated.

    Example:
        >>> check = fr.check_data(fr.simulate_patients(6, size=64))
        >>> check.of_kind("sizes")[0].text
        'All images have 64 x 64 pixels. All are gray.'
    """
    if not len(cohort):
        raise DataError("There are no images to check", where=cohort.origin.name)
    measured = measure_cohort(cohort)
    examples: dict[str, list[str]] = {}
    findings = [
        *find_unreadable(measured.unreadable, len(cohort)),
        *find_labels(cohort),
        *find_split_gaps(cohort),
        *find_patients(cohort),
        *find_files_left_out(cohort),
    ]
    strengths: list[ShortcutStrength] = []
    if measured.images:
        findings += _find_in_images(measured, examples)
        strengths = _measure_shortcuts(measured)
        findings += find_shortcuts(strengths)
    if strengths:
        findings += find_border_pixels(measured.cohort, measured.pictures.medium)
        findings += find_file_order_leak(measured.cohort, measured.pictures.small)
    findings.sort(key=lambda finding: _SEVERITIES.index(finding.severity))
    return DataCheck(cohort, tuple(findings), cohort.counts(), _rule_table(strengths), examples)


def _find_in_images(measured: CohortMeasurements, examples: dict[str, list[str]]) -> list[Finding]:
    duplicates = search_duplicates(measured)
    return [
        *find_duplicates(measured.cohort, duplicates, examples),
        *find_series(measured.cohort, duplicates.series),
        *find_artefacts(measured, examples),
        *find_image_sizes(measured.features),
    ]


def _measure_shortcuts(measured: CohortMeasurements) -> list[ShortcutStrength]:
    """Strength of the trivial rules; of none where there are not two classes of at least two images in all."""
    targets = measured.cohort.targets
    if len(np.unique(targets[targets >= 0])) < 2:
        return []
    return measure_rules(measured.cohort, measured.features)


def _rule_table(strengths: list[ShortcutStrength]) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for strength in strengths:
        row: dict[str, Any] = {
            "rule": strength.name,
            "accuracy": strength.accuracy,
            "low": strength.low,
            "high": strength.high,
            "right": strength.correct,
            "cases": strength.total,
            "how": strength.method,
        }
        for split, (correct, total) in strength.held_out.items():
            row[f"fitted on train, {split}"] = f"{correct} of {total}"
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else ["rule", "accuracy", "low", "high", "right", "cases", "how"])
