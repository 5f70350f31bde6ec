"""Copies that the data check finds of ten that were planted, by what was done to them; false pairs in healthy sets.

Needs the published images for two of the three data sets; the phantoms are simulated.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import firstread as fr
from firstread.core.errors import FirstreadError
from firstread.curation.duplicate_checks import search_duplicates
from firstread.curation.measurements import measure_cohort
from firstread.phantoms.patients import KINDS, make_images

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "curation"))

from planted_copies import TRANSFORMATIONS, cohort_of, planted, textures

PLANTED = 10


def measure_planted_copies(*, quick: bool) -> dict[str, Any]:
    """Found of ten by data set and transformation, false pairs in healthy sets, and processor seconds of all."""
    start = time.process_time()
    sets = {"phantoms, 128 px": phantoms(20, 128)}
    for name in ("mednist/rsna", "hello-world/openi"):
        try:
            sets[name] = published(name)
        except FirstreadError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    names = list(TRANSFORMATIONS)[: 2 if quick else None]
    found = {data: {name: count_found(*pictures, name) for name in names} for data, pictures in sets.items()}
    healthy = {
        "400 textures": textures(400),
        "2,000 textures": textures(400 if quick else 2000),
        "700 phantoms, 256 px": phantoms(5 if quick else 100, 256),
        "700 phantoms, 128 px": phantoms(5 if quick else 100, 128),
        "700 phantoms, 64 px": phantoms(5 if quick else 100, 64),
        **{f"{name}, different classes": pictures for name, pictures in sets.items() if "/" in name},
    }
    false_pairs = {name: count_false(*pictures, across="classes" in name) for name, pictures in healthy.items()}
    seconds = round(time.process_time() - start, 1)
    return {"found_of_10": found, "false_pairs": false_pairs, "processor_seconds": seconds}


def phantoms(count: int, size: int) -> tuple[list[np.ndarray], list[str]]:
    """Pictures of `count` patients of each kind, and their kinds."""
    jobs = [(kind, patient) for kind in KINDS for patient in range(count)]
    pictures = [make_images(kind, seed=0, patient=patient, count=1, size=size)[0].pixels for kind, patient in jobs]
    return pictures, [kind for kind, _ in jobs]


def published(name: str, most: int = 160) -> tuple[list[np.ndarray], list[str]]:
    """At most 160 published images at random, and their classes."""
    cohort = fr.open_dataset(name)
    chosen = np.sort(np.random.default_rng(3).permutation(len(cohort))[:most])
    cases = [cohort[int(index)] for index in chosen]
    pictures = [image if image.ndim == 2 else image[..., 1] for image in (case.image() for case in cases)]
    return pictures, [case.label or "" for case in cases]


def count_found(pictures: list[np.ndarray], labels: list[str], transformation: str) -> int:
    """Planted copies that a search finds."""
    with tempfile.TemporaryDirectory() as folder:
        change = TRANSFORMATIONS[transformation][0]
        cohort, pairs = planted(Path(folder), pictures, labels, change, count=PLANTED)
        names = cohort.table["case"].tolist()
        duplicates = search_duplicates(measure_cohort(cohort))
    copies = [*duplicates.copies, *duplicates.slices]
    found = {frozenset((names[copy.first], names[copy.second])) for copy in copies}
    found |= {frozenset((names[group[0]], names[other])) for group in duplicates.identical for other in group[1:]}
    return sum(frozenset(pair) in found for pair in pairs)


def count_false(pictures: list[np.ndarray], labels: list[str], *, across: bool) -> int:
    """Pairs that a search calls copies or slices; `across`: only those of different classes, which cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        found = search_duplicates(measure_cohort(cohort_of(Path(folder), pictures, labels)))
    pairs = [*found.copies, *found.slices]
    return sum(not across or labels[pair.first] != labels[pair.second] for pair in pairs)
