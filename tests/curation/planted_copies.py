"""What is done to a picture before it is planted as a copy, and cohorts with such copies."""

import io

import numpy as np
from PIL import Image

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.provenance import Origin


def _rounded(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def shift(pixels, down, across):
    height, width = pixels.shape
    moved = np.zeros_like(pixels)
    target = (slice(max(down, 0), height + min(down, 0)), slice(max(across, 0), width + min(across, 0)))
    source = (slice(max(-down, 0), height + min(-down, 0)), slice(max(-across, 0), width + min(-across, 0)))
    moved[target] = pixels[source]
    return moved


def crop(pixels, share):
    height, width = pixels.shape
    down, across = round(height * share), round(width * share)
    return pixels[down : height - down, across : width - across]


def resize(pixels, factor):
    height, width = pixels.shape
    return np.asarray(Image.fromarray(pixels).resize((int(width * factor), int(height * factor)), 3))


def turn(pixels, degrees):
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR))


def compress(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())))


def add_noise(pixels, deviation):
    rng = np.random.default_rng(int(pixels.sum()) % 1000)
    return _rounded(pixels + rng.normal(0, deviation, pixels.shape))


#: name -> what was done to the copy, and a word that the finding must say of it
TRANSFORMATIONS = {
    "brightness +8": (lambda x: _rounded(x.astype(float) + 8), "window"),
    "contrast x 1.2": (lambda x: _rounded(x * 1.2), "window"),
    "wider window": (lambda x: _rounded(x * 0.5 + 60), "window"),
    "gamma 0.6": (lambda x: _rounded(255 * (x / 255) ** 0.6), "window"),
    "gamma 1.6": (lambda x: _rounded(255 * (x / 255) ** 1.6), "window"),
    "shifted by 1 pixel": (lambda x: shift(x, 1, 0), ""),
    "shifted by 3 pixels": (lambda x: shift(x, -2, 3), ""),
    "cropped by 5 %": (lambda x: resize(crop(x, 0.025), 1 / 0.95), "cropped"),
    "cropped by 5 % on each side": (lambda x: crop(x, 0.05), "cropped"),
    "turned by 3 degrees": (lambda x: turn(x, 3), "turned by a few degrees"),
    "turned by 90 degrees": (np.rot90, "turned by 90 degrees"),
    "turned by 180 degrees": (lambda x: np.rot90(x, 2), "turned by 180 degrees"),
    "mirrored": (lambda x: x[:, ::-1], "mirrored left to right"),
    "upside down": (lambda x: x[::-1], "mirrored top to bottom"),
    "inverted": (lambda x: 255 - x, "inverted"),
    "four times as large": (lambda x: resize(x, 4), ""),
    "half as large": (lambda x: resize(x, 0.5), ""),
    "JPEG at quality 30": (lambda x: compress(x, 30), ""),
    "noise of 5 gray levels": (lambda x: add_noise(x, 5), ""),
}


def cohort_of(folder, pictures, labels=None, splits=None, patients=None):
    """A cohort of pictures, written as PNG files."""
    rows = []
    for index, pixels in enumerate(pictures):
        file = folder / f"{index:04d}.png"
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, compress_level=1)
        row = {"case": file.stem, "file": str(file), "label": None if labels is None else str(labels[index])}
        row["split"] = None if splits is None else splits[index]
        row["patient"] = None if patients is None else patients[index]
        rows.append(row)
    classes = sorted({str(label) for label in labels}) if labels is not None else ()
    return Cohort.from_table(make_table(rows), tuple(classes), Origin("planted"))


def planted(folder, pictures, labels, change, *, count=10):
    """A cohort of training pictures with `count` of them changed as test cases, and the names of these pairs."""
    chosen = np.linspace(0, len(pictures) - 1, count).astype(int)
    everything = [*pictures, *(change(pictures[index]) for index in chosen)]
    all_labels = [*labels, *(labels[index] for index in chosen)]
    splits = ["train"] * len(pictures) + ["test"] * count
    pairs = [(f"{index:04d}", f"{len(pictures) + number:04d}") for number, index in enumerate(chosen)]
    patients = [f"P{index}" for index in range(len(everything))]
    return cohort_of(folder, everything, all_labels, splits, patients), pairs


def textures(count, size=64, seed=0):
    """Healthy pictures: two classes told apart by the direction of a faint texture on a smooth random background."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    pictures = []
    for index in range(count):
        field = gaussian_filter(rng.normal(0, 1, (size, size)), size / 12)
        texture = gaussian_filter(rng.normal(0, 1, (size, size)), (0.7, 3) if index % 2 else (3, 0.7))
        pixels = (field - field.min()) / np.ptp(field) * 160 + 40 + texture / texture.std() * 6
        pictures.append(_rounded(pixels + rng.normal(0, 2, (size, size))))
    return pictures, [index % 2 for index in range(count)]
