"""Patients who may be one person: connected components, the unit that splits keep together."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from firstread.core.patient_identity import patient_components

#: kind of the faults that name two patients of the same images, each by a series
_SHARED_IMAGES = "images_under_two_ids"


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
        series: with `series`, `study` and `patient`.
        study: with `study`, `patient` and perhaps `linked_study`.
        faults: that curation found, with `kind`, `patient` and `evidence`, which names the other patient's series.
        instances: with `study` and `patient`, for series whose files state several patients.

    Example:
        >>> series = pa.table({"series": ["S1", "S2"], "study": ["T1", "T1"], "patient": ["P1", "P2"]})
        >>> patient_pairs(series=series, study=pa.table({"study": ["T1"], "patient": ["P1"]}))
        [('P1', 'P2')]
    """
    of_study = [pair for table in (series, study, instances) if table is not None for pair in _distinct(table)]
    pairs = _shared(of_study)
    if "linked_study" in study.column_names:
        patient_of = {key: patient for key, patient in of_study if key is not None}
        linked = study.select(["study", "linked_study"]).to_pylist()
        pairs += [
            (patient_of[row["study"]], patient_of[row["linked_study"]])
            for row in linked
            if row["study"] in patient_of and row["linked_study"] in patient_of
        ]
    if faults is not None:
        pairs += list(_named_in_faults(series, faults))
    return sorted({(a, b) for a, b in pairs if a and b and a != b})


def _distinct(table: pa.Table) -> list[tuple[str, str]]:
    """Each study with each of its patients, once."""
    keys = pa.table({name: table[name].cast(pa.string()) for name in ("study", "patient")})
    found = (
        keys.group_by(["study", "patient"]).aggregate([]).sort_by([("study", "ascending"), ("patient", "ascending")])
    )
    return [(row["study"], row["patient"]) for row in found.to_pylist()]


def _named_in_faults(series: pa.Table, faults: pa.Table) -> Iterator[tuple[str, str]]:
    """Patients whose series hold the same images: the one of a fault, and the one of the series that it names."""
    rows = [row for row in faults.select(["kind", "patient", "evidence"]).to_pylist() if row["kind"] == _SHARED_IMAGES]
    if rows:
        patient_of = dict(zip(series["series"].to_pylist(), series["patient"].to_pylist(), strict=True))
        for row in rows:
            others = (patient_of.get(word.strip(".,;:")) for word in (row["evidence"] or "").split())
            yield from ((row["patient"], other) for other in others if other)


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
