"""The figures that matter, as tables in the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table


def show(found: dict[str, Any], console: Console) -> None:
    """Every work that was measured: speed beside peers, accuracy beside trivial rules, and the rest as name and figure."""
    console.print(found["machine"])
    accuracies = Table("accuracy on published images", "accuracy", "AUC", "best trivial rule", "seeds")
    for work, value in found.items():
        if not isinstance(value, dict) or work == "machine":
            continue
        rows = {name: row for name, row in value.items() if isinstance(row, dict)}
        if any("times_as_long_as_firstread" in row for row in rows.values()):
            _show_beside(work, rows, console)
        elif any("comparison" in row for row in rows.values()):
            for name, row in rows.items():
                _add_accuracy(accuracies, name, row)
        elif any("mean" in inner for row in rows.values() for inner in row.values() if isinstance(inner, dict)):
            _show_few(rows, console)
        else:
            table = Table(work, "")
            for name, row in value.items():
                told = row if not isinstance(row, dict) else ", ".join(f"{k} {v}" for k, v in row.items())
                table.add_row(name, str(told))
            console.print(table)
    if accuracies.rows:
        console.print(accuracies)


def _show_beside(work: str, rows: dict[str, Any], console: Console) -> None:
    title = f"{work}: the same architecture, images, epochs and augmentation"
    table = Table("", "seconds", "images/s", "peak memory", "times as long", "share of matrix peak", title=title)
    for name, row in rows.items():
        share = ", ".join(f"{phase} {part:.0%}" for phase, part in row["share_of_peak_by_phase"].items())
        table.add_row(
            f"{name} ({row['framework']})", f"{row['seconds_training']:.1f}", f"{row['images_per_second']:.1f}",
            f"{row['peak_memory_mb']:.0f} MB", f"{row['times_as_long_as_firstread']:.2f}", share,
        )  # fmt: skip
    console.print(table)


def _add_accuracy(table: Table, name: str, row: dict[str, Any]) -> None:
    network = row["comparison"][0]
    rule = max(row["comparison"][1:], key=lambda one: one["accuracy"])
    auc = f"{network['AUC']:.4f} [{network['AUC low']:.4f}, {network['AUC high']:.4f}]" if network["AUC"] else ""
    table.add_row(
        name, f"{network['accuracy']:.4f} [{network['low']:.4f}, {network['high']:.4f}]", auc,
        f"{rule['name']} {rule['accuracy']:.4f}", str(row["seeds"]),
    )  # fmt: skip


def _show_few(rows: dict[str, Any], console: Console) -> None:
    names = [name for name in next(iter(rows.values())) if not name.startswith("rule: ")]
    table = Table("few training images", *rows)
    for name in [*names, "rule: 8x8 thumbnail"]:
        cells = [row.get(name) for row in rows.values()]
        table.add_row(name, *(f"{c['mean']:.3f} [{c['low']:.3f}, {c['high']:.3f}]" if c else "" for c in cells))
    console.print(table)
