"""The images that the bundled weights learn from: phantom patients of every kind, and what is known about each image."""

import multiprocessing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from firstread.core.files import write_atomically
from firstread.core.progress_bar import Progress
from firstread.learning.hardware import available_cores
from firstread.phantoms.patients import KINDS, VERSION, make_images

SIZE = 96
SLICES = 12  # of each CT or MR patient, from top to bottom
#: lessons and tests simulate patients with small seeds: none of them is among these
SEED = 7001


class PhantomSet(NamedTuple):
    """pixels uint8 (N, 96, 96), and for each image the index of its class among `names`."""

    pixels: np.ndarray
    targets: np.ndarray
    names: list[str]


def phantom_set(folder: Path, *, slice_patients: int = 250, radiograph_patients: int = 900) -> PhantomSet:
    """Simulate the set, or read it where it was simulated before.

    A class is a kind of image, with what can be seen of how it was taken: the level of a slice (sixths of the range), the sequence
    of an MR image, the view of a radiograph.

    Args:
        slice_patients: of each CT and MR kind, twelve slices each.
        radiograph_patients: of each region, two radiographs each.
    """
    file = folder / f"phantoms-v{VERSION}-seed{SEED}-{slice_patients}-{radiograph_patients}-size{SIZE}.npz"
    if not file.exists():
        jobs = [(kind, n) for kind in KINDS for n in range(radiograph_patients if _flat(kind) else slice_patients)]
        order = np.random.default_rng(SEED).permutation(len(jobs))
        pixels: list[np.ndarray] = []
        labels: list[str] = []
        with multiprocessing.Pool(available_cores()) as pool, Progress("Simulating", len(jobs), unit="patient") as bar:
            for images, words in pool.imap(_one_patient, [jobs[i] for i in order], chunksize=8):
                pixels += images
                labels += words
                bar.step()
        arrays = {"pixels": np.stack(pixels), "labels": np.array(labels)}
        write_atomically(file, lambda temporary: np.savez(temporary, **arrays))
    with np.load(file) as kept:
        names, targets = np.unique(kept["labels"], return_inverse=True)
        return PhantomSet(kept["pixels"], targets, names.tolist())


def _one_patient(job: tuple[str, int]) -> tuple[list[np.ndarray], list[str]]:
    kind, patient = job
    images = make_images(kind, seed=SEED, patient=patient, count=2 if _flat(kind) else SLICES, size=SIZE)
    labels = []
    for index, image in enumerate(images):
        level = "" if _flat(kind) else f"level {index // 2}"
        labels.append(
            ", ".join(w for w in (kind, level, image.facts.get("sequence", image.facts.get("view", ""))) if w)
        )
    return [image.pixels for image in images], labels


def _flat(kind: str) -> bool:
    return "radiograph" in kind
