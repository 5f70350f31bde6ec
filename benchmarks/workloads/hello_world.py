"""The published lesson 1 in firstread. Usage: hello_world.py FOLDER EPOCHS_FROZEN EPOCHS_UNFROZEN [PRECISION]"""

import sys
import time

from result_output import print_result

start = time.perf_counter()
import firstread as fr  # noqa: E402
from firstread.core.cohort import Cohort  # noqa: E402

cohort = Cohort.load(sys.argv[1])
augmentation = fr.Augmentation(rotate_degrees=20, shift=0.1, zoom=0.1, shear_degrees=10, flip=True)
model = fr.build_model("inception_v3", classes=cohort.classes, size=299, channels=3, weights="none")
ready = time.perf_counter()
settings = {"augmentation": augmentation, "checkpoints": False, "precision": (sys.argv + ["auto"])[4]}
run = fr.train(model, cohort, epochs=int(sys.argv[2]), freeze=True, **settings)
middle = time.perf_counter()
run = fr.train(model, cohort, epochs=int(sys.argv[3]), resume=run, **settings)
end = time.perf_counter()
print_result(
    f"firstread {fr.__version__}",
    start=start,
    ready=ready,
    precision=run.metadata["precision"],
    seconds_by_phase={"first": middle - ready, "more": end - middle},
    validation_accuracy=run.history[-1]["validation_accuracy"],
)
