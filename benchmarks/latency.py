"""Latency before and around training: import time, phantom simulation, a lesson from command to first epoch."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FIRSTREAD = str(Path(sys.executable).parent / "firstread")


def measure_startup(*, quick: bool) -> dict[str, Any]:
    """Median seconds of `import firstread`, of its core modules, and of `firstread --help`."""
    core = "import firstread.core.cohort, firstread.core.predictions, firstread.core.run"
    commands = {
        "import firstread": [sys.executable, "-c", "import firstread"],
        "import firstread.core.*": [sys.executable, "-c", core],
        "firstread --help": [FIRSTREAD, "--help"],
        "python alone": [sys.executable, "-c", "pass"],
    }
    repeats = 2 if quick else 9
    return {name: {"median_seconds": round(_median_seconds(command, repeats), 3)} for name, command in commands.items()}


def measure_phantoms(*, quick: bool) -> dict[str, Any]:
    """Seconds to simulate 77 radiographs of 256 pixels, and 1,800 slices of 64 pixels."""
    from firstread.phantoms.patients import simulate_patients
    from firstread.phantoms.teaching_sets import make_mednist

    results = {}
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        count = 8 if quick else 77
        simulate_patients(count, kinds=("chest radiograph",), size=256, folder=Path(folder) / "r")
        results[f"{count} radiographs of 256 pixels"] = {"seconds": round(time.perf_counter() - begin, 1)}
        begin = time.perf_counter()
        per_class = 20 if quick else 300
        make_mednist(Path(folder) / "m", size=64, per_class=per_class)
        results[f"{6 * per_class} images of six classes, 64 pixels"] = {
            "seconds": round(time.perf_counter() - begin, 1)
        }
    return results


def measure_lesson(*, inception: bool) -> dict[str, Any]:
    """Time lesson 1 under `firstread run`, with its own network or with InceptionV3 at 299 pixels."""
    from firstread.lessons.lesson_info import find_lesson

    source = find_lesson("hello-world").folder
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lesson_copy = root / "lessons" / source.name
        shutil.copytree(source, lesson_copy)
        _run_lesson(root / "lessons", root / "warm", root / "home")  # phantoms are simulated once and cached
        if inception:
            _change_recipe(lesson_copy / "lesson.toml", 'backbone = "inception_v3"\nsize = 299\nweights = "none"\n')
        name = "InceptionV3, 299 pixels" if inception else "the lesson's own network"
        return {name: _run_lesson(root / "lessons", root / "run", root / "home")}


def _change_recipe(file: Path, lines: str) -> None:
    before, after = file.read_text(encoding="utf-8").split("[recipe]\n", 1)
    file.write_text(f"{before}[recipe]\n{lines}dropout{after.split('dropout', 1)[1]}", encoding="utf-8")


def _run_lesson(lessons: Path, folder: Path, home: Path) -> dict[str, Any]:
    """Measure seconds from the command to the first training step, and to the first epoch's checkpoint."""
    environment = {**os.environ, "FIRSTREAD_HOME": str(home), "FIRSTREAD_LESSONS": str(lessons)}
    command = [FIRSTREAD, "run", "hello-world", "--folder", str(folder), "--no-measure"]
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    checkpoint, first_epoch_seconds = folder / "run" / "last.safetensors", None
    while process.poll() is None:
        if first_epoch_seconds is None and checkpoint.exists():
            first_epoch_seconds = time.perf_counter() - begin
        time.sleep(0.02)
    if process.returncode:
        raise RuntimeError(process.stderr.read().strip().splitlines()[-1])
    total_seconds = time.perf_counter() - begin
    summary = json.loads((folder / "summary.json").read_text())
    epoch = json.loads((folder / "run" / "run.json").read_text())["history"][0]
    return {
        "seconds_to_first_step": round(first_epoch_seconds - epoch["seconds"], 1),
        "seconds_to_end_of_first_epoch": round(first_epoch_seconds, 1),
        "seconds_of_whole_lesson": round(total_seconds, 1),
        "peak_memory_mb": summary["peak_memory_mb"],
    }


def _median_seconds(command: list[str], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)
