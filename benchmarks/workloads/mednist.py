"""The published lesson 2 in firstread. Usage: mednist.py FOLDER EPOCHS_FIRST EPOCHS_MORE [PRECISION]"""

import sys
import time

from result_output import print_result

start = time.perf_counter()
import firstread as fr  # noqa: E402
from firstread.core.cohort import Cohort  # noqa: E402

cohort = Cohort.load(sys.argv[1])
augmentation = fr.Augmentation(rotate_degrees=10, zoom=0.1, flip=True)
model = fr.build_model("resnet34", classes=cohort.classes, size=64, weights="none")
settings = {"batch_size": 64, "schedule": "one-cycle", "learning_rate": 3e-3, "checkpoints": False}
settings["precision"] = (sys.argv + ["auto"])[4]
ready = time.perf_counter()
run = fr.train(model, cohort, epochs=int(sys.argv[2]), augmentation=augmentation, **settings)
middle = time.perf_counter()
run = fr.train(model, cohort, epochs=int(sys.argv[3]), augmentation=augmentation, resume=run, **settings)
end = time.perf_counter()
print_result(
    f"firstread {fr.__version__}",
    start=start,
    ready=ready,
    precision=run.metadata["precision"],
    seconds_by_phase={"first": middle - ready, "more": end - middle},
    error_after_first=1 - run.history[int(sys.argv[2]) - 1]["validation_accuracy"],
    error=1 - run.history[-1]["validation_accuracy"],
)
