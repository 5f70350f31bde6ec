"""Liver segmentation on phantom CT: Dice of held-out patients by seed, beside the HU rule, and what it cost.

Usage: liver_segmentation.py [MINUTES] [SEEDS] [PATIENTS]
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import firstread as fr
from firstread.phantoms.teaching_sets import make_liver_phantoms


def main(minutes: float, seeds: int, patients: int) -> None:
    """Train one network a seed, each for some minutes, and print a line of JSON for each."""
    with tempfile.TemporaryDirectory() as folder:
        cohort = make_liver_phantoms(Path(folder) / "phantoms", count=patients)
        for seed in range(seeds):
            start, cpu = time.perf_counter(), time.process_time()
            model = fr.build_model(task=cohort.task, seed=seed)
            settings = {"schedule": "one-cycle", "batch_size": 12, "checkpoints": False, "quiet": True}
            run = fr.train(model, cohort, minutes=minutes, seed=seed, **settings)
            trained = time.perf_counter()
            predictions = fr.predict(model, cohort.test, folder=Path(folder) / f"masks-{seed}")
            evaluation = fr.evaluate(predictions)
            result = {
                "seed": seed,
                "epochs": run.epochs,
                "minutes": round((trained - start) / 60, 2),
                "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
                "precision": run.metadata["precision"],
                "validation_dice": run.history[-1]["validation_dice"],
                "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            }
            print(json.dumps(result), flush=True)
            print(evaluation.table.to_string(), flush=True)
            if seed == 0:
                print(evaluation.comparison.to_string(), flush=True)


if __name__ == "__main__":
    values = sys.argv[1:] + ["8", "3", "100"][len(sys.argv) - 1 :]
    main(float(values[0]), int(values[1]), int(values[2]))
