"""The two named sets of phantom patients, as folders of PNG files with their cohort table."""

from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort, Origin, Step
from firstread.core.columns import make_table
from firstread.core.files import atomic_folder
from firstread.core.progress_bar import Progress
from firstread.phantoms import VERSION
from firstread.phantoms.patients import ORIGIN, make_images

#: hello-world: images of each class; training and validation as in the published set, and a test set it lacks
HELLO_WORLD_COUNTS = {
    "train": {"abdomen": 32, "chest": 33},
    "validation": {"abdomen": 5, "chest": 5},
    "test": {"abdomen": 20, "chest": 20},
}
SIX_CLASSES = ("abdominal CT", "chest CT", "head CT", "chest radiograph", "brain MR", "breast MR")
SLICES_PER_PATIENT = 10


def make_hello_world(folder: str | Path, *, seed: int = 0, size: int = 256) -> Cohort:
    """Chest and abdominal radiographs, one a patient: 65 to train, 10 to validate, 40 to test."""
    plan = []
    for split, classes in HELLO_WORLD_COUNTS.items():
        plan += [(split, label, f"{label} radiograph", 1) for label, count in classes.items() for _ in range(count)]
    return _write(folder, plan, classes=("abdomen", "chest"), name="hello-world", seed=seed, size=size)


def make_mednist(folder: str | Path, *, seed: int = 0, size: int = 64, per_class: int = 300) -> Cohort:
    """Six kinds of images, ten slices a patient (one radiograph a patient), split by patient about 70/15/15."""
    plan = []
    for label in SIX_CLASSES:
        each = 1 if label == "chest radiograph" else SLICES_PER_PATIENT
        counts = [each] * (per_class // each) + ([per_class % each] if per_class % each else [])
        for number, count in enumerate(counts):
            share = (number + 0.5) / len(counts)
            plan.append(("train" if share < 0.7 else "validation" if share < 0.85 else "test", label, label, count))
    return _write(folder, plan, classes=SIX_CLASSES, name="mednist", seed=seed, size=size)


def _write(
    folder: str | Path,
    plan: list[tuple[str, str, str, int]],
    *,
    classes: tuple[str, ...],
    name: str,
    seed: int,
    size: int,
) -> Cohort:
    from PIL import Image

    folder, rows, numbers = Path(folder), [], dict.fromkeys(classes, 0)
    with atomic_folder(folder) as work, Progress(f"Simulating {name}", sum(p[3] for p in plan)) as bar:
        for split, label, kind, count in plan:
            numbers[label] += 1
            for index, image in enumerate(make_images(kind, seed=seed, patient=numbers[label], count=count, size=size)):
                short = label.replace(" ", "-")
                case = f"{short}-{numbers[label]:04d}" + (f"-{index:02d}" if count > 1 else "")
                file = work / split / short / f"{case}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image.pixels).save(file)
                rows.append(_row(case, file, label, split, f"PH-{short}-{numbers[label]:04d}", image.facts))
                bar.step()
        step = Step(f"simulate {name}", {"size": size}, seed=seed, version=str(VERSION))
        origin = Origin(name, ORIGIN.description, ORIGIN.licence, ORIGIN.citation)
        Cohort(make_table(rows), classes, origin, (step,)).save(work)
    return Cohort.load(folder)


def _row(case: str, file: Path, label: str, split: str, patient: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {"case": case, "file": str(file), "label": label, "patient": patient, "split": split, **facts}
