"""Tables of the lessons' curves, from their newest kept result."""

from typing import Any

from kept_results import format_table, load_newest

#: benchmark -> name of its data set
_DATASETS = {"curves": "hello-world", "curves-openi": "hello-world/openi"}


def groups_table(benchmark: str) -> str:
    """Table of the four groups of lesson 1 on one data set: means over seeds with their intervals."""
    groups: dict[str, Any] = load_newest(benchmark)[0]["groups"]
    columns = list(next(iter(groups.values())))
    rows = [[name, *(_format_mean(values[column], column) for column in columns)] for name, values in groups.items()]
    return format_table([f"{_DATASETS[benchmark]}, five seeds", *columns], rows)


def rules_table() -> str:
    """Table of the trivial rules on the phantoms of lesson 1 and on fresh ones."""
    rules: dict[str, dict[str, str]] = load_newest("curves")[0]["rules"]
    tests = list(rules)
    rows = [[name, *(rules[test][name] for test in tests)] for name in rules[tests[0]]]
    return format_table(["hello-world, accuracy", *tests], rows)


def losses_table(benchmark: str) -> str:
    """Table of validation loss before unfreezing and after each epoch of it, by seed and group."""
    rows = [
        [
            f"seed {row['seed']}, augmentation {row['augmentation']}, dropout {row['dropout']}",
            f"{row['validation loss before']:.3f}",
            ", ".join(f"{loss:.3f}" for loss in row["validation loss after"]),
        ]
        for row in load_newest(benchmark)[0]["rows"]
    ]
    return format_table([_DATASETS[benchmark], "validation loss, frozen", "after each unfrozen epoch"], rows)


def lesson_2_table() -> str:
    """Lesson 2 by seed: validation loss before and after each further epoch, and accuracy on the test cases."""
    accuracies = {
        "after one cycle": "test accuracy after one cycle",
        "at the end": "test accuracy at the end",
        "bundled weights, one cycle": "test accuracy with bundled weights after one cycle",
    }
    rows = [
        [
            f"seed {row['seed']}",
            f"{row['validation loss before']:.3f}",
            ", ".join(f"{loss:.3f}" for loss in row["validation loss after"]),
            *(f"{row[column]:.3f}" for column in accuracies.values()),
        ]
        for row in load_newest("curves-mednist")[0]["mednist"]
    ]
    return format_table(["mednist", "validation loss, one cycle", "after each further epoch", *accuracies], rows)


def _format_mean(value: dict[str, Any], column: str) -> str:
    low, high = max(value["low"], 0.0), value["high"]
    if column.startswith("accuracy"):
        high = min(high, 1.0)
    if value["low"] == value["high"]:
        return f"{value['mean']:.3f}, all seeds alike"
    return f"{value['mean']:.3f} [{low:.3f}, {high:.3f}]"
