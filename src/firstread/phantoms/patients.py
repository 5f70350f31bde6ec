"""Phantom patients: from a seed to images on disk and a Cohort that knows the truth about them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.cohort import Cohort, Origin, Step
from firstread.core.columns import make_table
from firstread.core.errors import SettingError, suggest
from firstread.core.files import write_atomically
from firstread.core.paths import data_folder
from firstread.core.progress_bar import track
from firstread.phantoms import VERSION
from firstread.phantoms.breast import BREAST_SIGNAL, breast_mr_slice, make_breasts
from firstread.phantoms.ct import draw_scanner, trunk_slice
from firstread.phantoms.head import BRAIN_SIGNAL, brain_mr_slice, head_ct_slice, make_head
from firstread.phantoms.radiograph import take_radiograph
from firstread.phantoms.trunk import make_trunk

ORIGIN = Origin(
    name="phantom patients",
    description="Simulated by firstread from one parametric anatomy. No person was imaged.",
    licence="CC0-1.0",
    citation="firstread, phantoms",
)


@dataclass(frozen=True)
class PhantomImage:
    """One image and what is known about it."""

    pixels: np.ndarray
    facts: dict[str, Any]


def _radiograph(region: str) -> Callable[..., Iterator[PhantomImage]]:
    def make(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
        trunk = make_trunk(rng)
        for _ in range(count):
            taken = take_radiograph(trunk, rng, region=region, size=size)
            yield PhantomImage(taken.pixels, {"modality": "DX", **taken.facts})

    return make


def _trunk_ct(lowest: float, highest: float) -> Callable[..., Iterator[PhantomImage]]:
    def make(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
        trunk = make_trunk(rng)
        scanner = draw_scanner(rng, field_mm=2.25 * max(trunk.width_mm, 160))
        for z in _levels(rng, lowest, highest, count):
            yield PhantomImage(
                trunk_slice(trunk, scanner, rng, z=z, size=size), {"modality": "CT", "z_mm": round(z, 1)}
            )

    return make


def _head_ct(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
    head, scanner = make_head(rng), draw_scanner(rng, field_mm=250)
    for z in _levels(rng, -62, 88, count):
        yield PhantomImage(head_ct_slice(head, scanner, rng, z=z, size=size), {"modality": "CT", "z_mm": round(z, 1)})


def _brain_mr(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
    head, sequence = make_head(rng), str(rng.choice(list(BRAIN_SIGNAL)))
    field_mm, noise = rng.uniform(215, 275), rng.uniform(0.008, 0.05)
    for z in _levels(rng, -40, 86, count):
        pixels = brain_mr_slice(head, rng, z=z, sequence=sequence, field_mm=field_mm, noise=noise, size=size)
        yield PhantomImage(pixels, {"modality": "MR", "sequence": sequence, "z_mm": round(z, 1)})


def _breast_mr(rng: np.random.Generator, *, count: int, size: int) -> Iterator[PhantomImage]:
    breasts, sequence = make_breasts(rng), str(rng.choice(list(BREAST_SIGNAL)))
    noise = rng.uniform(0.006, 0.035)
    for z in _levels(rng, -70, 70, count):
        pixels = breast_mr_slice(breasts, rng, z=z, sequence=sequence, noise=noise, size=size)
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
    """`count` images of one patient. The same kind, seed and patient give the same pixels.

    Raises:
        SettingError: an unknown kind.
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
        count: patients of each kind.
        kinds: keys of KINDS; they are the classes of the cohort.
        size: pixels on each side.
        seed: the same seed gives the same pixels on the same machine.
        folder: where the PNG files go; default a folder of their own among the data.

    Returns:
        A cohort without splits; each row a patient of its own.

    Raises:
        SettingError: an unknown kind, or no patients.

    Example:
        >>> fr.simulate_patients(2, kinds=("brain MR",), size=64, seed=1)  # doctest: +SKIP
    """
    if count < 1 or not 16 <= size <= 2048:
        raise SettingError(f"count={count}, size={size} is not possible", expected="count from 1, size 16 to 2048")
    kinds = tuple(kinds)
    folder = Path(folder) if folder else data_folder() / "simulated" / f"v{VERSION}-seed{seed}-size{size}"
    rows = []
    for kind, number in track([(k, n) for k in kinds for n in range(count)], "Simulating patients", unit="patient"):
        image = make_images(kind, seed=seed, patient=number, count=1, size=size)[0]
        name = f"{kind.replace(' ', '-')}-{number:05d}"
        file = write_png(folder / f"{name}.png", image.pixels)
        rows.append({"case": name, "file": str(file), "label": kind, "patient": f"PH-{name}", **image.facts})
    step = Step(
        "simulate_patients", {"count": count, "kinds": list(kinds), "size": size}, seed=seed, version=str(VERSION)
    )
    return Cohort(make_table(rows), kinds, ORIGIN, (step,))


def write_png(path: Path, pixels: np.ndarray) -> Path:
    """Write a grayscale PNG, atomically."""
    from PIL import Image

    return write_atomically(path, lambda temporary: Image.fromarray(pixels).save(temporary, format="PNG"))


def _levels(rng: np.random.Generator, lowest: float, highest: float, count: int) -> list[float]:
    """Heights from top to bottom, as a scanner delivers them, with a start that differs by patient."""
    step = (highest - lowest) / count
    return [float(highest - (i + rng.uniform(0.2, 0.8)) * step) for i in range(count)]
