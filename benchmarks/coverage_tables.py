"""Tables of simulated coverage and of false findings, for docs/explanation/intervals.md."""

from typing import Any

from kept_results import format_table, load_newest

#: metric -> its name in a table that must be narrow
METRICS = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "PPV at 5%": "PPV at 5 %",
    "NPV at 5%": "NPV at 5 %",
    "F1": "F1",
    "AUC": "AUC",
    "partial AUC (specificity >= 0.8)": "partial AUC",
    "average precision": "average precision",
    "Brier score (lower is better)": "Brier",
}
MEASURES = ("slope", "intercept", "observed minus expected", "net benefit")


def interval_table() -> str:
    """Coverage of each metric's interval by design; the share of studies without one in brackets."""
    result = load_newest("coverage")[0]["intervals"]
    rows = [[design, *(_cell(values[name]) for name in METRICS)] for design, values in result.items()]
    return format_table(["", *METRICS.values()], rows)


def comparison_table() -> str:
    """How often one of two equal recipes is called better, by design and metric."""
    result = load_newest("coverage")[0]["comparisons"]
    metrics = list(next(iter(result.values())))
    rows = [
        [design, *(f"{values[name]['called better']:.1%}" for name in metrics)] for design, values in result.items()
    ]
    return format_table(["", *metrics], rows)


def class_table() -> str:
    """How often a class's page says "was better" where no group differs."""
    result = load_newest("coverage")[0]["classes"]
    designs = {name: values for name, values in result.items() if isinstance(values, dict)}
    names = ("was better", "an interval beyond zero")
    rows = [[design, *(f"{values[name]:.1%}" for name in names)] for design, values in designs.items()]
    return format_table(["", 'page says "was better"', "an uncorrected interval is beyond zero"], rows)


def calibration_table() -> str:
    """Coverage of the measures of calibration by design: calibrated / overconfident networks."""
    by_design: dict[tuple[Any, ...], dict[tuple[str, float], dict[str, Any]]] = {}
    for row in load_newest("calibration")[0]["rows"]:
        stretch = row["stretch"]
        design = tuple(row[name] for name in ("patients", "cases", "same_truth", "prevalence", "auc"))
        by_design.setdefault(design, {})[(row["measure"], stretch)] = row
    rows = []
    for design, cells in by_design.items():
        texts = []
        for measure in MEASURES:
            pair = [cells[(measure, stretch)] for stretch in (1.0, 2.0)]
            text = " / ".join("none" if one["coverage"] is None else f"{one['coverage']:.3f}" for one in pair)
            estimable = min(one["estimable"] for one in pair)
            texts.append(text if estimable > 0.995 else f"{text} ({1 - estimable:.0%} without)")
        patients, cases, same_truth, prevalence, auc = design
        size = f"{patients} cases" if cases == 1 else f"{patients} patients x {cases}"
        text = f"{size}{' of one class each' if same_truth else ''}, prevalence {prevalence}, AUC {auc}"
        rows.append([text, *texts])
    return format_table(["", *MEASURES], rows)


def _cell(values: dict[str, Any]) -> str:
    if values["coverage"] is None:
        return "none"
    text = f"{values['coverage']:.3f}"
    return text if values["no interval"] < 0.005 else f"{text} ({values['no interval']:.0%} without)"
