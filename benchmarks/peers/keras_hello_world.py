"""The published lesson 1 in Keras: InceptionV3 at 299 pixels, batch 8, 5 frozen and 3 unfrozen epochs.

Weights are random, because no weights are downloaded; the arithmetic is the same.
Usage: keras_hello_world.py FOLDER EPOCHS_FROZEN EPOCHS_UNFROZEN
"""

import os
import sys
import time

from result_output import print_result

start = time.perf_counter()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

folder, frozen, unfrozen = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(0)
data = np.load(os.path.join(folder, "images.npz"))
augment = keras.Sequential(
    [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(20 / 360),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomZoom(0.1),
        layers.RandomShear(10 / 90, 10 / 90),
    ]
)


def dataset(part, *, train):
    images, targets = data[f"{part}_images"].astype("float32"), data[f"{part}_targets"].astype("float32")
    pairs = tf.data.Dataset.from_tensor_slices((images, targets))
    if train:
        pairs = pairs.shuffle(len(images), seed=0).batch(8).map(lambda x, y: (augment(x, training=True), y))
    else:
        pairs = pairs.batch(8)
    return pairs.map(lambda x, y: (x / 127.5 - 1, y)).prefetch(tf.data.AUTOTUNE)


base = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(299, 299, 3))
network = keras.Sequential(
    [
        base,
        layers.GlobalAveragePooling2D(),
        layers.Dense(256, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(1, activation="sigmoid"),
    ]
)
train, validation = dataset("train", train=True), dataset("validation", train=False)
ready = time.perf_counter()
seconds = {}
for phase, epochs in (("first", frozen), ("more", unfrozen)):
    base.trainable = phase == "more"
    network.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy", metrics=["accuracy"])
    begin = time.perf_counter()
    history = network.fit(train, validation_data=validation, epochs=epochs, verbose=0)
    seconds[phase] = time.perf_counter() - begin
print_result(
    f"keras {keras.__version__}, tensorflow {tf.__version__}",
    start=start,
    ready=ready,
    precision="float32",
    seconds_by_phase=seconds,
    validation_accuracy=float(history.history["val_accuracy"][-1]),
)
