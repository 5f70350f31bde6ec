"""Tables and learning curve of the few-shot benchmark, from its newest kept result."""

from collections.abc import Sequence
from typing import Any

from firstread.evaluation.intervals import wilson_interval
from kept_results import cases_by_class, format_table, load_newest

#: training method: name in the benchmark -> label in the figure, in the order of the legend
METHODS = {
    "phantom, frozen, linear head": "phantom weights, frozen",
    "phantom, all weights trained": "phantom weights, all trained",
    "imagenet, frozen, linear head": "ImageNet weights, frozen",
    "imagenet, all weights trained": "ImageNet weights, all trained",
    "random, all weights trained": "random weights, all trained",
    "random, frozen, linear head": "random weights, frozen",
    "rule: 8x8 thumbnail": "rule: thumbnail of 8 x 8 pixels",
}
#: a mean from here on is printed as 1.000
ROUNDED_TO_ONE = 0.9995
LIMIT_NOTE = (
    "\\* Next to no spread between the draws, so that no interval can be made of it: Wilson's bound for as many test "
    "images as there are (accuracy), or for those of the smaller class (AUC), as if all were right."
)
METHODS_IN_FIGURE = [method for method in METHODS if method != "random, frozen, linear head"]


def few_shot_table(dataset: str, metrics: Sequence[str]) -> str:
    """Table of accuracy, AUC or both after few training images: mean over draws with its interval."""
    result, _ = load_newest("few")
    columns = {
        name: value for name, value in result.items() if name.startswith(dataset) and name.split(", ")[-1] in metrics
    }
    cases = {name: _cases_at_limit(result, name) for name in columns}
    rows = [
        [label, *(_format_mean(value[method], cases=cases[name]) for name, value in columns.items())]
        for method, label in METHODS.items()
        if method in next(iter(columns.values()))
    ]
    for name in ("frozen phantom minus trained from random", "trained phantom minus trained from random"):
        rows.append([f"*{name}*", *(_format_mean(value[name], sign=True) for value in columns.values())])
    table = format_table([dataset, *(name.removeprefix(f"{dataset}, ") for name in columns)], rows)
    return f"{table}\n{LIMIT_NOTE}\n" if "\\*" in table else table


def _cases_at_limit(few: dict[str, Any], column: str) -> int | None:
    """Test cases that bound a perfect result: all for accuracy, those of the smaller class for the AUC.

    Of a result that keeps no counts, those of hello-world/openi follow from its cross-validation; others are unknown.
    """
    name, metric = column.rsplit(", ", 1)
    tested = few.get(f"{name}, tested")
    if tested:
        by_class = [min(draw[label] for draw in tested["cases"]) for label in tested["cases"][0]]
    elif name.startswith("hello-world/openi"):
        cross_validated = next(iter(load_newest("openi")[0].values()))
        by_class = [count - int(name.split()[1]) // 2 for count in cases_by_class(cross_validated)]
    else:
        return None
    return min(by_class) if metric == "AUC" else sum(by_class)


def curve_rows() -> list[dict[str, Any]]:
    rows = []
    for name, summary in load_newest("few")[0].items():
        if not (name.startswith("mednist/rsna") and name.endswith(", accuracy")):
            continue
        for method in METHODS_IN_FIGURE:
            if method not in summary:
                continue
            low, high = _clip_interval(summary[method])
            mean = summary[method]["mean"]
            rows.append(
                {"way": METHODS[method], "images": int(name.split()[1]), "mean": mean, "low": low, "high": high}
            )
    return rows


def _format_mean(value: dict[str, float], *, sign: bool = False, cases: int | None = None) -> str:
    """Mean and interval as text; a mean that is 1.000 has Wilson's bound for `cases` and a star, not [1.000, 1.000]."""
    form = "+.3f" if sign else ".3f"
    low, high = (value["low"], value["high"]) if sign else _clip_interval(value)
    if not sign and value["mean"] >= ROUNDED_TO_ONE:
        if cases is None:
            return f"{value['mean']:{form}} (no interval)"
        return f"{value['mean']:{form}} [{min(low, wilson_interval(cases, cases).low):{form}}, 1.000]\\*"
    return f"{value['mean']:{form}} [{low:{form}}, {high:{form}}]"


def _clip_interval(value: dict[str, float]) -> tuple[float, float]:
    """Clip an interval to [0, 1]: Student's interval of a share may exceed it."""
    return max(value["low"], 0.0), min(value["high"], 1.0)
