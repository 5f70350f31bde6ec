"""What spans series, studies and patients: copies, one session under two studies, two patients in one study, phases.

Nothing of a de-identified archive but its images says that two identifiers are one person; so that is looked for by
identical images, and not claimed otherwise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations, pairwise

import pyarrow as pa
import pyarrow.compute as pc

from firstread.curation.curation_schemas import INSTANCES, SERIES, STUDIES, make_fault
from firstread.curation.series_kind import is_image_class

#: confidence from which a phase takes part in a comparison
_SURE = 0.7
_ORDER = ("unenhanced", "arterial", "venous", "delayed")
#: studies of one patient, machine and day that begin within this are perhaps one session, in seconds
_SAME_SESSION_S = 3_600
#: images that two patients share at least; one alone may be a phantom or a test image
_MIN_SHARED = 2
_Row = dict[str, object]


def describe_studies(instances: pa.Table, series: pa.Table) -> list[_Row]:
    """Rows of STUDIES: one a study, with days since the patient's first study instead of dates.

    Args:
        instances: INSTANCES of an archive.
        series: SERIES of the same.
    """
    links: dict[str, str] = {}
    for one, other, _, _ in _find_sessions(instances):
        links.setdefault(one, other)
        links.setdefault(other, one)
    counts = Counter(str(row["study"]) for row in _rows(series, ["study", "series"], distinct=True))
    studies = [row for row in _study_rows(instances) if row["study"] is not None]
    first: dict[object, str] = {}
    for row in studies:
        if row["study_date"]:
            first[row["patient"]] = min(str(row["study_date"]), first.get(row["patient"], "99999999"))
    return [
        {name: row.get(name) for name in STUDIES.names}
        | {
            "day": _days_between(first.get(row["patient"]), row["study_date"]),
            "description_clean": row["study_description"],
            "series": counts[str(row["study"])],
            "linked_study": links.get(str(row["study"])),
        }
        for row in studies
    ]


def _study_rows(instances: pa.Table) -> list[_Row]:
    """One row a study: the first stated value of each column, in the order of text, and the number of instances."""
    names = ["patient", "study_date", "age_years", "sex", "site", "scanner", "study_description"]
    table = pa.table({name: _plain(instances[name]) for name in ("study", "file", *names)})
    grouped = table.group_by("study").aggregate([*((name, "min") for name in names), ("file", "count")])
    renamed = [name.removesuffix("_min").replace("file_count", "instances") for name in grouped.column_names]
    rows: list[_Row] = grouped.rename_columns(renamed).sort_by("study").to_pylist()
    return rows


def relate(series: pa.Table, studies: pa.Table, instances: pa.Table) -> list[_Row]:
    """Faults that a single series does not show.

    Args:
        series, studies, instances: tables with the columns of SERIES, STUDIES and INSTANCES of a whole archive, or of
            all that is known of some patients.

    Returns:
        Rows of FAULTS_FOUND.
    """
    faults = _broken_files(instances)
    faults += _copies_between_series(instances)
    faults += _images_of_two_patients(instances)
    faults += _patients_in_one_study(instances)
    faults += _split_sessions(instances)
    by_study: defaultdict[object, list[_Row]] = defaultdict(list)
    for row in _rows(series, SERIES.names):
        by_study[row["study"]].append(row)
    known = set(studies["study"].to_pylist()) if len(studies) else set(by_study)
    for study, rows in by_study.items():
        if study in known:
            faults += _derived_numbers(rows) + _phase_order(rows)
    return faults


def _broken_files(instances: pa.Table) -> list[_Row]:
    """Broken files that belong to no series, so that no series could report them."""
    rows = instances.filter(
        pc.and_(pc.equal(instances["status"].cast(pa.string()), "broken"), pc.is_null(instances["series"]))
    )
    return [
        make_fault("truncated_file", evidence=str(row["reason"] or "broken"), confidence=0.95, file=str(row["file"]))
        for row in _rows(rows, ["file", "reason"])
    ]


def _copies_between_series(instances: pa.Table) -> list[_Row]:
    """Files with one SOPInstanceUID in several series, and series whose images are those of another one."""
    faults = []
    for group in _groups(instances, "instance"):
        if len({row["series"] for row in group}) < 2:
            continue
        is_same = len({row["pixel_sha256"] for row in group}) == 1 and group[0]["pixel_sha256"] is not None
        kind = "duplicate_same_content" if is_same else "duplicate_other_content"
        text = f"one SOPInstanceUID in {len(group)} files of several series; pixels {'equal' if is_same else 'differ'}"
        for row in group[1:] if is_same else group:
            faults.append(make_fault(kind, evidence=text, confidence=0.95, **_where(row)))
    for (patient, first, second), count in _shared_images(instances, within_patient=True).items():
        text = f"{count} images have the pixels of another series of the patient"
        faults.append(
            make_fault(
                "duplicate_same_content", evidence=f"{text}: {first}", confidence=0.9, patient=patient, series=second
            )
        )
    return faults


def _images_of_two_patients(instances: pa.Table) -> list[_Row]:
    faults = []
    for (patients, first, second), count in _shared_images(instances, within_patient=False).items():
        for patient, series, other in zip(patients.split("\0"), (first, second), (second, first), strict=True):
            text = f"{count} images have the pixels of series {other} of another patient"
            faults.append(
                make_fault("images_under_two_ids", evidence=text, confidence=0.95, patient=patient, series=series)
            )
    return faults


def _shared_images(instances: pa.Table, *, within_patient: bool) -> Counter[tuple[str, str, str]]:
    """(patient or two patients, series, other series) -> images whose pixels are equal, and whose UIDs differ."""
    shared: Counter[tuple[str, str, str]] = Counter()
    for group in _groups(instances, "pixel_sha256"):
        firsts: dict[tuple[object, object], _Row] = {}
        for row in group:
            is_image = is_image_class(str(row["sop_class"]))  # masks of several series are alike
            if row["series"] is not None and row["patient"] is not None and is_image:
                firsts.setdefault((row["patient"], row["series"]), row)
        rows = sorted(firsts.values(), key=lambda row: (str(row["patient"]), str(row["series"])))
        for one, other in pairwise(rows):
            is_same_patient = one["patient"] == other["patient"]
            if is_same_patient is within_patient and one["instance"] != other["instance"]:
                who = str(one["patient"]) if is_same_patient else f"{one['patient']}\0{other['patient']}"
                shared[who, str(one["series"]), str(other["series"])] += 1
    sizes = Counter(instances["series"].drop_null().to_pylist())
    least = {key: min(_MIN_SHARED, sizes[key[1]], sizes[key[2]]) for key in shared}
    return Counter({key: count for key, count in shared.items() if count >= least[key]})


def _patients_in_one_study(instances: pa.Table) -> list[_Row]:
    by_study: defaultdict[str, set[str]] = defaultdict(set)
    for row in _rows(instances, ["study", "patient"], distinct=True):
        if row["study"] is not None and row["patient"] is not None:
            by_study[str(row["study"])].add(str(row["patient"]))
    return [
        make_fault(
            "two_ids_in_one_study",
            evidence=f"the files of the study state {len(patients)} patients",
            confidence=0.97,
            study=study,
            patient=min(patients),
        )
        for study, patients in by_study.items()
        if len(patients) > 1
    ]


def _split_sessions(instances: pa.Table) -> list[_Row]:
    faults = []
    for _, second, (text, patient), sure in _find_sessions(instances):
        faults.append(make_fault("split_study", evidence=text, confidence=sure, study=second, patient=patient))
    return faults


def _find_sessions(instances: pa.Table) -> list[tuple[str, str, tuple[str, str], float]]:
    """Pairs of studies that are one session: study, other study, evidence and patient, confidence."""
    by_study: dict[str, _Row] = {}
    names = ["study", "patient", "study_date", "study_time_s", "frame_of_reference", "modality", "scanner"]
    frames: defaultdict[str, set[object]] = defaultdict(set)
    by_patient: defaultdict[str, set[str]] = defaultdict(set)
    rows = _rows(instances, names, distinct=True)
    for row in sorted(rows, key=lambda row: [str(row[name]) for name in names]):  # the same whatever the order of files
        if row["study"] is not None:
            by_study.setdefault(str(row["study"]), row)
            frames[str(row["study"])].add(row["frame_of_reference"])
            if row["patient"] is not None:  # a study may state several patients
                by_patient[str(row["patient"])].add(str(row["study"]))
    pairs: dict[tuple[str, str], tuple[str, str, tuple[str, str], float]] = {}
    for patient, members in by_patient.items():
        for one, other in combinations(sorted(members), 2):
            shared = (frames[one] & frames[other]) - {None}
            found = _one_session(by_study[one], by_study[other], has_one_frame=bool(shared))
            if found:
                pairs.setdefault((one, other), (one, other, (found[0], patient), found[1]))
    return sorted(pairs.values())


def _one_session(one: _Row, other: _Row, *, has_one_frame: bool) -> tuple[str, float] | None:
    dates = {one["study_date"], other["study_date"]}
    if len(dates - {None}) > 1:
        return None
    if has_one_frame:
        return "two studies of one day share a frame of reference", 0.95 if None not in dates else 0.7
    times = [row["study_time_s"] for row in (one, other)]
    is_same_machine = one["modality"] == other["modality"] and one["scanner"] == other["scanner"] is not None
    if None in dates or None in times or not is_same_machine:
        return None
    if abs(float(str(times[0])) - float(str(times[1]))) <= _SAME_SESSION_S:
        return "two studies of one patient, machine and hour", 0.6
    return None


def _derived_numbers(rows: list[_Row]) -> list[_Row]:
    """Derived series that carry the SeriesNumber of an original one of their study."""
    originals = {row["series_number"]: row["series"] for row in rows if row["kind"] == "original"}
    faults = []
    for row in rows:
        number = row["series_number"]
        if row["kind"] == "derived" and number is not None and originals.get(number, row["series"]) != row["series"]:
            text = "a derived series carries the SeriesNumber of an original one"
            faults.append(make_fault("derived_same_number", evidence=text, confidence=0.97, **_where(row)))
    return faults


def _phase_order(rows: list[_Row]) -> list[_Row]:
    """Phases of one study whose order in time cannot be: a venous phase before the arterial one."""
    known = [
        (float(str(row["acquisition_s"])), _ORDER.index(str(row["phase"])), row)
        for row in rows
        if row["kind"] == "original"
        and row["phase"] in _ORDER
        and row["acquisition_s"] is not None
        and float(str(row["phase_confidence"])) >= _SURE
    ]
    known.sort(key=lambda one: one[:2])
    times = [time for time, _, _ in known]
    if times and times[-1] - times[0] > 12 * 3600:  # over midnight
        return []
    for (time, phase, one), (later, next_phase, other) in pairwise(known):
        if next_phase < phase and later > time:
            text = f"a stack called {other['phase']} was acquired {later - time:.0f} s after one called {one['phase']}"
            return [
                make_fault("contradicting_phases", evidence=text, confidence=0.75, **_where(other) | {"file": None})
            ]
    return []


def _groups(instances: pa.Table, column: str) -> Iterable[list[_Row]]:
    """Rows that share a value of a column with another row, by value."""
    counts = instances[column].drop_null().value_counts()
    values = pc.struct_field(counts, "values").filter(pc.greater(pc.struct_field(counts, "counts"), 1))
    rows = _rows(instances.filter(pc.is_in(instances[column], values)), INSTANCES.names)
    groups: defaultdict[object, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups.values()


def _rows(table: pa.Table, names: list[str], *, distinct: bool = False) -> list[_Row]:
    """Rows of some columns; without repetitions where only those are of interest."""
    chosen = table.select(names)
    if distinct:
        chosen = pa.table({name: _plain(chosen[name]) for name in names}).group_by(names).aggregate([])
    rows: list[_Row] = chosen.to_pylist()
    return rows


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def _where(row: _Row) -> dict[str, str | int | None]:
    where: dict[str, str | int | None] = {name: _text(row.get(name)) for name in ("patient", "study", "series", "file")}
    return where


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _days_between(first: str | None, date: object) -> int | None:
    from datetime import datetime

    try:
        return (datetime.strptime(str(date), "%Y%m%d") - datetime.strptime(str(first), "%Y%m%d")).days
    except ValueError:
        return None
