"""`check_data`: data quality report on duplicates, leaks, artefacts and shortcuts, for use before training."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.files import to_jsonable
from firstread.core.report import Report
from firstread.curation.baselines import image_features
from firstread.curation.checks import (
    Finding,
    find_artefacts,
    find_image_sizes,
    find_imbalance,
    find_stray_files,
)
from firstread.curation.duplicate_checks import find_duplicates, find_near_duplicates, find_series
from firstread.curation.duplicates import group_identical, hash_pixels
from firstread.curation.shortcut_checks import (
    SHORTCUT_ACCURACY,
    find_border_pixels,
    find_file_order_leak,
    find_shortcuts,
)
from firstread.curation.shortcut_strength import ShortcutStrength, measure_rules

if TYPE_CHECKING:
    import pandas as pd

#: most example images that a page shows for one finding
MAX_EXAMPLES = 8


@dataclass(frozen=True)
class DataCheck:
    """The result of `check_data`.

    Attributes:
        cohort: the cohort that was checked.
        findings: most severe first.
        counts: cases of each class in each split.
        shortcuts: one row for each trivial rule: `rule`, `accuracy`, `low`, `high`, `right`, `cases`, `how`, and the
            same on held-out splits.
    """

    cohort: Cohort
    findings: tuple[Finding, ...]
    counts: "pd.DataFrame"
    shortcuts: "pd.DataFrame"
    _examples: dict[str, list[int]] = field(default_factory=dict, repr=False)

    def of_kind(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def report(self) -> Report:
        """A page with the findings, example images, and the table of trivial rules."""
        report = Report(f"Data check: {self.cohort.origin.name}", f"{len(self.cohort)} images")
        report.add_heading("Findings")
        for finding in self.findings or (Finding("note", "none", "Nothing was found."),):
            report.add_text(f"{finding.severity.upper()} ({finding.kind}). {finding.text}")
        for kind, cases in self._examples.items():
            report.add_heading(f"Examples: {kind}")
            report.add_figure(_draw_examples(self.cohort, cases), alt=kind)
        report.add_heading("What is there")
        report.add_table(self.counts)
        report.add_heading("Trivial rules")
        report.add_text(
            "How well the classes can be told apart by something that is not anatomy. Cross-validated unless stated."
        )
        if len(self.shortcuts):
            report.add_figure(_rule_figure(self.shortcuts), alt="accuracy of each trivial rule with its 95 % interval")
        report.add_table(self.shortcuts)
        return report

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
        lines = [f"Data check of {self.cohort.origin.name}: {len(self.cohort)} images", ""]
        lines += [f"{finding.severity.upper():8s} {finding.text}" for finding in self.findings] or [
            "Nothing was found."
        ]
        columns = [c for c in self.shortcuts.columns if c not in ("low", "high")]
        table = self.shortcuts[columns].to_string(index=False, float_format="{:.3f}".format, na_rep="")
        return "\n".join([*lines, "", "How far trivial rules get:", table])

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()


def check_data(cohort: Cohort) -> DataCheck:
    """Check a cohort for duplicates, leaks between splits, artefacts, and shortcuts.

    Why a radiologist should care: a network finds the easiest way to its label, and the easiest way is often
    not in the anatomy.

    Args:
        cohort: any cohort; labels and splits are used where there are any.

    Returns:
        Findings in sentences, tables, and a page with pictures.

    Raises:
        DataError: there are no images.

    Example:
        >>> check = fr.check_data(fr.simulate_patients(6, size=64))
        >>> check.of_kind("sizes")[0].text
        'All images have 64 x 64 pixels. All are gray.'
    """
    if not len(cohort):
        raise DataError("There are no images to check", where=cohort.origin.name)
    features = image_features(cohort)
    thumbnails = np.stack([one.thumbnail for one in features])
    groups = group_identical(hash_pixels(cohort))
    examples: dict[str, list[int]] = {}
    findings = [
        *find_imbalance(cohort),
        *find_stray_files(cohort),
        *find_duplicates(cohort, groups, examples),
        *find_near_duplicates(cohort, thumbnails, groups, examples),
        *find_series(cohort, thumbnails),
        *find_artefacts(cohort, examples),
        *find_image_sizes(features),
    ]
    class_count = len(np.unique(cohort.targets[cohort.targets >= 0]))
    strengths = measure_rules(cohort, features) if class_count > 1 else []
    findings += find_shortcuts(strengths)
    if strengths:
        findings += find_border_pixels(cohort)
        findings += find_file_order_leak(cohort, thumbnails)
    order = {"problem": 0, "warning": 1, "note": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    return DataCheck(cohort, tuple(findings), cohort.counts(), _rule_table(strengths), examples)


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


def _rule_figure(rules: "pd.DataFrame") -> Any:
    """Accuracy of each rule with its interval, and of the most frequent class as a line."""
    from firstread.core.figures import PALETTE, new_figure

    figure, axes = new_figure(1, 1, panel_width_inches=8.0, panel_height_inches=0.4 * len(rules) + 1.0)
    axis, positions = axes[0, 0], np.arange(len(rules))[::-1]
    distances = np.abs(np.stack([rules["accuracy"] - rules["low"], rules["high"] - rules["accuracy"]]))
    axis.errorbar(rules["accuracy"], positions, xerr=distances, fmt="o", color=PALETTE[0], capsize=4)
    axis.axvline(float(rules["accuracy"].iloc[0]), color=PALETTE[6], linestyle=":")
    axis.axvline(SHORTCUT_ACCURACY, color=PALETTE[1], linestyle="--")
    axis.set_yticks(positions, [name.removeprefix("rule: ") for name in rules["rule"]])
    axis.set_xlim(0, 1.02)
    axis.set_xlabel(
        "share of cases it gets right (95 % interval)\n"
        "dotted: always the most frequent class · dashed: called a shortcut from here on"
    )
    return figure


def _draw_examples(cohort: Cohort, cases: list[int]) -> Any:
    from firstread.core.figures import show_images

    shown = [cohort[i] for i in cases[:MAX_EXAMPLES]]
    return show_images([s.image() for s in shown], [f"{s.case}\n{s.split or ''}" for s in shown], columns=4)
