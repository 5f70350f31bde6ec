"""Benchmark results as tables in the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table


def print_tables(results: dict[str, Any], console: Console) -> None:
    """Print all results: speed with the peers, accuracy with the best trivial rule, all else as name and value."""
    console.print(results["machine"])
    accuracy_table = Table("accuracy on published images", "accuracy", "AUC", "best trivial rule", "seeds")
    for benchmark, value in results.items():
        if not isinstance(value, dict) or benchmark == "machine":
            continue
        rows = {name: row for name, row in value.items() if isinstance(row, dict)}
        if any("times_as_long_as_firstread" in row for row in rows.values()):
            _print_speed(benchmark, rows, console)
        elif any("comparison" in row for row in rows.values()):
            for name, row in rows.items():
                _add_accuracy_row(accuracy_table, name, row)
        elif any("mean" in inner for row in rows.values() for inner in row.values() if isinstance(inner, dict)):
            _print_few_shot(rows, console)
        else:
            _print_values(benchmark, value, console)
    if accuracy_table.rows:
        console.print(accuracy_table)


def _print_values(benchmark: str, values: dict[str, Any], console: Console) -> None:
    table = Table(benchmark, "")
    for name, value in values.items():
        text = value if not isinstance(value, dict) else ", ".join(f"{k} {v}" for k, v in value.items())
        table.add_row(name, str(text))
    console.print(table)


def _print_speed(benchmark: str, rows: dict[str, Any], console: Console) -> None:
    title = f"{benchmark}: the same architecture, images, epochs and augmentation"
    table = Table("", "seconds", "images/s", "peak memory", "times as long", "share of matrix peak", title=title)
    for name, row in rows.items():
        share = ", ".join(f"{phase} {part:.0%}" for phase, part in row["share_of_peak_by_phase"].items())
        table.add_row(
            f"{name} ({row['framework']})",
            f"{row['seconds_training']:.1f}",
            f"{row['images_per_second']:.1f}",
            f"{row['peak_memory_mb']:.0f} MB",
            f"{row['times_as_long_as_firstread']:.2f}",
            share,
        )
    console.print(table)


def _add_accuracy_row(table: Table, name: str, row: dict[str, Any]) -> None:
    network = row["comparison"][0]
    rule = max(row["comparison"][1:], key=lambda rule: rule["accuracy"])
    auc = f"{network['AUC']:.4f} [{network['AUC low']:.4f}, {network['AUC high']:.4f}]" if network["AUC"] else ""
    table.add_row(
        name,
        f"{network['accuracy']:.4f} [{network['low']:.4f}, {network['high']:.4f}]",
        auc,
        f"{rule['name']} {rule['accuracy']:.4f}",
        str(row["seeds"]),
    )


def _print_few_shot(rows: dict[str, Any], console: Console) -> None:
    rows = {name: row for name, row in rows.items() if not name.endswith(", tested")}
    names = [name for name in next(iter(rows.values())) if not name.startswith("rule: ")]
    table = Table("few training images", *rows)
    for name in [*names, "rule: 8x8 thumbnail"]:
        cells = [row.get(name) for row in rows.values()]
        table.add_row(name, *(f"{c['mean']:.3f} [{c['low']:.3f}, {c['high']:.3f}]" if c else "" for c in cells))
    console.print(table)
