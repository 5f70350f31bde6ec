"""Write the tables of docs/explanation/capacity.md from benchmarks/capacity.toml and the values of the chart.

Usage: python benchmarks/capacity.py
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "capacity.md"
PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
LABELS = {
    "first_load_mb": "first load of the notebook, MB", "second_load_mb": "every later load, MB", "idle_kb_minute": "sitting there, kB a minute",
    "notebook_mb": "notebook with its figures, MB", "home_mb": "home folder after lesson 1, MB", "image_data_mb": "what all share, MB",
    "events": "events of lesson 1", "database_kb": "database, kB", "memory_joined_mb": "memory after joining, MB",
    "memory_idle_mb": "memory with torch, MB", "memory_peak_mb": "memory at the peak of lesson 1, MB", "processor_seconds": "processor, seconds of lesson 1",
}  # fmt: skip
#: what the sheet would like to know and only a rehearsal on one machine can say
WANTED = {
    "plain.memory_mb": "memory a participant among 20, plain start, MB", "forked.memory_mb": "memory a participant among 100, forked servers, MB",
    "forked.processor_seconds": "processor, seconds a participant among 100, trainings in line",
    "hub.memory_mb": "memory of hub, proxy and service with 100 participants, MB",
}  # fmt: skip
#: a share of a node's memory that its own system does not take, and what the cluster's pods on it take
USABLE, SYSTEM_GIB = 0.9, 1.0
NODES = ((4, 16), (8, 32), (16, 64), (32, 128), (64, 256))
CLASSES = (20, 50, 100, 300, 1_000, 3_000, 10_000)
#: all open the notebook within so many seconds; the plan's minutes; the node that the last table counts
RUSH_SECONDS, LESSON_MINUTES, NODE = 120, 45, (16, 64)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def measured() -> dict[str, Any]:
    """Name -> value and how, tables within tables joined by a dot."""
    found = tomllib.loads((ROOT / "benchmarks" / "capacity.toml").read_text(encoding="utf-8"))
    flat = {}
    for name, row in found.items():
        parts = {name: row} if "value" in row else {f"{name}.{part}": inner for part, inner in row.items()}
        flat.update(parts)
    return flat


def guaranteed() -> tuple[float, float]:
    """Memory in GiB and cores that the scheduler keeps for each participant, from values.yaml."""
    single = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "values.yaml").read_text(encoding="utf-8"))["singleuser"]
    number, unit = re.fullmatch(r"([\d.]+)([KMGT]?)", str(single["memory"]["guarantee"])).groups()
    return float(number) * _UNITS[unit] / 2**30, float(single["cpu"]["guarantee"])


def participants(cores: int, memory_gib: int) -> int:
    """How many pods the scheduler places on a node: memory or cores, whichever ends first."""
    memory, processor = guaranteed()
    return min(int((memory_gib * USABLE - SYSTEM_GIB) / memory), int(cores / processor))


def inputs(found: Mapping[str, Any]) -> str:
    """What was measured, and what was not yet."""
    rows = [[LABELS[name], f"{found[name]['value']:g}", found[name]["how"]] for name in LABELS if name in found]
    rows += [
        [label, f"{found[name]['value']:g}", found[name]["how"]] for name, label in WANTED.items() if name in found
    ]
    missing = [label for name, label in {**LABELS, **WANTED}.items() if name not in found]
    note = f"\nNot measured yet, and therefore in no table: {'; '.join(missing)}.\n" if missing else ""
    return _table(["one participant", "", "measured with"], rows) + note


def nodes(_: Mapping[str, Any]) -> str:
    """Participants a node."""
    memory, processor = guaranteed()
    rows = [
        [
            f"{cores} cores, {gib} GiB",
            int((gib * USABLE - SYSTEM_GIB) / memory),
            int(cores / processor),
            f"**{participants(cores, gib)}**",
        ]
        for cores, gib in NODES
    ]
    return _table(["node", "by memory", "by cores", "participants"], rows)


def classes(found: Mapping[str, Any]) -> str:
    """What a class of each size needs in all."""
    value = {name: row["value"] for name, row in found.items()}
    a_node = participants(*NODE)
    rows = []
    for count in CLASSES:
        megabits = count * value["first_load_mb"] * 8 / RUSH_SECONDS
        idle = count * (value["idle_kb_minute"] / 1e3 + value["notebook_mb"] / LESSON_MINUTES) * 8 / 60
        rows.append(
            [f"{count:,}", -(-count // a_node), f"{megabits:,.0f}", f"{idle:,.1f}", f"{count * value['home_mb'] / 1e3:,.1f}",
             f"{count * value['database_kb'] / 1e3:,.1f}", f"{count * value['events'] / (LESSON_MINUTES * 60):,.1f}"]
        )  # fmt: skip
    head = [
        "participants",
        f"nodes of {NODE[0]} cores, {NODE[1]} GiB",
        "Mbit/s, all opening",
        "Mbit/s, in the lesson",
        "homes, GB",
        "database, MB",
        "events a second",
    ]
    return _table(head, rows)


TABLES: dict[str, Callable[[Mapping[str, Any]], str]] = {"inputs": inputs, "nodes": nodes, "classes": classes}


def main() -> None:
    """Write the page's tables."""
    found = measured()
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda m: f"{m[1]}{TABLES[m[2]](found)}{m[3]}", text), encoding="utf-8")


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines) + "\n"


if __name__ == "__main__":
    main()
