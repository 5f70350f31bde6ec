"""The published lesson 2 in fastai: ResNet34 from random weights, one cycle, then five more.

Usage: fastai_mednist.py FOLDER EPOCHS_FIRST EPOCHS_MORE
"""

import contextlib
import io
import sys
import time

from result_output import print_result

start = time.perf_counter()
import fastai  # noqa: E402
import numpy as np  # noqa: E402
from fastai.vision.all import (  # noqa: E402
    CategoryBlock,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    PILImageBW,
    accuracy,
    aug_transforms,
    resnet34,
    set_seed,
    vision_learner,
)
from PIL import Image  # noqa: E402

folder, first, more = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
set_seed(0, reproducible=True)
data = np.load(f"{folder}/images.npz")
images = np.concatenate([data["train_images"], data["validation_images"]])
targets = np.concatenate([data["train_targets"], data["validation_targets"]])
held_out = list(range(len(data["train_images"]), len(images)))
block = DataBlock(
    blocks=(ImageBlock(PILImageBW), CategoryBlock),
    get_x=lambda i: PILImageBW(Image.fromarray(images[i])),
    get_y=lambda i: int(targets[i]),
    splitter=IndexSplitter(held_out),
    batch_tfms=aug_transforms(do_flip=True, max_rotate=10, max_zoom=1.1, max_lighting=0.2, max_warp=0),
)
loaders = block.dataloaders(range(len(images)), bs=64, num_workers=0)
learner = vision_learner(loaders, resnet34, metrics=accuracy, pretrained=False, n_in=1)
ready = time.perf_counter()
errors, seconds = [], []
for epochs in (first, more):
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), learner.no_bar():
        learner.fit_one_cycle(epochs)
    seconds.append(time.perf_counter() - begin)
    errors.append(1 - float(learner.recorder.values[-1][-1]))
print_result(
    f"fastai {fastai.__version__}",
    start=start,
    ready=ready,
    precision="float32",
    seconds_by_phase={"first": seconds[0], "more": seconds[1]},
    error_after_first=errors[0],
    error=errors[1],
)
