"""Time and memory of opening a saved cohort of ten million frames, in a process of its own.

Usage: python benchmarks/cohort_tables.py [--rows 10000000]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

OPEN = """
import sys, time, json, resource
from firstread.core.cohort import Cohort
begin = time.process_time()
cohort = Cohort.load(sys.argv[1])
opened = time.process_time() - begin
train, targets = len(cohort.train), int(cohort.targets.sum())
print(json.dumps({"open_cpu_seconds": round(opened, 1), "with_split_and_targets": round(time.process_time() - begin, 1),
    "most_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "train": train, "positive": targets}))
"""


def write_cohort(folder: str, count: int) -> None:
    """Write a cohort with `count` frames of `count` / 300 patients and a class each."""
    import numpy as np
    import pyarrow as pa

    from firstread.core.cohort import Cohort
    from firstread.core.provenance import Origin
    from firstread.core.tables import Tables
    from firstread.core.tasks import Classification

    number = np.arange(count)
    names = pa.array([f"study{i // 300:06d}/series2/frame{i % 300:03d}" for i in number])
    patients = pa.DictionaryArray.from_arrays(
        pa.array((number // 300).astype(np.int32)), pa.array([f"{i:07d}" for i in range(count // 300 + 1)])
    )
    files = pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32)), names)

    def word(codes: np.ndarray, words: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(words))

    zero = np.zeros(count)
    split = word((number // 300 % 10 > 7).astype(int), ["train", "test"])
    tables = Tables(
        pa.table({"case": names, "patient": patients, "split": split}),
        pa.table({"case": names, "name": word(zero, ["image"]), "files": files, "modality": word(zero, ["CT"])}),
        pa.table(
            {
                "case": names,
                "kind": word(zero, ["class"]),
                "name": word(zero, ["label"]),
                "value": word(number % 2, ["no", "yes"]),
            }
        ),
    )
    Cohort(tables, Classification(("no", "yes")), Origin("made up")).save(folder)


def main() -> None:
    """Write, then open in a fresh process, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        write_cohort(folder, rows)
        writing = {"rows": rows, "write_cpu_seconds": round(time.process_time() - begin, 1)}
        writing["write_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        done = subprocess.run([sys.executable, "-c", OPEN, folder], capture_output=True, text=True, check=True)
    print(json.dumps({**writing, **json.loads(done.stdout)}))


if __name__ == "__main__":
    main()
