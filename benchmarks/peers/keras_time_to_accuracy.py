"""Seconds until a network in Keras reaches an accuracy on the held-out images.

NETWORK "regnetx_002" is firstread's own with its bundled weights ("phantom", from weights.npz in FOLDER);
"small_resnet" is one of the same size with random weights ("none"), both at firstread's image size; "inception_v3" is
the published recipe of lesson 1, whose last phase goes on until the target is reached or the time is over.
Usage: keras_time_to_accuracy.py FOLDER NETWORK WEIGHTS SEED TARGET LIMIT_SECONDS
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
from keras_networks import build_regnetx_002, build_small_resnet, load_timm_weights  # noqa: E402

folder, network_name, weights, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
target, limit = float(sys.argv[5]), float(sys.argv[6])
#: (epochs with a frozen backbone, their learning rate, learning rate of all weights, images a step)
RECIPES = {
    ("regnetx_002", "phantom"): (5, 3e-3, 1e-3, 8),
    ("small_resnet", "none"): (0, 0.0, 1e-3, 16),
    ("inception_v3", "none"): (5, 1e-4, 1e-4, 8),
}
frozen_epochs, frozen_rate, rate, batch_size = RECIPES[network_name, weights]
keras.utils.set_random_seed(seed)
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


def normalize(images):
    """Each image by its own mean and spread, as firstread's weights need; of InceptionV3, as published."""
    if network_name == "inception_v3":
        return images / 127.5 - 1
    mean, variance = tf.nn.moments(images, axes=(1, 2, 3), keepdims=True)
    return (images - mean) / tf.maximum(tf.sqrt(variance), 0.02 * 255)


def dataset(part, *, train):
    images, targets = data[f"{part}_images"].astype("float32"), data[f"{part}_targets"].astype("float32")
    pairs = tf.data.Dataset.from_tensor_slices((images if images.ndim == 4 else images[..., None], targets))
    if train:
        pairs = pairs.shuffle(len(images), seed=seed).batch(batch_size)
        pairs = pairs.map(lambda x, y: (augment(x, training=True), y))
    else:
        pairs = pairs.batch(64)
    return pairs.map(lambda x, y: (normalize(x), y)).prefetch(tf.data.AUTOTUNE)


class StopAtTarget(keras.callbacks.Callback):
    """Ends the training at the first epoch with the target accuracy, or when the time is over; one for all phases."""

    def __init__(self):
        super().__init__()
        self.seconds, self.epochs, self.accuracies = None, None, []

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - ready
        self.accuracies.append(float(logs["val_accuracy"]))
        if self.accuracies[-1] >= target and seconds <= limit:
            self.seconds, self.epochs = seconds, len(self.accuracies)
        self.model.stop_training = self.seconds is not None or seconds > limit


train, validation = dataset("train", train=True), dataset("validation", train=False)
if network_name == "inception_v3":
    base = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(299, 299, 3))
else:
    build = build_regnetx_002 if network_name == "regnetx_002" else build_small_resnet
    base = build(data["train_images"].shape[1])
if weights == "phantom":
    load_timm_weights(base, os.path.join(folder, "weights.npz"))
pooled = layers.GlobalAveragePooling2D()
head = [layers.Dense(256, activation="relu"), layers.Dropout(0.5), layers.Dense(1, activation="sigmoid")]
network = keras.Sequential([base, pooled, *head])
stop = StopAtTarget()
ready = time.perf_counter()
for is_frozen, epochs, learning_rate in ((True, frozen_epochs, frozen_rate), (False, 100_000, rate)):
    is_over = stop.seconds is not None or time.perf_counter() - ready > limit
    if epochs and not is_over:
        base.trainable = not is_frozen
        network.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy", metrics=["accuracy"])
        network.fit(train, validation_data=validation, epochs=epochs, verbose=0, callbacks=[stop])
print_result(
    f"keras {keras.__version__}, tensorflow {tf.__version__}, {network_name}",
    start=start,
    ready=ready,
    seconds_by_phase={"all": time.perf_counter() - ready},
    seconds_to_target=stop.seconds,
    epochs_to_target=stop.epochs,
    epochs=len(stop.accuracies),
    best_accuracy=max(stop.accuracies),
)
