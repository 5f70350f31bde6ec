"""Phantom patients: image generators by kind, and cohorts of simulated patients on disk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import SettingError, suggest
from firstread.core.files import write_atomically
from firstread.core.paths import data_folder
from firstread.core.progress_bar import track
from firstread.core.provenance import Origin, Step
from firstread.phantoms import VERSION
from firstread.phantoms.breast import BREAST_SIGNAL, make_breasts, simulate_breast_mr
from firstread.phantoms.chest_disease import draw_lung_disease
from firstread.phantoms.ct import make_scanner, simulate_trunk_ct
from firstread.phantoms.head import BRAIN_SIGNAL, make_head, simulate_brain_mr, simulate_head_ct
from firstread.phantoms.radiograph import simulate_radiograph
from firstread.phantoms.trunk import make_trunk

ORIGIN = Origin(
    name="phantom patients",
    description="Simulated by firstread from one parametric anatomy. No person was imaged.",
    license="CC0-1.0",
    citation="firstread, phantoms",
)


@dataclass(frozen=True)
class PhantomImage:
    """A simulated image, (size, size) uint8, with its acquisition metadata."""

    pixels: np.ndarray
    metadata: dict[str, Any]


def _radiograph(region: str) -> Callable[..., Iterator[PhantomImage]]:
    def make(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
        trunk, disease = make_trunk(rng), draw_lung_disease(rng)
        for _ in range(count):
            radiograph = simulate_radiograph(trunk, disease, rng, region=region, size=size)
            yield PhantomImage(radiograph.pixels, {"modality": "DX", **radiograph.metadata})

    return make


def _trunk_ct(lowest_mm: float, highest_mm: float) -> Callable[..., Iterator[PhantomImage]]:
    def make(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
        trunk = make_trunk(rng)
        scanner = make_scanner(rng, field_mm=2.25 * max(trunk.half_width_mm, 160))
        for z in _slice_heights(rng, lowest_mm, highest_mm, count):
            pixels = simulate_trunk_ct(trunk, scanner, rng, z=z, size=size)
            yield PhantomImage(pixels, {"modality": "CT", "z_mm": round(z, 1)})

    return make


def _head_ct(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
    head, scanner = make_head(rng), make_scanner(rng, field_mm=250)
    for z in _slice_heights(rng, -62, 88, count):
        pixels = simulate_head_ct(head, scanner, rng, z=z, size=size)
        yield PhantomImage(pixels, {"modality": "CT", "z_mm": round(z, 1)})


def _brain_mr(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
    head, sequence = make_head(rng), str(rng.choice(list(BRAIN_SIGNAL)))
    field_mm, noise = rng.uniform(215, 275), rng.uniform(0.008, 0.05)
    for z in _slice_heights(rng, -40, 86, count):
        pixels = simulate_brain_mr(head, rng, z=z, sequence=sequence, field_mm=field_mm, noise=noise, size=size)
        yield PhantomImage(pixels, {"modality": "MR", "sequence": sequence, "z_mm": round(z, 1)})


def _breast_mr(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
    breasts, sequence = make_breasts(rng), str(rng.choice(list(BREAST_SIGNAL)))
    noise = rng.uniform(0.006, 0.035)
    for z in _slice_heights(rng, -70, 70, count):
        pixels = simulate_breast_mr(breasts, rng, z=z, sequence=sequence, noise=noise, size=size)
        yield PhantomImage(pixels, {"modality": "MR", "sequence": sequence, "z_mm": round(z, 1)})


KINDS: dict[str, Callable[..., Iterator[PhantomImage]]] = {
    "abdomen radiograph": _radiograph("abdomen"),
    "chest radiograph": _radiograph("chest"),
    "abdominal CT": _trunk_ct(-200, -15),
    "chest CT": _trunk_ct(25, 200),
    "head CT": _head_ct,
    "brain MR": _brain_mr,
    "breast MR": _breast_mr,
}


def make_images(kind: str, *, seed: int, patient: int, count: int, size: int) -> list[PhantomImage]:
    """Make `count` images of one patient. The same kind, seed and patient give the same pixels.

    Raises:
        SettingError: the kind is unknown.
    """
    if kind not in KINDS:
        raise SettingError(f'There is no phantom called "{kind}".{suggest(kind, KINDS)}', where="kinds")
    rng = np.random.default_rng([VERSION, seed, list(KINDS).index(kind), patient])
    return list(KINDS[kind](rng, count=count, size=size))


def simulate_patients(
    count: int,
    *,
    kinds: Sequence[str] = ("abdomen radiograph", "chest radiograph"),
    size: int = 256,
    seed: int = 0,
    folder: str | Path | None = None,
) -> Cohort:
    """Simulate patients, one image each, and write the images to disk.

    Args:
        count: number of patients of each kind.
        kinds: keys of KINDS, the classes of the cohort.
        size: pixels on each side.
        seed: the same seed gives the same pixels on the same machine.
        folder: for the PNG files; by default a folder below the data folder. Names of patients and files hold the seed,
            so several cohorts can share a folder; what another one wrote there is never overwritten.

    Returns:
        A cohort without splits, one row per patient.

    Raises:
        SettingError: unknown kind, count or size out of range, or the folder holds the same patients in another size.

    Example:
        >>> cohort = fr.simulate_patients(2, kinds=("brain MR",), size=64, seed=1)
        >>> cohort.images(64).shape
        (2, 64, 64)
    """
    if count < 1 or not 16 <= size <= 2048:
        raise SettingError(f"count={count}, size={size} is not possible", expected="count from 1, size 16 to 2048")
    kinds = tuple(kinds)
    folder = Path(folder) if folder else data_folder() / "simulated" / f"v{VERSION}-seed{seed}-size{size}"
    rows = []
    jobs = [(kind, number) for kind in kinds for number in range(count)]
    for kind, number in track(jobs, "Simulating patients", unit="patient"):
        image = make_images(kind, seed=seed, patient=number, count=1, size=size)[0]
        name = f"{kind.replace(' ', '-')}-v{VERSION}-seed{seed}-{number:05d}"
        file = _write_new_png(folder / f"{name}.png", image.pixels)
        rows.append({"case": name, "file": str(file), "label": kind, "patient": f"PH-{name}", **image.metadata})
    settings = {"count": count, "kinds": list(kinds), "size": size}
    step = Step("simulate_patients", settings, seed=seed, version=str(VERSION))
    return Cohort.from_table(make_table(rows), kinds, ORIGIN, (step,))


def _write_new_png(path: Path, pixels: np.ndarray) -> Path:
    """Write a PNG file, unless it is there already.

    Raises:
        SettingError: there is a file of this name with other pixels, which a cohort may still refer to.
    """
    from PIL import Image

    if not path.exists():
        return write_png(path, pixels)
    with Image.open(path) as picture:
        if np.array_equal(np.asarray(picture), pixels):
            return path
    raise SettingError(
        "The folder holds a file of this patient with other pixels, such as those of another size",
        where=path,
        do="choose another folder: an earlier cohort may need that file",
    )


def write_png(path: Path, pixels: np.ndarray) -> Path:
    """Write pixels to a PNG file, atomically."""
    from PIL import Image

    return write_atomically(path, lambda temporary: Image.fromarray(pixels).save(temporary, format="PNG"))


def _slice_heights(rng: np.random.Generator, lowest_mm: float, highest_mm: float, count: int) -> list[float]:
    """Slice heights in millimetres from top to bottom, with random offsets."""
    step = (highest_mm - lowest_mm) / count
    return [float(highest_mm - (i + rng.uniform(0.2, 0.8)) * step) for i in range(count)]
