"""What a trainee waits for before and around training: start of Python, phantoms, a lesson from its command to its first epoch."""

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


def start(*, quick: bool) -> dict[str, Any]:
    """Seconds of `import firstread`, of its core, and of `firstread --help`; median of several."""
    core = "import firstread.core.cohort, firstread.core.predictions, firstread.core.run"
    commands = {
        "import firstread": [sys.executable, "-c", "import firstread"],
        "import firstread.core.*": [sys.executable, "-c", core],
        "firstread --help": [FIRSTREAD, "--help"],
        "python alone": [sys.executable, "-c", "pass"],
    }
    return {name: {"median_seconds": round(_median(words, 2 if quick else 9), 3)} for name, words in commands.items()}


def phantoms(*, quick: bool) -> dict[str, Any]:
    """Seconds to simulate 77 radiographs of 256 pixels, and 1,800 slices of 64."""
    from firstread.phantoms.patients import simulate_patients
    from firstread.phantoms.teaching_sets import make_mednist

    out = {}
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        count = 8 if quick else 77
        simulate_patients(count, kinds=("chest radiograph",), size=256, folder=Path(folder) / "r")
        out[f"{count} radiographs of 256 pixels"] = {"seconds": round(time.perf_counter() - begin, 1)}
        begin = time.perf_counter()
        each = 20 if quick else 300
        make_mednist(Path(folder) / "m", size=64, per_class=each)
        out[f"{6 * each} images of six classes, 64 pixels"] = {"seconds": round(time.perf_counter() - begin, 1)}
    return out


def lesson(*, inception: bool) -> dict[str, Any]:
    """Lesson 1 as `firstread run` does it, with its own network or with InceptionV3 at 299 pixels."""
    from firstread.lessons.lesson_info import find_lesson

    source = find_lesson("hello-world").folder
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copied = place / "lessons" / source.name
        shutil.copytree(source, copied)
        _lesson_once(place / "lessons", place / "warm", place / "home")  # phantoms are simulated once and kept
        if inception:
            _change_recipe(copied / "lesson.toml", 'backbone = "inception_v3"\nsize = 299\nweights = "none"\n')
        name = "InceptionV3, 299 pixels" if inception else "the lesson's own network"
        return {name: _lesson_once(place / "lessons", place / "run", place / "home")}


def _change_recipe(file: Path, lines: str) -> None:
    before, after = file.read_text(encoding="utf-8").split("[recipe]\n", 1)
    file.write_text(f"{before}[recipe]\n{lines}dropout{after.split('dropout', 1)[1]}", encoding="utf-8")


def _lesson_once(lessons: Path, folder: Path, home: Path) -> dict[str, Any]:
    """Seconds from the command to the first training step, and to the end of the first epoch (its checkpoint)."""
    environment = {**os.environ, "FIRSTREAD_HOME": str(home), "FIRSTREAD_LESSONS": str(lessons)}
    words = [FIRSTREAD, "run", "hello-world", "--folder", str(folder), "--no-measure"]
    begin = time.perf_counter()
    running = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    checkpoint, first_epoch = folder / "run" / "last.safetensors", None
    while running.poll() is None:
        if first_epoch is None and checkpoint.exists():
            first_epoch = time.perf_counter() - begin
        time.sleep(0.02)
    if running.returncode:
        raise RuntimeError(running.stderr.read().strip().splitlines()[-1])
    whole = time.perf_counter() - begin
    found = json.loads((folder / "summary.json").read_text())
    epoch = json.loads((folder / "run" / "run.json").read_text())["history"][0]
    return {
        "seconds_to_first_step": round(first_epoch - epoch["seconds"], 1),
        "seconds_to_end_of_first_epoch": round(first_epoch, 1),
        "seconds_of_whole_lesson": round(whole, 1),
        "peak_memory_mb": found["peak_memory_mb"],
    }


def _median(words: list[str], times: int) -> float:
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        subprocess.run(words, capture_output=True, check=True)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)
