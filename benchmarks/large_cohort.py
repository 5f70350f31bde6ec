"""Training and prediction of a cohort larger than memory: 200,000 pictures of 224 pixels, their time and peak memory.

Usage: large_cohort.py [CASES] [STEPS] [PREDICTIONS]; `/usr/bin/time -v` before it measures the memory from outside.
The pictures are 2,000 files, each of which stands for many cases, because what matters is how many are held at once.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

import firstread as fr
from firstread.core.cohort import Cohort
from firstread.core.provenance import Origin
from firstread.core.tables import Tables
from firstread.core.tasks import Classification
from firstread.learning import trainer

SIZE, FILES = 224, 2000


def main(cases: int, steps: int, predictions: int) -> None:
    """Train for some steps, predict some cases, and print a line of JSON for each."""
    with tempfile.TemporaryDirectory() as folder:
        cohort = make_cohort(Path(folder), cases)
        report("cohort")
        model = fr.build_model(classes=cohort.classes, size=SIZE)
        real = trainer.run_one_epoch
        trainer.run_one_epoch = lambda network, batches, **rest: real(network, first(batches, steps), **rest)
        start = time.perf_counter()
        run = fr.train(model, cohort, epochs=1, checkpoints=False, quiet=True)
        seconds = round(time.perf_counter() - start, 1)
        report("training", steps=steps, seconds=seconds, examples=run.metadata["examples"])
        start = time.perf_counter()
        fr.predict(model, cohort.test[:predictions], baselines=False)
        report("prediction", cases=predictions, seconds=round(time.perf_counter() - start, 1))


def make_cohort(folder: Path, cases: int) -> Cohort:
    """A cohort of bright and dark noise; 98 % are for training, 100 cases for validation."""
    rng = np.random.default_rng(0)
    files = []
    for number in range(FILES):
        pixels = rng.integers(0, 90, (SIZE, SIZE)) + 120 * (number % 2)
        files.append(str(folder / f"{number:05d}.png"))
        Image.fromarray(pixels.astype(np.uint8)).save(files[-1], compress_level=1)
    names = [f"case{number:07d}" for number in range(cases)]
    test = min(cases // 5, max(2000, cases // 50))
    splits = ["train"] * (cases - test - 100) + ["validation"] * 100 + ["test"] * test
    labels = [("dark", "bright")[number % 2] for number in range(cases)]
    tables = Tables(
        pa.table({"case": names, "split": splits}),
        pa.table({"case": names, "name": ["image"] * cases, "files": [[files[n % FILES]] for n in range(cases)]}),
        pa.table({"case": names, "kind": ["class"] * cases, "name": ["label"] * cases, "value": labels}),
    )
    return Cohort(tables, Classification(("dark", "bright")), Origin("noise"))


def first(batches, count):
    """The first batches only."""
    for number, batch in enumerate(batches):
        if number == count:
            return
        yield batch


def report(what: str, **values: object) -> None:
    """Print a line with the peak memory so far."""
    peak_gb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    print(json.dumps({"what": what, **values, "peak_gb": peak_gb}), flush=True)


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]] + [200_000, 200, 2000][len(sys.argv) - 1 :]
    main(*numbers)
