"""The data check as text for a terminal or a notebook, and as a page with pictures."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.report import Report
from firstread.curation.checks import Finding, count_of
from firstread.curation.shortcut_checks import SHORTCUT_ACCURACY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: most example images that a page shows for one finding
MAX_EXAMPLES = 8
_TEXT_WIDTH = 88
_HEADINGS = {
    "problem": "Problems: results will be wrong",
    "warning": "Warnings: results may mislead",
    "note": "Notes",
}


def describe(cohort: Cohort, findings: Sequence[Finding], rules: "pd.DataFrame") -> str:
    """Findings and rules as text that is read without scrolling sideways."""
    lines = [f"Data check of {cohort.origin.name}: {count_of(len(cohort), 'image')}", ""]
    for finding in findings:
        lines += textwrap.wrap(
            finding.text,
            _TEXT_WIDTH,
            initial_indent=f"{finding.severity.upper():8s} ",
            subsequent_indent=" " * 9,
            break_long_words=False,
            break_on_hyphens=False,
        )
    if len(rules):
        lines += ["", f"How far trivial rules get ({rules['how'].iloc[-1]}, with 95 % interval):"]
        lines += [
            f"  {row['rule'].removeprefix('rule: '):24s} {row['accuracy']:6.1%}  [{row['low']:.1%}, {row['high']:.1%}]"
            for row in rules.to_dict("records")
        ]
    return "\n".join(lines)


def build_report(
    cohort: Cohort,
    findings: Sequence[Finding],
    counts: "pd.DataFrame",
    rules: "pd.DataFrame",
    examples: dict[str, list[str]],
) -> Report:
    """A page: findings by severity, example images, counts, and the trivial rules."""
    report = Report(f"Data check: {cohort.origin.name}", count_of(len(cohort), "image"))
    for severity, heading in _HEADINGS.items():
        texts = [finding.text for finding in findings if finding.severity == severity]
        if texts:
            report.add_heading(heading)
        for text in texts:
            report.add_text(text)
    for title, names in examples.items():
        figure = _draw_examples(cohort, names[:MAX_EXAMPLES])
        if figure is not None:
            report.add_heading(f"Examples: {title}")
            report.add_figure(figure, alt=title)
    report.add_heading("What is there")
    report.add_table(counts)
    if len(rules):
        report.add_heading("Trivial rules")
        report.add_text(
            "How well the classes can be told apart by something that is not anatomy, "
            f"{rules['how'].iloc[-1]} unless the column says otherwise."
        )
        report.add_figure(_draw_rules(rules), alt="accuracy of each trivial rule with its 95 % interval")
        report.add_table(_rule_columns(rules))
    return report


def _rule_columns(rules: "pd.DataFrame") -> "pd.DataFrame":
    """The table of rules in few columns."""
    import pandas as pd

    columns = {
        "rule": [name.removeprefix("rule: ") for name in rules["rule"]],
        "right": [f"{row['right']:,} of {row['cases']:,}" for row in rules.to_dict("records")],
        "accuracy": [f"{value:.1%}" for value in rules["accuracy"]],
    }
    for name in rules.columns:
        if name.startswith("fitted on train, "):
            columns[name] = rules[name].fillna("").tolist()
    return pd.DataFrame(columns)


def _draw_rules(rules: "pd.DataFrame") -> "Figure":
    """Accuracy of each rule with its interval."""
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


def _draw_examples(cohort: Cohort, names: Sequence[str]) -> "Figure | None":
    """Example images with their names; those that are gone since the check are left out, None if all are."""
    from firstread.core.figures import show_images

    images, titles = [], []
    for name in names:
        case = cohort.find(name)
        try:
            images.append(case.image())
        except (DataError, OSError):
            continue
        titles.append("\n".join(part for part in (case.case[-28:], case.split) if part))
    return show_images(images, titles, columns=4) if images else None
