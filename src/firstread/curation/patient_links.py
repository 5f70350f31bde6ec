"""Patients who may be one person: connected components, the unit that splits keep together."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from firstread.core.patient_identity import patient_components

#: kinds of faults whose rows of one study, or one file, name several patients
_SHARED = ("images_under_two_ids", "two_ids_in_one_study")


def link_patients(patients: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The component of each patient: the first name, by the alphabet, of all that are linked.

    Args:
        patients: pseudonyms or identifiers; spellings of one are linked.
        pairs: patients who may be one person.

    Example:
        >>> link_patients(["P1", "P2", "P3", "P4"], [("P1", "P3"), ("P3", "P4")])
        {'P1': 'P1', 'P2': 'P2', 'P3': 'P1', 'P4': 'P1'}
    """
    parent = {patient: patient for patient in patients}

    def root(patient: str) -> str:
        while parent[patient] != patient:
            parent[patient] = parent[parent[patient]]
            patient = parent[patient]
        return patient

    spellings = zip(patients, patient_components(patients), strict=True)
    for first, second in [*((one, other) for one, other in spellings if other), *pairs]:
        if first in parent and second in parent:
            low, high = sorted((root(first), root(second)))
            parent[high] = low
    return {patient: root(patient) for patient in patients}


def patient_pairs(
    *,
    series: pa.Table,
    study: pa.Table,
    faults: pa.Table | None = None,
    instances: pa.Table | None = None,
) -> list[tuple[str, str]]:
    """Patients who may be one person: of one study, of studies that are one session, or of the same images.

    Args:
        series: with `study` and `patient`.
        study: with `study`, `patient` and perhaps `linked_study`.
        faults: of curation, with `kind`, `patient`, `study` and `series`.
        instances: with `patient` and `pixel_sha256`.

    Example:
        >>> series = pa.table({"series": ["S1", "S2"], "study": ["T1", "T1"], "patient": ["P1", "P2"]})
        >>> patient_pairs(series=series, study=pa.table({"study": ["T1"], "patient": ["P1"]}))
        [('P1', 'P2')]
    """
    of_study = [(row["study"], row["patient"]) for row in series.select(["study", "patient"]).to_pylist()]
    of_study += [(row["study"], row["patient"]) for row in study.select(["study", "patient"]).to_pylist()]
    pairs = _shared(of_study)
    if "linked_study" in study.column_names:
        patient_of = dict(of_study)
        linked = study.select(["study", "linked_study"]).to_pylist()
        pairs += [
            (patient_of[row["study"]], patient_of[row["linked_study"]])
            for row in linked
            if row["study"] in patient_of and row["linked_study"] in patient_of
        ]
    if faults is not None:
        rows = [row for row in faults.select(["kind", "patient", "evidence"]).to_pylist() if row["kind"] in _SHARED]
        pairs += _shared([(row["evidence"], row["patient"]) for row in rows])
    if instances is not None and "pixel_sha256" in instances.column_names:
        same = instances.select(["pixel_sha256", "patient"]).to_pylist()
        pairs += _shared([(row["pixel_sha256"], row["patient"]) for row in same])
    return sorted({(a, b) for a, b in pairs if a != b})


def _shared(rows: Iterable[tuple[str | None, str | None]]) -> list[tuple[str, str]]:
    """Pairs of the patients that stand beside one key."""
    first: dict[str, str] = {}
    pairs = []
    for key, patient in rows:
        if key is not None and patient is not None:
            before = first.setdefault(key, patient)
            if before != patient:
                pairs.append((before, patient))
    return pairs
