"""Seconds until lesson 1's network in firstread reaches an accuracy on the held-out images.

With the bundled weights by the lesson's own recipe, whose last phase is repeated until the target is reached or the
time is over; with random weights by one cycle after another.
Usage: time_to_accuracy.py FOLDER WEIGHTS SEED TARGET LIMIT_SECONDS
"""

import sys
import time

from result_output import print_result

start = time.perf_counter()
import firstread as fr  # noqa: E402
from firstread.core.cohort import Cohort  # noqa: E402
from firstread.lessons.lesson_info import find_lesson  # noqa: E402

folder, weights, seed, target, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), *map(float, sys.argv[4:6])
cohort = Cohort.load(folder)
recipe = find_lesson("hello-world").values["measure"]["hello-world/openi"]["recipe"]
augmentation = fr.Augmentation(**recipe["augmentation"])
#: as many epochs and as high a rate as suit random weights, see benchmarks/few_shot.py
RANDOM_PHASE = {"epochs": 20, "schedule": "one-cycle", "learning_rate": 2e-3, "batch_size": 16}
phases = list(recipe["phases"]) if weights == "phantom" else [RANDOM_PHASE]
settings = {"size": recipe["size"], "dropout": recipe["dropout"], "weights": weights, "seed": seed}
model = fr.build_model(recipe["backbone"], classes=cohort.classes, **settings)
ready = time.perf_counter()
run, reached, epochs, accuracies = None, None, None, []
while reached is None and time.perf_counter() - ready < limit:
    phase = phases.pop(0) if len(phases) > 1 else phases[0]
    begin, before = time.perf_counter(), len(accuracies)
    run = fr.train(model, cohort, augmentation=augmentation, resume=run, checkpoints=False, seed=seed, **phase)
    rows = run.history[before:]
    # what a call does beside its epochs is done before the first of them
    clock = begin - ready + (time.perf_counter() - begin) - sum(row["seconds"] for row in rows)
    for row in rows:
        clock += row["seconds"]
        accuracies.append(row["validation_accuracy"])
        if reached is None and row["validation_accuracy"] >= target and clock <= limit:
            reached, epochs = clock, len(accuracies)
print_result(
    f"firstread {fr.__version__}, {recipe['backbone']}",
    start=start,
    ready=ready,
    seconds_by_phase={"all": time.perf_counter() - ready},
    seconds_to_target=reached,
    epochs_to_target=epochs,
    epochs=len(accuracies),
    best_accuracy=max(accuracies),
)
