"""Time and memory of the data check: 2,500, 10,000 and 60,000 pictures of 64 pixels, and 10,000 like slices.

Usage: data_check.py KIND COUNT prints one line of JSON; KIND is "classes" (six classes told apart by a faint texture)
or "slices" (one scan). The pictures are JPEG files in a temporary folder and gone afterwards.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from result_output import peak_memory_mb

SIZE, CLASSES = 64, 6
SETS = {"classes": (2_500, 10_000, 60_000), "slices": (10_000,)}


def measure_data_check(*, quick: bool) -> dict[str, Any]:
    """Seconds of wall clock and of all cores, and peak memory, each in a process of its own."""
    results = {}
    for kind, counts in SETS.items():
        for count in counts[:1] if quick else counts:
            command = [sys.executable, __file__, kind, str(count // 10 if quick else count)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results[f"{count:,} {kind}"] = json.loads(done.stdout.splitlines()[-1])
    return results


def main(kind: str, count: int) -> None:
    """Make the pictures, check them, and print the measurements."""
    import firstread as fr
    from firstread.curation import data_check
    from firstread.curation.duplicate_checks import search_duplicates

    seconds: dict[str, float] = {}

    def timed_search(measured: Any) -> Any:
        start = time.perf_counter()
        found = search_duplicates(measured)
        seconds["duplicates_seconds"] = round(time.perf_counter() - start, 1)
        return found

    data_check.search_duplicates = timed_search
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder), kind, count)
        cohort = fr.open_dataset(folder) if kind == "classes" else fr.open_dataset(Path(folder) / "class0")
        before_mb = peak_memory_mb()
        wall, processor = time.perf_counter(), time.process_time()
        check = fr.check_data(cohort)
        result = {
            "images": len(cohort),
            "wall_seconds": round(time.perf_counter() - wall, 1),
            "processor_seconds": round(time.process_time() - processor, 1),
            **seconds,
            "peak_memory_mb": round(peak_memory_mb()),
            "peak_memory_before_mb": round(before_mb),
            "findings": sorted({f.kind for f in check.findings if f.severity != "note"}),
        }
    print(json.dumps(result))


def write_pictures(folder: Path, kind: str, count: int) -> None:
    """Write JPEG files into one folder a class."""
    rng = np.random.default_rng(0)
    for start in range(0, count, 500):
        numbers = np.arange(start, min(start + 500, count))
        pictures = draw_classes(rng, numbers) if kind == "classes" else draw_scan(numbers, count)
        for number, picture in zip(numbers, pictures, strict=True):
            place = folder / f"class{number % CLASSES if kind == 'classes' else 0}"
            place.mkdir(exist_ok=True)
            Image.fromarray(picture).save(place / f"{number:06d}.jpeg", quality=90)


def draw_classes(rng: np.random.Generator, numbers: np.ndarray) -> np.ndarray:
    """Pictures (N, 64, 64) with a smooth random background each, and a faint texture whose direction is the class."""
    background = filtered_noise(rng, len(numbers), lambda down, across: np.exp(-(down**2 + across**2) * 250))
    textures = np.zeros_like(background)
    for label in range(CLASSES):
        chosen = numbers % CLASSES == label
        angle = np.pi * label / CLASSES
        along = (np.cos(angle), np.sin(angle))
        textures[chosen] = filtered_noise(
            rng,
            int(chosen.sum()),
            lambda down, across, along=along: np.exp(-((down * along[0] + across * along[1]) ** 2) * 200),
        )
    return np.clip(128 + 45 * background + 6 * textures, 0, 255).astype(np.uint8)


def draw_scan(numbers: np.ndarray, total: int) -> np.ndarray:
    """Slices (N, 64, 64) of one ellipsoid with three organs that change little from one slice to the next."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    rng = np.random.default_rng(1)
    pictures = np.zeros((len(numbers), SIZE, SIZE))
    for row, z in enumerate(numbers / total):
        pictures[row] += 90 * ((x / (0.7 + 0.1 * z)) ** 2 + (y / 0.85) ** 2 < 1)
        for place in range(3):
            center = np.array([0.35 * np.cos(2 * place + z), 0.4 * np.sin(2 * place + z)])
            inside = ((x - center[0]) ** 2 + (y - center[1]) ** 2) / (0.05 + 0.03 * np.sin(6 * z + place)) < 1
            pictures[row] += (30 + 20 * place) * inside
    return np.clip(pictures + rng.normal(0, 2, pictures.shape), 0, 255).astype(np.uint8)


def filtered_noise(rng: np.random.Generator, count: int, transfer: Any) -> np.ndarray:
    """White noise (N, 64, 64) filtered by a transfer function of its frequencies; standard deviation 1."""
    frequencies = np.fft.fftfreq(SIZE)
    spectrum = np.fft.fft2(rng.standard_normal((count, SIZE, SIZE)))
    fields = np.fft.ifft2(spectrum * transfer(frequencies[:, None], frequencies[None])).real
    return fields / fields.std(axis=(1, 2), keepdims=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
