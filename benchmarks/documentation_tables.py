"""Write the newest benchmark results into the documentation: its tables, and the learning curve of lesson 1.

A table is placed between the comments `<!-- table: NAME -->` and `<!-- end of table -->`.
Usage: python benchmarks/documentation_tables.py, after `make bench`
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from burned_in_text_tables import clean_table, recall_table
from coverage_tables import calibration_table, class_table, comparison_table, interval_table
from curation_tables import faults_table, stacks_table
from curves_tables import groups_table, lesson_2_table, losses_table, rules_table
from deidentification_tables import score_table
from deidentification_tables import speed_table as deidentification_speed_table
from few_shot_tables import curve_rows, few_shot_table
from firstread.core.figures import plot_learning_curve, png_bytes
from firstread.evaluation.intervals import wilson_interval
from kept_results import ROOT, cases_by_class, format_table, load_newest

NAMES = ("measured", "bundled-weights", "intervals", "phantoms", "deidentification", "burned-in-text", "curation")
PAGES = tuple(f"docs/explanation/{name}.md" for name in NAMES)
TABLE_BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def speed_table(benchmark: str) -> str:
    """Table of training speed compared with the peers."""
    result, machine = load_newest(benchmark)
    peaks = ", ".join(f"{v} in {k}" for k, v in machine["matrix_peak_gflop_per_second"].items())
    rows = [
        [
            name if name.startswith("firstread") else f"{name} ({row['framework']})",
            f"{row['seconds_training']:.1f}",
            f"{row['images_per_second']:.0f}",
            ", ".join(f"{p:.0%}" for p in row["share_of_peak_by_phase"].values()),
            f"{row['peak_memory_mb']:.0f}",
            f"{row['times_as_long_as_firstread']:.2f}",
        ]
        for name, row in sorted(result.items(), key=lambda item: item[1]["seconds_training"])
    ]
    header = [
        "",
        "seconds",
        "images a second",
        "share of the matrix peak, two phases",
        "peak memory, MB",
        "times as long",
    ]
    table = format_table(header, rows)
    return f"{table}\n{machine['cpu']}, {machine['cores']} cores; a 4096 matrix product: {peaks} GFLOP/s.\n"


def profile_table() -> str:
    """Table of an epoch's seconds by kind of operation, in each phase."""
    result, _ = load_newest("profile")
    phases = list(result.values())
    rows = [
        [kind, *(f"{phase['seconds'][kind]:.2f} ({phase['seconds'][kind] / phase['whole']:.0%})" for phase in phases)]
        for kind in phases[0]["seconds"]
    ]
    rows.append(["*whole epoch*", *(f"{phase['whole']:.2f}" for phase in phases)])
    for name in phases[0]["gflop_per_second"]:
        rows.append([f"{name}, GFLOP/s", *(phase["gflop_per_second"][name] or "" for phase in phases)])
    return format_table(["seconds", *result], rows)


def accuracy_table() -> str:
    """Table of accuracy on published images, with the best trivial rule."""
    rows = []
    for benchmark in ("openi", "rsna", "rsna-bundled", "transfer", "transfer-six"):
        rows += [_accuracy_row(name, value) for name, value in load_newest(benchmark)[0].items()]
    return format_table(["", "accuracy", "AUC", "best trivial rule, its accuracy", "by seed"], rows)


def _accuracy_row(name: str, value: dict[str, Any]) -> list[str]:
    network = value["comparison"][0]
    rule = max(value["comparison"][1:], key=lambda row: row["accuracy"])
    auc = ""
    if network["AUC"]:
        low = network["AUC low"]
        if network["AUC"] == 1:  # perfect: as sure as the smaller class allows, see docs/explanation/intervals.md
            smaller = min(cases_by_class(value))
            low = min(low, wilson_interval(smaller, smaller).low)
        auc = f"{network['AUC']:.4f} [{low:.4f}, {network['AUC high']:.4f}]"
    accuracy = f"{network['accuracy']:.3f} [{network['low']:.3f}, {network['high']:.3f}]"
    rule_accuracy = f"{rule['accuracy']:.3f} [{rule['low']:.3f}, {rule['high']:.3f}]"
    best_rule = f"{rule['name'].removeprefix('rule: ')} {rule_accuracy}"
    return [name, accuracy, auc, best_rule, ", ".join(f"{seed:.3f}" for seed in value["accuracy_by_seed"])]


def outcome_table() -> str:
    """Table of the seconds to a target accuracy; of a result from before that was measured, of two recipes' seconds."""
    result, _ = load_newest("outcome")
    if "trainings" not in result:
        return _recipes_table(result)
    limit = f"not within {result['limit_seconds'] / 60:.0f} min"
    rows = [
        [
            f"{name} ({row['framework']})",
            ", ".join(limit if seconds is None else f"{seconds:.1f}" for seconds in row["seconds_to_target"]),
            ", ".join(str(epochs) for epochs in row["epochs"]),
            ", ".join(f"{accuracy:.3f}" for accuracy in row["best_accuracy"]),
            row["peak_memory_mb"],
        ]
        for name, row in result["trainings"].items()
    ]
    header = [
        f"{result['images']} images, {min(result['held_out_images'])} or more held out",
        f"seconds until {result['target_accuracy']} of the held-out images are right, by seed",
        "epochs trained",
        "best accuracy on them",
        "peak memory, MB",
    ]
    return format_table(header, rows)


def _recipes_table(result: dict[str, Any]) -> str:
    """Table of training seconds and cross-validated accuracy of two recipes, each at its end."""
    rows = []
    for row in result.values():
        if isinstance(row, dict):
            right = round(row["cross_validated_accuracy"] * row["cases"])
            estimate = wilson_interval(right, row["cases"])
            accuracy = f"{estimate} ({right} of {row['cases']}, one seed)"
            rows.append([row["framework"], f"{row['seconds_training']:.1f}", accuracy, row["peak_memory_mb"]])
    header = ["", "seconds of training, median of folds", "cross-validated accuracy at the end", "peak memory, MB"]
    return format_table(header, rows)


def values_table(benchmark: str) -> str:
    """Table of names and values as they are in the result."""
    result, _ = load_newest(benchmark)
    if all(isinstance(row, dict) for row in result.values()):
        columns = list(next(iter(result.values())))
        header = ["", *(column.replace("_", " ") for column in columns)]
        return format_table(header, [[name, *(row[column] for column in columns)] for name, row in result.items()])
    return format_table(["", ""], [[name.replace("_", " "), row] for name, row in result.items()])


def classroom_table() -> str:
    """Table of a class on one machine: measurements and requirements."""
    result, machine = load_newest("classroom")
    rehearsal = result["rehearsal"]
    first_cell = rehearsal["seconds_to_first_cell"]
    requirements = {
        "in the lesson": (f"{rehearsal['joined']} of {rehearsal['participants']}", "all"),
        "from the code to a server, median and longest": (
            f"{rehearsal['seconds_to_join']['median']:.1f} s, {rehearsal['seconds_to_join']['longest']:.1f} s",
            "90 s",
        ),
        "first cell answered, median and longest": (f"{first_cell['median']:.1f} s, {first_cell['longest']:.1f} s", ""),
        "at the end of lesson 1": (f"{rehearsal['finished']} of {rehearsal['participants']}", "all"),
        "all at the end after": (
            f"{rehearsal['minutes_of_lesson']:.0f} min",
            f"{rehearsal['minutes_planned']:.0f} min",
        ),
        "memory, most": (f"{rehearsal['memory_mb'] * 2**20 / 1e9:.1f} GB", "18 GB"),
        "from a cell to the instructor's board, 95th percentile": (
            f"{rehearsal['dashboard_seconds']['95th percentile']:.2f} s",
            "2 s",
        ),
        "cells run; lost; doubled": (
            f"{rehearsal['cells_run']}; {rehearsal['events_lost']}; {rehearsal['events_duplicated']}",
            "0 lost, 0 doubled",
        ),
    }
    table = format_table(["", "measured", "asked"], [[name, *values] for name, values in requirements.items()])
    return f"{table}\n{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB.\n"


def arrival_table() -> str:
    """Table of simultaneous logins at a firstread class and at a plain JupyterHub."""
    result, _ = load_newest("arrival")
    name, hubs = next(iter(result.items()))
    rows = [
        [
            hub,
            *(
                f"{row[part]['median']:.1f}, {row[part]['longest']:.1f}"
                for part in ("seconds until the server", "seconds until the first cell")
            ),
            f"{row['memory_mb_each']}",
        ]
        for hub, row in hubs.items()
    ]
    header = [
        name,
        "seconds until the server, median and longest",
        "then until the first cell with torch",
        "memory, MB each",
    ]
    return format_table(header, rows)


TABLES: dict[str, Callable[[], str]] = {
    "coverage": interval_table,
    "coverage-comparisons": comparison_table,
    "coverage-classes": class_table,
    "coverage-calibration": calibration_table,
    "hello-world": partial(speed_table, "hello-world"),
    "mednist": partial(speed_table, "mednist"),
    "profile": profile_table,
    "outcome": outcome_table,
    "queue": partial(values_table, "queue"),
    "lesson": partial(values_table, "lesson"),
    "start": partial(values_table, "start"),
    "phantoms": partial(values_table, "phantoms"),
    "accuracy": accuracy_table,
    "marker": partial(values_table, "marker"),
    "dataset-versions": partial(values_table, "dataset-versions"),
    "classroom": classroom_table,
    "arrival": arrival_table,
    "curves-groups": partial(groups_table, "curves"),
    "curves-groups-openi": partial(groups_table, "curves-openi"),
    "curves-rules": rules_table,
    "curves-losses": partial(losses_table, "curves"),
    "curves-mednist": lesson_2_table,
    "curves-losses-openi": partial(losses_table, "curves-openi"),
    "pixels-recall": recall_table,
    "pixels-clean": clean_table,
    "curation-faults": faults_table,
    "curation-stacks": stacks_table,
    "deidentification-score": score_table,
    "deidentification-speed": deidentification_speed_table,
    "few-rsna": partial(few_shot_table, "mednist/rsna", ("accuracy",)),
    "few-openi": partial(few_shot_table, "hello-world/openi", ("accuracy", "AUC")),
}


def main() -> None:
    """Write the tables, docs/images/learning-curve.png and lessons/01-hello-world/learning-curve.csv."""
    curve = pd.DataFrame(curve_rows())
    curve.to_csv(ROOT / "lessons" / "01-hello-world" / "learning-curve.csv", index=False)
    title = "Five kinds of published images, read after few of them"
    (ROOT / "docs" / "images" / "learning-curve.png").write_bytes(png_bytes(plot_learning_curve(curve, title=title)))
    for page in PAGES:
        file = ROOT / page
        text = file.read_text(encoding="utf-8")
        file.write_text(TABLE_BLOCK.sub(lambda m: f"{m[1]}{TABLES[m[2]]()}{m[3]}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
