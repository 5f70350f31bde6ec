"""Tables of curation: recall and precision by kind of fault, and how often plane, phase and kind are right."""

from typing import Any

from kept_results import format_table, load_newest


def faults_table() -> str:
    """Recall and precision of each kind of fault, with intervals."""
    result, _ = load_newest("curation")
    rows = [
        [
            name.replace("_", " "),
            row["planted"],
            _interval(row["recall"]),
            row["false"],
            _interval(row["precision"]),
        ]
        for name, row in result["faults"].items()
    ]
    header = ["planted", "places", "recall [95 % interval]", "reported elsewhere", "precision [95 % interval]"]
    return format_table(header, rows)


def stacks_table() -> str:
    """Share of stacks whose phase, plane and kind are surely wrong, or not known."""
    result, machine = load_newest("curation")
    rows = []
    for name in ("phase", "plane", "kind"):
        row = result[name]
        rows.append(
            [name, row["stacks"], *(_interval(row[key]) for key in ("confident_and_wrong", "unknown", "not_confident"))]
        )
    header = ["", "stacks", "confident and wrong", "unknown", "unknown or below 0.8"]
    speed = f"{result['series_per_second']} series a second on {machine['cores']} cores that others used as well."
    seed = f"{result['patients']} patients of seed {result['seed']}, grid {result['grid']}."
    return f"{format_table(header, rows)}\n{seed} {speed}\n"


def _interval(share: dict[str, Any]) -> str:
    if share["value"] is None:
        return "-"
    # an interval that touches 0 or 1 is rounded away from it
    low, high = (min(max(share[name], 0.0), 1.0) for name in ("low", "high"))
    return f"{share['value']:.3f} [{low:.3f}, {high:.3f}]"
