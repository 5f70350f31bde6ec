"""Benchmark runner (`make bench`): firstread and the frameworks of the published lessons, on one machine.

Usage: python benchmarks/run.py [--only NAME ...] [--quick] [--peers/--no-peers]
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import accuracy
import burned_in_text
import classroom
import copy_recall
import coverage_calibration
import coverage_class
import curation_faults
import curation_speed
import curves
import data_check
import dataset_versions
import deidentification_score
import deidentify
import few_shot
import interval_coverage
import latency
import marker
import profiling
import project_memory
import r_agreement
import speed
from terminal_tables import print_tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".venv-peers"
WITH_PEERS = {"hello-world", "mednist", "outcome"}
#: name -> function of `quick` (a smoke test with one epoch) and of the peers' Python, if installed
BENCHMARKS: dict[str, Callable[[bool, Path | None], dict[str, Any]]] = {
    "start": lambda quick, peers: latency.measure_startup(quick=quick),
    "phantoms": lambda quick, peers: latency.measure_phantoms(quick=quick),
    "lesson": lambda quick, peers: latency.measure_lesson(inception=False),
    "lesson-inception": lambda quick, peers: latency.measure_lesson(inception=True),
    "hello-world": lambda quick, peers: speed.hello_world(quick=quick, peers=peers),
    "mednist": lambda quick, peers: speed.mednist(quick=quick, peers=peers),
    "profile": lambda quick, peers: profiling.profile(quick=quick),
    "outcome": lambda quick, peers: speed.time_to_accuracy(quick=quick, peers=peers),
    "queue": lambda quick, peers: speed.queue_throughput(quick=quick),
    "classroom": lambda quick, peers: classroom.rehearse_class(quick=quick),
    "arrival": lambda quick, peers: classroom.compare_arrival(quick=quick),
    "openi": lambda quick, peers: accuracy.cross_validate_openi(quick=quick),
    "rsna": lambda quick, peers: accuracy.mednist_by_split(quick=quick),
    "rsna-bundled": lambda quick, peers: accuracy.mednist_with_bundled_weights(quick=quick),
    "transfer": lambda quick, peers: accuracy.phantoms_to_openi(quick=quick),
    "transfer-six": lambda quick, peers: accuracy.phantoms_to_rsna(quick=quick),
    "coverage": lambda quick, peers: {
        "intervals": interval_coverage.interval_coverage(quick),
        "comparisons": interval_coverage.comparison_type_one(quick),
        "classes": coverage_class.class_type_one(quick),
    },
    "r-agreement": lambda quick, peers: r_agreement.compare_with_proc(quick=quick),
    "calibration": lambda quick, peers: coverage_calibration.calibration_coverage(quick),
    "curves": lambda quick, peers: curves.measure_curves("hello-world", quick=quick),
    "curves-openi": lambda quick, peers: curves.measure_curves("hello-world/openi", quick=quick),
    "curves-mednist": lambda quick, peers: curves.measure_mednist_curves(quick=quick),
    "marker": lambda quick, peers: marker.measure_marker_maps(quick=quick),
    "dataset-versions": lambda quick, peers: dataset_versions.measure_dataset_versions(quick=quick),
    "data-check": lambda quick, peers: {
        **data_check.measure_data_check(quick=quick),
        "copies": copy_recall.measure_planted_copies(quick=quick),
    },
    "deidentify": lambda quick, peers: deidentify.measure_deidentification(quick=quick),
    "pixels": lambda quick, peers: burned_in_text.measure_burned_in_text(quick=quick),
    "deidentification-score": lambda quick, peers: deidentification_score.score_deidentification(quick=quick),
    "curation": lambda quick, peers: curation_faults.measure_curation(quick=quick),
    "project": lambda quick, peers: project_memory.measure_project(quick=quick),
    "curation-speed": lambda quick, peers: curation_speed.measure_curation(quick=quick),
    "few": lambda quick, peers: few_shot.measure_few_shot(quick=quick),
}
console = Console()


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"One or more of {', '.join(BENCHMARKS)}.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One epoch each: does it run at all?")] = False,
    peers: Annotated[bool, typer.Option(help="Install and run the peers.")] = True,
) -> None:
    """Run benchmarks, print the results, and save them with the machine's description under benchmarks/results/."""
    os.environ.setdefault("FIRSTREAD_PROGRESS", "off")
    shared = ROOT.parent / "shared" / "data"
    if shared.is_dir():
        os.environ.setdefault("FIRSTREAD_DATA_MIRROR", str(shared))
    names = only or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    python = install_peers() if peers and WITH_PEERS & set(names) else None
    date = f"{datetime.now():%Y-%m-%d %H:%M}"
    results: dict[str, Any] = {"machine": describe_machine(), "date": date, "quick": quick}
    file = HERE / "results" / f"{datetime.now():%Y-%m-%d-%H%M}-{platform.machine()}{'-quick' if quick else ''}.json"
    file.parent.mkdir(exist_ok=True)
    for name in names:
        console.rule(name)
        try:
            results[name] = BENCHMARKS[name](quick, python)
        except Exception as error:  # a failing benchmark must not end the others
            results[name] = {"skipped": f"{type(error).__name__}: {error}"}
        console.print_json(json.dumps(results[name], default=str))
        file.write_text(json.dumps(results, indent=2, default=str) + "\n", encoding="utf-8")  # after each benchmark
    print_tables(results, console)
    console.print(f"Kept: {file.relative_to(ROOT)}")


def describe_machine() -> dict[str, Any]:
    """CPU, memory, system, library versions and peak matrix throughput of this machine."""
    import torch

    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.is_available(),
        "matrix_peak_gflop_per_second": {p: round(speed.matrix_peak_gflops(p)) for p in ("float32", "bfloat16")},
    }


def install_peers() -> Path | None:
    """Create the peers' virtual environment if missing.

    Returns:
        Its Python; None if the peers cannot be installed.
    """
    python = PEERS / "bin" / "python"
    ready = PEERS / ".ready"
    if not ready.exists():
        console.print("Installing the peers into .venv-peers; this takes some minutes.")
        try:
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
            requirements = str(HERE / "peers" / "requirements.txt")
            subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", requirements], check=True)
        except subprocess.CalledProcessError:
            console.print("The peers cannot be installed here; only firstread is measured.")
            return None
        ready.touch()
    return python


if __name__ == "__main__":
    typer.run(main)
