"""Write the figures of the newest benchmarks into the documentation: its tables, and the learning curve that lesson 1 shows, too.

A page says where a table goes with a pair of comments, `<!-- table: NAME -->` and `<!-- end of table -->`.
Usage: python benchmarks/document.py, after `make bench`
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from firstread.core.figures import plot_learning_curve, png_bytes

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("docs/explanation/measured.md", "docs/explanation/bundled-weights.md")
PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
#: name in the benchmark -> name in the figure, in the order of the legend
WAYS = {
    "phantom, frozen, linear head": "phantom weights, frozen",
    "phantom, all weights trained": "phantom weights, all trained",
    "imagenet, frozen, linear head": "ImageNet weights, frozen",
    "imagenet, all weights trained": "ImageNet weights, all trained",
    "random, all weights trained": "random weights, all trained",
    "random, frozen, linear head": "random weights, frozen",
    "rule: 8x8 thumbnail": "rule: thumbnail of 8 x 8 pixels",
}
IN_FIGURE = [way for way in WAYS if way != "random, frozen, linear head"]


def newest(work: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the newest whole benchmark found of a work, and the machine it was found on."""
    for file in sorted((ROOT / "benchmarks" / "results").glob("*.json"), reverse=True):
        found = json.loads(file.read_text(encoding="utf-8"))
        if work in found and "skipped" not in found[work] and not found.get("quick"):
            return found[work], found["machine"]
    raise SystemExit(f'No result of "{work}" yet: run  make bench ARGS="--only {work}"')


def beside(work: str) -> str:
    """Speed beside the peers."""
    found, machine = newest(work)
    peaks = ", ".join(f"{v} in {k}" for k, v in machine["matrix_peak_gflop_per_second"].items())
    rows = [
        [
            name if name.startswith("firstread") else f"{name} ({row['framework']})",
            f"{row['seconds_training']:.1f}", f"{row['images_per_second']:.0f}",
            ", ".join(f"{p:.0%}" for p in row["share_of_peak_by_phase"].values()),
            f"{row['peak_memory_mb']:.0f}", f"{row['times_as_long_as_firstread']:.2f}",
        ]
        for name, row in sorted(found.items(), key=lambda item: item[1]["seconds_training"])
    ]  # fmt: skip
    head = [
        "",
        "seconds",
        "images a second",
        "share of the matrix peak, two phases",
        "peak memory, MB",
        "times as long",
    ]
    return (
        f"{_table(head, rows)}\n{machine['cpu']}, {machine['cores']} cores; a 4096 matrix product: {peaks} GFLOP/s.\n"
    )


def profile() -> str:
    """Where an epoch's seconds go, in each phase."""
    found, _ = newest("profile")
    phases = list(found.values())
    rows = [
        [kind, *(f"{phase['seconds'][kind]:.2f} ({phase['seconds'][kind] / phase['whole']:.0%})" for phase in phases)]
        for kind in phases[0]["seconds"]
    ]
    rows.append(["*whole epoch*", *(f"{phase['whole']:.2f}" for phase in phases)])
    for name in phases[0]["gflop_per_second"]:
        rows.append([f"{name}, GFLOP/s", *(phase["gflop_per_second"][name] or "" for phase in phases)])
    return _table(["seconds", *found], rows)


def few(kind: str) -> str:
    """Accuracy after few training images, mean of the seeds with its interval."""
    found, _ = newest("few")
    columns = {name: value for name, value in found.items() if name.startswith(kind)}
    rows = [
        [shown, *(_mean(value[way]) for value in columns.values())]
        for way, shown in WAYS.items()
        if way in next(iter(columns.values()))
    ]
    for name in ("frozen phantom minus trained from random", "trained phantom minus trained from random"):
        rows.append([f"*{name}*", *(_mean(value[name], sign=True) for value in columns.values())])
    return _table([kind, *(name.split(", ")[1] for name in columns)], rows)


def accuracy() -> str:
    """Accuracy on published images beside the best trivial rule."""
    rows = []
    for work in ("openi", "rsna", "rsna-bundled", "transfer", "transfer-six"):
        for name, value in newest(work)[0].items():
            network = value["comparison"][0]
            rule = max(value["comparison"][1:], key=lambda row: row["accuracy"])
            auc = (
                f"{network['AUC']:.4f} [{network['AUC low']:.4f}, {network['AUC high']:.4f}]" if network["AUC"] else ""
            )
            of_rule = (
                f"{rule['name'].removeprefix('rule: ')} {rule['accuracy']:.3f} [{rule['low']:.3f}, {rule['high']:.3f}]"
            )
            rows.append(
                [name, f"{network['accuracy']:.3f} [{network['low']:.3f}, {network['high']:.3f}]", auc, of_rule,
                 ", ".join(f"{one:.3f}" for one in value["accuracy_by_seed"])]
            )  # fmt: skip
    return _table(["", "accuracy", "AUC", "best trivial rule, its accuracy", "by seed"], rows)


def outcome() -> str:
    """Seconds of training to a cross-validated accuracy."""
    found, _ = newest("outcome")
    rows = [
        [row["framework"], f"{row['seconds_training']:.1f}", f"{row['cross_validated_accuracy']:.3f} of {row['cases']}", row["peak_memory_mb"]]
        for row in found.values()
        if isinstance(row, dict)
    ]  # fmt: skip
    return _table(["", "seconds of training, median of folds", "cross-validated accuracy", "peak memory, MB"], rows)


def plain(work: str) -> str:
    """Name and figure."""
    found, _ = newest(work)
    if all(isinstance(row, dict) for row in found.values()):
        heads = list(next(iter(found.values())))
        return _table(
            ["", *(h.replace("_", " ") for h in heads)],
            [[name, *(row[h] for h in heads)] for name, row in found.items()],
        )
    return _table(["", ""], [[name.replace("_", " "), row] for name, row in found.items()])


def classroom() -> str:
    """Many through lesson 1 on one machine, beside what a class asks of it."""
    found, machine = newest("classroom")
    whole = found["rehearsal"]
    asked = {
        "in the lesson": (f"{whole['joined']} of {whole['participants']}", "all"),
        "the last stood in the lesson after": (f"{whole['seconds_to_join']['longest']:.0f} s", "90 s"),
        "first cell answered, median and longest": (
            f"{whole['seconds_to_first_cell']['median']:.1f} s, {whole['seconds_to_first_cell']['longest']:.1f} s", "",
        ),
        "at the end of lesson 1": (f"{whole['finished']} of {whole['participants']}", "all"),
        "all at the end after": (f"{whole['minutes_of_lesson']:.0f} min", f"{whole['minutes_planned']:.0f} min"),
        "memory, most": (f"{whole['memory_mb'] * 2**20 / 1e9:.1f} GB", "18 GB"),
        "from a cell to the instructor's board, 95th percentile": (f"{whole['board_seconds']['95th percentile']:.2f} s", "2 s"),
        "cells run; lost; doubled": (f"{whole['told']}; {whole['lost']}; {whole['doubled']}", "0 lost, 0 doubled"),
    }  # fmt: skip
    rows = [[name, *values] for name, values in asked.items()]
    return f"{_table(['', 'measured', 'asked'], rows)}\n{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB.\n"


def arrival() -> str:
    """Some who come at the same moment, here and at a plain hub."""
    found, _ = newest("arrival")
    name, both = next(iter(found.items()))
    rows = [
        [who, *(f"{row[part]['median']:.1f}, {row[part]['longest']:.1f}" for part in ("seconds until the server", "seconds until the first cell")),
         f"{row['memory_mb_each']}"]
        for who, row in both.items()
    ]  # fmt: skip
    head = [
        name,
        "seconds until the server, median and longest",
        "then until the first cell with torch",
        "memory, MB each",
    ]
    return _table(head, rows)


TABLES: dict[str, Callable[[], str]] = {
    "hello-world": lambda: beside("hello-world"),
    "mednist": lambda: beside("mednist"),
    "profile": profile,
    "outcome": outcome,
    "queue": lambda: plain("queue"),
    "lesson": lambda: plain("lesson"),
    "start": lambda: plain("start"),
    "phantoms": lambda: plain("phantoms"),
    "accuracy": accuracy,
    "classroom": classroom,
    "arrival": arrival,
    "few-rsna": lambda: few("mednist/rsna"),
    "few-openi": lambda: few("hello-world/openi"),
}


def main() -> None:
    """Write the tables, docs/images/learning-curve.png and lessons/01-hello-world/learning-curve.csv."""
    curve = pd.DataFrame(_curve_rows())
    curve.to_csv(ROOT / "lessons" / "01-hello-world" / "learning-curve.csv", index=False)
    title = "Five kinds of published images, read after few of them"
    (ROOT / "docs" / "images" / "learning-curve.png").write_bytes(png_bytes(plot_learning_curve(curve, title=title)))
    for page in PAGES:
        file = ROOT / page
        text = file.read_text(encoding="utf-8")
        file.write_text(PLACE.sub(lambda m: f"{m[1]}{TABLES[m[2]]()}{m[3]}", text), encoding="utf-8")


def _curve_rows() -> list[dict[str, Any]]:
    return [
        {"way": WAYS[way], "images": int(name.split()[1]), "mean": ways[way]["mean"]}
        | dict(zip(("low", "high"), _possible(ways[way]), strict=True))
        for name, ways in newest("few")[0].items()
        if name.startswith("mednist/rsna")
        for way in IN_FIGURE
        if way in ways
    ]


def _mean(value: dict[str, float], *, sign: bool = False) -> str:
    form = "+.3f" if sign else ".3f"
    low, high = (value["low"], value["high"]) if sign else _possible(value)
    return f"{value['mean']:{form}} [{low:{form}}, {high:{form}}]"


def _possible(value: dict[str, float]) -> tuple[float, float]:
    """Student's interval of a share may reach beyond what a share can be."""
    return max(value["low"], 0.0), min(value["high"], 1.0)


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines) + "\n"


if __name__ == "__main__":
    main()
