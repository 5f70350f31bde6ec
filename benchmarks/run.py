"""`make bench`: firstread beside the frameworks of the published lessons, in one run on one machine.

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
import classroom
import few_images
import light
import profiling
import speed
from showing import show

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".venv-peers"
WITH_PEERS = {"hello-world", "mednist", "outcome"}
#: name -> what it measures, given quick (does it run at all?) and the peers' Python, if there is one
WORKS: dict[str, Callable[[bool, Path | None], dict[str, Any]]] = {
    "start": lambda quick, peers: light.start(quick=quick),
    "phantoms": lambda quick, peers: light.phantoms(quick=quick),
    "lesson": lambda quick, peers: light.lesson(inception=False),
    "lesson-inception": lambda quick, peers: light.lesson(inception=True),
    "hello-world": lambda quick, peers: speed.hello_world(quick=quick, peers=peers),
    "mednist": lambda quick, peers: speed.mednist(quick=quick, peers=peers),
    "profile": lambda quick, peers: profiling.profile(quick=quick),
    "outcome": lambda quick, peers: speed.outcome(quick=quick, peers=peers),
    "queue": lambda quick, peers: speed.queue(quick=quick),
    "classroom": lambda quick, peers: classroom.classroom(quick=quick),
    "arrival": lambda quick, peers: classroom.arrival(quick=quick),
    "openi": lambda quick, peers: accuracy.cross_validated_openi(quick=quick),
    "rsna": lambda quick, peers: accuracy.mednist_by_split(quick=quick),
    "rsna-bundled": lambda quick, peers: accuracy.mednist_from_bundled(quick=quick),
    "transfer": lambda quick, peers: accuracy.phantoms_to_openi(quick=quick),
    "transfer-six": lambda quick, peers: accuracy.phantoms_to_rsna(quick=quick),
    "few": lambda quick, peers: few_images.measure_few(quick=quick),
}
console = Console()


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"One or more of {', '.join(WORKS)}.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One epoch each: does it run at all?")] = False,
    peers: Annotated[bool, typer.Option(help="Install and run the peers.")] = True,
) -> None:
    """Measure, print, and keep the figures with the machine's description under benchmarks/results/."""
    os.environ.setdefault("FIRSTREAD_PROGRESS", "off")
    shared = ROOT.parent / "shared" / "data"
    if shared.is_dir():
        os.environ.setdefault("FIRSTREAD_DATA_MIRROR", str(shared))
    chosen = only or list(WORKS)
    if unknown := set(chosen) - set(WORKS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(WORKS)}")
    python = peers_python() if peers and WITH_PEERS & set(chosen) else None
    found: dict[str, Any] = {"machine": machine(), "date": f"{datetime.now():%Y-%m-%d %H:%M}", "quick": quick}
    file = HERE / "results" / f"{datetime.now():%Y-%m-%d-%H%M}-{platform.machine()}{'-quick' if quick else ''}.json"
    file.parent.mkdir(exist_ok=True)
    for name in chosen:
        console.rule(name)
        try:
            found[name] = WORKS[name](quick, python)
        except Exception as error:  # one work that cannot be had must not take the others with it
            found[name] = {"skipped": f"{type(error).__name__}: {error}"}
        console.print_json(json.dumps(found[name], default=str))
        file.write_text(json.dumps(found, indent=2, default=str) + "\n", encoding="utf-8")  # what is measured stays
    show(found, console)
    console.print(f"Kept: {file.relative_to(ROOT)}")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}",
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "python": platform.python_version(), "torch": torch.__version__, "gpu": torch.cuda.is_available(),
        "matrix_peak_gflop_per_second": {p: round(speed.matrix_peak_gflops(p)) for p in ("float32", "bfloat16")},
    }  # fmt: skip


def peers_python() -> Path | None:
    """The peers' own environment, made if it is not there."""
    python = PEERS / "bin" / "python"
    ready = PEERS / ".ready"
    if not ready.exists():
        console.print("Installing the peers into .venv-peers; this takes some minutes.")
        try:
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
            subprocess.run(
                [str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "peers" / "requirements.txt")], check=True
            )
        except subprocess.CalledProcessError:
            console.print("The peers cannot be installed here; only firstread is measured.")
            return None
        ready.touch()
    return python


if __name__ == "__main__":
    typer.run(main)
