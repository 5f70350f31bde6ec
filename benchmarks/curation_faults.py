"""Curation of a phantom archive: recall and precision by kind of fault, and confusion of phases and planes.

Every kind of fault is planted in three patients of ten, independently of the others, so that most series with a fault
have several. Thresholds were developed on archives of other seeds than the one that is reported here.
"""

import os
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom

from firstread.curation.curation_schemas import INSTANCES, SERIES
from firstread.curation.series_description import SeriesDescription, describe_series
from firstread.curation.study_relations import describe_studies, relate
from firstread.evaluation.intervals import wilson_interval
from firstread.phantoms.archive import write_archive

#: kind of the archive's truth -> kind of curation, and the column that says where
KINDS = {
    "missing_slices": ("missing_slices", "series"),
    "duplicate_position": ("duplicate_position", "series"),
    "overlapping_slices": ("overlapping_slices", "series"),
    "gantry_tilt": ("gantry_tilt", "series"),
    "low_coverage": ("low_coverage", "series"),
    "noise": ("noise", "series"),
    "truncated_field_of_view": ("truncated_field_of_view", "series"),
    "wrong_body_part": ("wrong_body_part", "series"),
    "truncated_file": ("truncated_file", "file"),
    "exposure_varies": ("exposure_varies", "series"),
    "instance_number_absent": ("instance_number_absent", "series"),
    "several_passes": ("several_passes", "series"),
    "localizer_among_axials": ("localizer_among_axials", "series"),
    "derived_same_number": ("derived_same_number", "series"),
    "wrong_laterality": ("wrong_laterality", "series"),
    "unenhanced_called_venous": ("phase_contradiction", "series"),
    "duplicate_same_content": ("duplicate_same_content", "series"),
    "duplicate_other_content": ("duplicate_other_content", "series"),
    "split_study": ("split_study", "patient"),
    "two_ids_in_one_study": ("two_ids_in_one_study", "study"),
    "images_under_two_ids": ("images_under_two_ids", "series"),
}
SEED, PATIENTS, SHARE = 2026, 200, 0.3
CONFIDENT = 0.8
#: environment variable: folder in which the archive is kept, so that a run that was stopped goes on
KEPT = "FIRSTREAD_CURATION_ARCHIVE"
#: phase of a stack that has none, and plane of what is no slice, in words of the truth and of the tables
_IMAGES = ("original", "derived", "localizer")
_SAME_PLANE = {"localizer": "none"}


def measure_curation(*, quick: bool, seed: int = SEED) -> dict[str, Any]:
    """Write an archive with faults, curate it, and compare what was found with the truth."""
    patients, matrix, slices = (12, 128, 64) if quick else (PATIENTS, 128, 64)
    count = max(2, round(patients * SHARE))
    with tempfile.TemporaryDirectory() as folder:
        archive = write_archive(
            Path(os.environ.get(KEPT, folder), "archive"),
            patients=patients,
            seed=seed,
            matrix=matrix,
            slices=slices,
            faults=dict.fromkeys(KINDS, count),
            processes=os.cpu_count(),
        )
        return {
            "patients": patients,
            "planted_of_each": count,
            "seed": seed,
            "grid": f"{slices} x {matrix} x {matrix}",
            **score_archive(archive),
        }


def score_archive(archive: Path) -> dict[str, Any]:
    """Curate an archive and score it by its truth."""
    dicom, truth = archive / "dicom", archive / "truth"
    start = time.perf_counter()
    described = describe_archive(dicom)
    seconds = time.perf_counter() - start
    tables = {
        "series": pa.Table.from_pylist([row for one in described for row in one.stacks], SERIES),
        "instances": pa.Table.from_pylist([row for one in described for row in one.instances], INSTANCES),
    }
    studies = pa.Table.from_pylist(describe_studies(tables["instances"], tables["series"]))
    faults = [row for one in described for row in one.faults] + relate(tables["series"], studies, tables["instances"])
    stacks = pq.read_table(truth / "studies.parquet").to_pandas()
    planted = pq.read_table(truth / "faults.parquet").to_pandas()
    return {
        "series": len(described),
        "series_per_second": round(len(described) / seconds, 1),
        "faults": score_faults(planted, faults, stacks=stacks, instances=tables["instances"].to_pandas()),
        **score_stacks(stacks, tables["series"].to_pandas(), tables["instances"].to_pandas()),
    }


def describe_archive(dicom: Path) -> list[SeriesDescription]:
    """Describe every series of a folder, in as many processes as there are cores."""
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(dicom.rglob("*")):
        if path.is_file() and path.name != "DICOMDIR":
            groups[series_of(path)].append(path)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(describe_one, root=dicom), groups.values(), chunksize=8))


def describe_one(paths: list[Path], *, root: Path) -> SeriesDescription:
    """One series, without pydicom's warnings about planted errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return describe_series(paths, root=root)


def series_of(path: Path) -> str:
    """SeriesInstanceUID of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["SeriesInstanceUID"])
    return str(dataset.get("SeriesInstanceUID") or path)


def score_faults(
    planted: pd.DataFrame, found: list[dict[str, Any]], *, stacks: pd.DataFrame, instances: pd.DataFrame
) -> dict[str, Any]:
    """Recall and precision of each kind, with Wilson intervals."""
    places = planted_places(planted, stacks=stacks, instances=instances)
    key_of_study = study_keys(instances, stacks)
    results = {}
    for name, (kind, place) in KINDS.items():
        true = places[name]
        seen: dict[Any, str] = {}
        for row in found:
            if row["kind"] == kind:
                where = key_of_study.get(row["study"]) if place == "patient" else row[place]
                seen.setdefault(where, str(row["evidence"]))
        hits = len(true & set(seen))
        results[name] = {
            "planted": len(true),
            "found": hits,
            "false": len(set(seen) - true),
            "recall": share(hits, len(true)),
            "precision": share(len(true & set(seen)), len(seen)),
            "missed_places": sorted(map(str, true - set(seen)))[:8],
            "false_evidence": [text for where, text in seen.items() if where not in true][:8],
        }
    return results


def planted_places(planted: pd.DataFrame, *, stacks: pd.DataFrame, instances: pd.DataFrame) -> dict[str, set[str]]:
    """Where each kind lies in the files: series that were joined to another one are looked for there."""
    joined = planted[planted.kind == "several_passes"].set_index("patient").series
    existing = set(instances.series)
    places: dict[str, set[str]] = {}
    for name, (_, place) in KINDS.items():
        rows = planted[planted.kind == name]
        if place == "series":
            places[name] = {
                row.series if row.series in existing else joined.get(row.patient, row.series)
                for row in rows.itertuples()
            }
        else:
            places[name] = set(rows[place])
    return places


def study_keys(instances: pd.DataFrame, stacks: pd.DataFrame) -> dict[str, str]:
    """StudyInstanceUID as files state it -> name of the patient in the truth."""
    by_uid = {uid: row.patient for row in stacks.itertuples() for uid in row.sop_instance_uids}
    return {row.study: by_uid[row.instance] for row in instances.itertuples() if row.instance in by_uid}


def score_stacks(stacks: pd.DataFrame, series: pd.DataFrame, instances: pd.DataFrame) -> dict[str, Any]:
    """Confusion of phase, plane and kind over the stacks of the truth."""
    place = {row.instance: (row.series, row.stack) for row in instances.itertuples() if row.stack == row.stack}
    rows = series.set_index(["series", "stack"])
    tables: dict[str, Counter[tuple[str, str, bool]]] = {name: Counter() for name in ("phase", "plane", "kind")}
    for truth in stacks.itertuples():
        votes = Counter(place[uid] for uid in truth.sop_instance_uids if uid in place)
        if not votes:
            continue
        row = rows.loc[votes.most_common(1)[0][0]]
        if truth.modality == "CT" and truth.kind in ("original", "derived"):
            tables["phase"][truth.phase, row.phase, row.phase_confidence >= CONFIDENT] += 1
        plane = _SAME_PLANE.get(truth.plane, truth.plane)
        if truth.kind in _IMAGES:
            tables["plane"][plane, row.plane, row.plane_confidence >= CONFIDENT] += 1
        kind = "screenshot" if row.kind == "dose" else row.kind
        tables["kind"][truth.kind if truth.kind in (*_IMAGES, "screenshot") else "other", kind, True] += 1
    return {name: confusion(counts) for name, counts in tables.items()}


def confusion(counts: Counter[tuple[str, str, bool]]) -> dict[str, Any]:
    """Counts, share that is confident and wrong, and share that is unknown or not confident."""
    total = sum(counts.values())
    wrong = sum(number for (true, said, sure), number in counts.items() if sure and said not in (true, "unknown"))
    unsure = sum(number for (_, said, sure), number in counts.items() if not sure or said == "unknown")
    unknown = sum(number for (_, said, _), number in counts.items() if said == "unknown")
    return {
        "stacks": total,
        "confident_and_wrong": share(wrong, total),
        "unknown": share(unknown, total),
        "not_confident": share(unsure, total),
        "counts": [
            {"true": true, "said": said, "confident": bool(sure), "stacks": number}
            for (true, said, sure), number in sorted(counts.items())
        ],
    }


def share(part: int, whole: int) -> dict[str, float | None]:
    """A share with its Wilson interval of 95 %."""
    if not whole:
        return {"value": None, "low": None, "high": None}
    interval = wilson_interval(part, whole)
    return {"value": round(part / whole, 4), "low": round(interval.low, 4), "high": round(interval.high, 4)}


def summary(results: dict[str, Any]) -> Iterable[str]:
    """Lines for a terminal."""
    for name, row in results["faults"].items():
        yield (
            f"{name:28} planted {row['planted']:4} recall {row['recall']['value']} "
            f"precision {row['precision']['value']} false {row['false']}"
        )
    for name in ("phase", "plane", "kind"):
        row = results[name]
        yield f"{name}: wrong {row['confident_and_wrong']['value']}, unknown {row['unknown']['value']}"


if __name__ == "__main__":
    print("\n".join(summary(measure_curation(quick=True))))
