"""Lesson 1's own recipe in firstread: default backbone, bundled weights. Usage: default_recipe.py FOLDER"""

import sys
import time

from result_output import print_result

start = time.perf_counter()
import firstread as fr  # noqa: E402
from firstread.core.cohort import Cohort  # noqa: E402
from firstread.lessons.lesson_info import find_lesson  # noqa: E402

cohort = Cohort.load(sys.argv[1])
recipe = find_lesson("hello-world").values["measure"]["hello-world/openi"]["recipe"]
augmentation = fr.Augmentation(**recipe["augmentation"])
ready = time.perf_counter()
model = fr.build_model(
    recipe["backbone"],
    classes=cohort.classes,
    size=recipe["size"],
    dropout=recipe["dropout"],
    weights=recipe["weights"],
)
run = None
for phase in recipe["phases"]:
    run = fr.train(model, cohort, augmentation=augmentation, resume=run, checkpoints=False, **phase)
end = time.perf_counter()
print_result(
    f"firstread {fr.__version__}, {recipe['backbone']}, phantom weights",
    start=start,
    ready=ready,
    seconds_by_phase={"all": end - ready},
    validation_accuracy=run.history[-1]["validation_accuracy"],
)
