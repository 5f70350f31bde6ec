"""Write the tables of docs/explanation/capacity.md from benchmarks/capacity.toml and the Helm chart's values.

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
TABLE_BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
LABELS = {
    "first_load_mb": "first load of the notebook, MB",
    "second_load_mb": "every later load, MB",
    "idle_kb_minute": "sitting there, kB a minute",
    "notebook_mb": "notebook with its figures, MB",
    "home_mb": "home folder after lesson 1, MB",
    "image_data_mb": "what all share, MB",
    "events": "events of lesson 1",
    "database_kb": "database, kB",
    "memory_joined_mb": "memory after joining, MB",
    "memory_idle_mb": "memory with torch, MB",
    "memory_peak_mb": "memory at the peak of lesson 1, MB",
    "processor_seconds": "processor, seconds of lesson 1",
}
#: measurements that need a rehearsal on one machine; missing ones are listed on the page
REHEARSAL_LABELS = {
    "plain.memory_mb": "memory a participant among 20, plain start, MB",
    "forked.memory_mb": "memory a participant among 100, forked servers, MB",
    "forked.processor_seconds": "processor, seconds a participant among 100, trainings in line",
    "hub.memory_mb": "memory of hub, proxy and service with 100 participants, MB",
}
#: share of a node's memory that its operating system leaves, and memory of the cluster's own pods on it
USABLE_MEMORY_SHARE, SYSTEM_GIB = 0.9, 1.0
NODES = ((4, 16), (8, 32), (16, 64), (32, 128), (64, 256))
CLASS_SIZES = (20, 50, 100, 300, 1_000, 3_000, 10_000)
#: all participants open the notebook within this time
RUSH_SECONDS = 120
LESSON_MINUTES = 45
#: cores and memory in GiB of the nodes in the table of class sizes
NODE = (16, 64)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def load_measurements() -> dict[str, Any]:
    """Load capacity.toml: name -> value and how it was measured; names of nested tables are joined by a dot."""
    tables = tomllib.loads((ROOT / "benchmarks" / "capacity.toml").read_text(encoding="utf-8"))
    flat = {}
    for name, row in tables.items():
        parts = {name: row} if "value" in row else {f"{name}.{part}": inner for part, inner in row.items()}
        flat.update(parts)
    return flat


def load_guarantees() -> tuple[float, float]:
    """Guaranteed memory in GiB and CPU cores of each participant's pod, from values.yaml."""
    single = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "values.yaml").read_text(encoding="utf-8"))["singleuser"]
    number, unit = re.fullmatch(r"([\d.]+)([KMGT]?)", str(single["memory"]["guarantee"])).groups()
    return float(number) * _UNITS[unit] / 2**30, float(single["cpu"]["guarantee"])


def participants_per_node(cores: int, memory_gib: int) -> int:
    """Number of pods that the scheduler places on a node, limited by memory or cores."""
    return min(_pods_by_limit(cores, memory_gib))


def _pods_by_limit(cores: int, memory_gib: int) -> tuple[int, int]:
    """Number of pods that fit into a node's memory, and into its cores."""
    guaranteed_gib, guaranteed_cores = load_guarantees()
    return int((memory_gib * USABLE_MEMORY_SHARE - SYSTEM_GIB) / guaranteed_gib), int(cores / guaranteed_cores)


def inputs_table(measurements: Mapping[str, Any]) -> str:
    """Table of all measurements, and a list of the missing ones."""
    labels = {**LABELS, **REHEARSAL_LABELS}
    rows = [
        [label, f"{measurements[name]['value']:g}", measurements[name]["how"]]
        for name, label in labels.items()
        if name in measurements
    ]
    missing = [label for name, label in labels.items() if name not in measurements]
    note = f"\nNot measured yet, and therefore in no table: {'; '.join(missing)}.\n" if missing else ""
    return _format_table(["one participant", "", "measured with"], rows) + note


def nodes_table(_: Mapping[str, Any]) -> str:
    """Table of participants per node."""
    rows = []
    for cores, memory_gib in NODES:
        by_memory, by_cores = _pods_by_limit(cores, memory_gib)
        rows.append([f"{cores} cores, {memory_gib} GiB", by_memory, by_cores, f"**{min(by_memory, by_cores)}**"])
    return _format_table(["node", "by memory", "by cores", "participants"], rows)


def class_sizes_table(measurements: Mapping[str, Any]) -> str:
    """Table of the total resources for each class size."""
    value = {name: row["value"] for name, row in measurements.items()}
    per_node = participants_per_node(*NODE)
    rows = []
    for count in CLASS_SIZES:
        opening = count * value["first_load_mb"] * 8 / RUSH_SECONDS
        running = count * (value["idle_kb_minute"] / 1e3 + value["notebook_mb"] / LESSON_MINUTES) * 8 / 60
        rows.append(
            [
                f"{count:,}",
                -(-count // per_node),
                f"{opening:,.0f}",
                f"{running:,.1f}",
                f"{count * value['home_mb'] / 1e3:,.1f}",
                f"{count * value['database_kb'] / 1e3:,.1f}",
                f"{count * value['events'] / (LESSON_MINUTES * 60):,.1f}",
            ]
        )
    header = [
        "participants",
        f"nodes of {NODE[0]} cores, {NODE[1]} GiB",
        "Mbit/s, all opening",
        "Mbit/s, in the lesson",
        "homes, GB",
        "database, MB",
        "events a second",
    ]
    return _format_table(header, rows)


TABLES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "inputs": inputs_table,
    "nodes": nodes_table,
    "classes": class_sizes_table,
}


def main() -> None:
    """Write the page's tables."""
    measurements = load_measurements()
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE_BLOCK.sub(lambda m: f"{m[1]}{TABLES[m[2]](measurements)}{m[3]}", text), encoding="utf-8")


def _format_table(header: list[str], rows: list[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n" + "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines) + "\n"


if __name__ == "__main__":
    main()
