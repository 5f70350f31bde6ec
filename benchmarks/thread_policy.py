"""How PyTorch's threads should wait for one another: one unfrozen epoch of lesson 1, alone and beside busy programs.

GNU OpenMP, which PyTorch brings for Linux, lets threads spin while they wait. Where other programs want the same
cores, a thread spins on the core that the one it waits for needs. Each setting is a process of its own, because the
library reads its environment once; settings take turns, round after round, under the same load.

Usage: python benchmarks/thread_policy.py [--rounds N] [--busy N ...]
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

HERE = Path(__file__).resolve().parent
#: name -> environment of the training
POLICIES = {
    "spinning threads (the library's default)": {},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "PASSIVE, GOMP_SPINCOUNT=1000 (firstread's)": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
_READ_BY_OPENMP = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_BLOCKTIME")
#: what is written for a training that was cut off
LIMIT_SECONDS = 240
_TRAINING = """
import torch  # before firstread, so that only this environment decides
import firstread as fr
cohort = fr.open_dataset("hello-world")
model = fr.build_model(classes=cohort.classes, size=96, weights="phantom")
run = fr.train(model, cohort, epochs=2, schedule="one-cycle", quiet=True, checkpoints=False)
print(run.history[-1]["seconds"], torch.get_num_threads(), flush=True)
"""


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    busy: Annotated[list[int] | None, typer.Option(help="Numbers of busy programs beside the training.")] = None,
) -> None:
    """Measure every policy under every load, and keep the seconds of each round under benchmarks/results/."""
    result: dict[str, Any] = {}
    for count in busy or (0, 2):
        seconds: dict[str, list[float | None]] = {name: [] for name in POLICIES}
        with busy_programs(count):
            for number in range(rounds):
                names = list(POLICIES)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    seconds[name].append(time_epoch(POLICIES[name]))
                    print(f"{count} busy programs, {name}: {seconds[name][-1]} s", flush=True)
        result[f"{count} busy programs"] = {
            name: {"seconds": values, "median": _median(values)} for name, values in seconds.items()
        }
    machine = {"cores": os.cpu_count(), "load before": [round(value, 1) for value in os.getloadavg()]}
    kept = {"machine": machine, "date": f"{datetime.now():%Y-%m-%d %H:%M}", "thread-policy": result}
    file = HERE / "results" / f"{datetime.now():%Y-%m-%d-%H%M}-thread-policy.json"
    file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """Within the block, `count` processes compute without pause."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def time_epoch(policy: dict[str, str]) -> float | None:
    """Seconds of the second unfrozen epoch of lesson 1; None if both did not end in time."""
    environment = {name: value for name, value in os.environ.items() if name not in _READ_BY_OPENMP}
    environment |= {"FIRSTREAD_QUEUE": "off", "FIRSTREAD_PROGRESS": "off"} | policy
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRAINING],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    return round(float(done.stdout.split()[0]), 2)


def _median(values: list[float | None]) -> float | str:
    """Median, where a training that was cut off counts as longer than all others."""
    found = statistics.median(float("inf") if value is None else value for value in values)
    return found if found < float("inf") else f"over {LIMIT_SECONDS} (with start and first epoch)"


if __name__ == "__main__":
    typer.run(main)
