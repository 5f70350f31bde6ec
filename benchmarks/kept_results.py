"""Kept benchmark results (`benchmarks/results/*.json`), and tables of the documentation in Markdown."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def load_newest(benchmark: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Load the newest full result of a benchmark, and the description of its machine."""
    for file in sorted((ROOT / "benchmarks" / "results").glob("*.json"), reverse=True):
        results = json.loads(file.read_text(encoding="utf-8"))
        if benchmark in results and "skipped" not in results[benchmark] and not results.get("quick"):
            return results[benchmark], results["machine"]
    raise SystemExit(f'No result of "{benchmark}" yet: run  make bench ARGS="--only {benchmark}"')


def cases_by_class(evaluation: dict[str, Any]) -> list[int]:
    """Number of cases of each class; the confusion matrix counts each case once for each seed."""
    return [sum(row) // len(evaluation["seeds"]) for row in evaluation["confusion"]["counts"]]


def format_table(header: list[str], rows: list[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n" + "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines) + "\n"
