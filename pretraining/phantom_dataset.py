"""The data set that the bundled weights are pretrained on: phantom patients of every kind, with class labels."""

import multiprocessing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from firstread.core.files import write_atomically
from firstread.core.progress_bar import ProgressBar
from firstread.learning.hardware import available_cores
from firstread.phantoms.patients import KINDS, VERSION, make_images

SIZE = 96
SLICES = 12  # per CT or MR patient, from top to bottom
#: lessons and tests simulate patients with small seeds: none of them is in this data set
SEED = 7001


class PhantomDataset(NamedTuple):
    """Images uint8 (N, 96, 96), and for each image the index of its class in `classes`."""

    pixels: np.ndarray
    targets: np.ndarray
    classes: list[str]


def load_phantom_dataset(folder: Path, *, slice_patients: int = 250, radiograph_patients: int = 900) -> PhantomDataset:
    """Load the data set from its cache file in `folder`; simulate it first if there is none.

    A class is a kind of image, with the visible acquisition parameters: the level of a slice (sixths of the range), the
    sequence of an MR image. Radiographs are one class, whichever region they show: to tell chest from abdomen is the
    task of lesson 1, and weights that had been asked for it would not show what a start from another task is worth.

    Args:
        folder: for the cache file.
        slice_patients: number of patients of each CT and MR kind, twelve slices each.
        radiograph_patients: number of patients of each region, two radiographs each.
    """
    file = folder / f"phantoms-v{VERSION}-seed{SEED}-{slice_patients}-{radiograph_patients}-size{SIZE}.npz"
    if not file.exists():
        counts = {kind: radiograph_patients if _is_radiograph(kind) else slice_patients for kind in KINDS}
        jobs = [(kind, patient) for kind, count in counts.items() for patient in range(count)]
        arrays = _simulate([jobs[index] for index in np.random.default_rng(SEED).permutation(len(jobs))])
        write_atomically(file, lambda temporary: np.savez(temporary, **arrays))
    with np.load(file) as arrays:
        classes, targets = np.unique(arrays["labels"], return_inverse=True)
        return PhantomDataset(arrays["pixels"], targets, classes.tolist())


def _simulate(jobs: list[tuple[str, int]]) -> dict[str, np.ndarray]:
    pixels: list[np.ndarray] = []
    labels: list[str] = []
    with multiprocessing.Pool(available_cores()) as pool, ProgressBar("Simulating", len(jobs), unit="patient") as bar:
        for patient_pixels, patient_labels in pool.imap(_simulate_patient, jobs, chunksize=8):
            pixels += patient_pixels
            labels += patient_labels
            bar.update()
    return {"pixels": np.stack(pixels), "labels": np.array(labels)}


def _simulate_patient(job: tuple[str, int]) -> tuple[list[np.ndarray], list[str]]:
    kind, patient = job
    count = 2 if _is_radiograph(kind) else SLICES
    images = make_images(kind, seed=SEED, patient=patient, count=count, size=SIZE)
    labels = []
    for index, image in enumerate(images):
        names = (
            ("radiograph",) if _is_radiograph(kind) else (kind, f"level {index // 2}", image.metadata.get("sequence"))
        )
        labels.append(", ".join(name for name in names if name))
    return [image.pixels for image in images], labels


def _is_radiograph(kind: str) -> bool:
    return "radiograph" in kind
