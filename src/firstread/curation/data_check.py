"""`check_data`: what a careful radiologist and a sceptical statistician would want to know before any training."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.files import plain
from firstread.core.report import Report
from firstread.curation import duplicates
from firstread.curation.baselines import look
from firstread.curation.checks import (
    SHORTCUT_ACCURACY,
    Finding,
    find_blemishes,
    find_border_pixels,
    find_equals,
    find_imbalance,
    find_near_duplicates,
    find_order,
    find_series,
    find_shortcuts,
    find_sizes,
    find_stray_files,
)
from firstread.curation.shortcut_strength import Separation, measure_rules

if TYPE_CHECKING:
    import pandas as pd

#: how many pictures of a fault a page shows at most
SHOWN = 8


@dataclass(frozen=True)
class DataCheck:
    """The result of `check_data`.

    Attributes:
        cohort: what was checked.
        findings: worst first.
        counts: cases of each class in each split.
        shortcuts: one row a trivial rule: `rule`, `accuracy`, `low`, `high`, `right`, `cases`, and the same on held-out splits.
    """

    cohort: Cohort
    findings: tuple[Finding, ...]
    counts: "pd.DataFrame"
    shortcuts: "pd.DataFrame"
    _pictures: dict[str, list[int]] = field(default_factory=dict, repr=False)

    def of_kind(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def report(self) -> Report:
        """A page with the findings, pictures of them, and the table of rules."""
        report = Report(f"Data check: {self.cohort.origin.name}", f"{len(self.cohort)} images")
        report.add_heading("Findings")
        for finding in self.findings or (Finding("note", "none", "Nothing was found."),):
            report.add_text(f"{finding.severity.upper()} ({finding.kind}). {finding.text}")
        for kind, cases in self._pictures.items():
            report.add_heading(f"Examples: {kind}")
            report.add_figure(_sheet(self.cohort, cases), alt=kind)
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
        """The report, in place in a notebook."""
        return self.report()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        findings = [asdict(finding) for finding in self.findings]
        return plain(
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
    """Look for duplicates, leaks between splits, noise, marks, and rules that give the classes away.

    Why a radiologist should care: a network finds the easiest way to its label, and the easiest way is often not in the anatomy.

    Args:
        cohort: any cohort; labels and splits are used where there are any.

    Returns:
        Findings in sentences, tables, and a page with pictures.

    Raises:
        DataError: there are no images.
    """
    if not len(cohort):
        raise DataError("There are no images to check", where=cohort.origin.name)
    looks = look(cohort)
    thumbnails = np.stack([one.thumbnail for one in looks])
    groups = duplicates.groups_of_equals(duplicates.pixel_fingerprints(cohort))
    pictures: dict[str, list[int]] = {}
    findings = [
        *find_imbalance(cohort),
        *find_stray_files(cohort),
        *find_equals(cohort, groups, pictures),
        *find_near_duplicates(cohort, thumbnails, groups, pictures),
        *find_series(cohort, thumbnails),
        *find_blemishes(cohort, pictures),
        *find_sizes(cohort, looks),
    ]
    rules = measure_rules(cohort, looks) if len(np.unique(cohort.targets[cohort.targets >= 0])) > 1 else []
    findings += find_shortcuts(cohort, rules)
    if rules:
        findings += find_border_pixels(cohort)
        findings += find_order(cohort, thumbnails)
    order = {"problem": 0, "warning": 1, "note": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    return DataCheck(cohort, tuple(findings), cohort.counts(), _rule_table(rules), pictures)


def _rule_table(rules: list[Separation]) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for rule in rules:
        row: dict[str, Any] = {
            "rule": rule.name,
            "accuracy": rule.accuracy,
            "low": rule.low,
            "high": rule.high,
            "right": rule.right,
            "cases": rule.cases,
            "how": rule.how,
        }
        for split, (right, cases) in rule.held_out.items():
            row[f"fitted on train, {split}"] = f"{right} of {cases}"
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else ["rule", "accuracy", "low", "high", "right", "cases", "how"])


def _rule_figure(rules: "pd.DataFrame") -> Any:
    """Accuracy of each rule with its interval, beside that of the most frequent class."""
    from firstread.core.figures import PALETTE, new_figure

    figure, axes = new_figure(1, 1, width=8.0, height=0.4 * len(rules) + 1.0)
    axis, places = axes[0, 0], np.arange(len(rules))[::-1]
    spread = np.abs(np.stack([rules["accuracy"] - rules["low"], rules["high"] - rules["accuracy"]]))
    axis.errorbar(rules["accuracy"], places, xerr=spread, fmt="o", color=PALETTE[0], capsize=4)
    axis.axvline(float(rules["accuracy"].iloc[0]), color=PALETTE[6], linestyle=":")
    axis.axvline(SHORTCUT_ACCURACY, color=PALETTE[1], linestyle="--")
    axis.set_yticks(places, [name.removeprefix("rule: ") for name in rules["rule"]])
    axis.set_xlim(0, 1.02)
    axis.set_xlabel(
        "share of cases it gets right (95 % interval)\ndotted: always the most frequent class · dashed: called a shortcut from here on"
    )
    return figure


def _sheet(cohort: Cohort, cases: list[int]) -> Any:
    from firstread.core.figures import show_images

    shown = [cohort[i] for i in cases[:SHOWN]]
    return show_images([s.image() for s in shown], [f"{s.case}\n{s.split or ''}" for s in shown], columns=4)
