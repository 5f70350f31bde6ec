"""Fingerprints of a network's blueprint, its weights, and a cohort, by which a run knows what belongs to it."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

from firstread.core.cohort import Cohort
from firstread.core.patient_identity import patient_digest

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = 16
#: of a network's description: how its weights began and how many there are do not say how it is built
_NOT_BUILT = ("weights", "parameters")


def blueprint_fingerprint(description: dict[str, Any]) -> str:
    """Fingerprint of how a network is built, from `model.describe()`; its weights do not count."""
    built = {name: value for name, value in description.items() if name not in _NOT_BUILT}
    return hashlib.sha256(json.dumps(built, sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]


def weights_fingerprint(model: torch.nn.Module) -> str:
    """Fingerprint of all parameters and buffers of a network, wherever it lies; 25 ms for ResNet18."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()[:_DIGITS]


def cohort_fingerprint(cohort: Cohort) -> str:
    """Fingerprint of the training and validation cases: names, splits, targets, in order; not of paths and pixels.

    Where the task names the reader whose word counts, that name counts too.
    """
    found = hashlib.sha256(str(getattr(cohort.task, "reader", None) or "").encode())
    for part in (cohort.train, cohort.validation):
        _add(found, part.tables.cases, ("case", "split"))
        _add(found, part.tables.targets, ("case", "kind", "name", "value", "reader"))
    return found.hexdigest()[:_DIGITS]


def patient_digests(cohort: Cohort) -> list[str]:
    """Digests of the patients of the training and validation cases, in alphabetical order."""
    patients = {name for part in (cohort.train, cohort.validation) for name in part.tables.cases["patient"].to_pylist()}
    return sorted(patient_digest(name) for name in patients if name)


def _add(found: Any, table: "pa.Table", columns: tuple[str, ...]) -> None:
    for name in columns:
        found.update("\x1f".join(map(str, table[name].to_pylist())).encode())
        found.update(b"\x1e")
