"""Step `index`: what is in the archive, before anything is done to it; the tables lie in the vault.

instances: one row a file; slices: one row a frame, with its place in the patient; stacks: one row a stack of slices of
a series; studies: one row a study. Only counts, without identities, go into the project.
"""

import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_atomically, write_json
from firstread.dicom.archive_index import INSTANCES, index_file
from firstread.dicom.headers import convert_dicom_errors, open_dicom
from firstread.dicom.image_plane import ImagePlane
from firstread.project.archive_names import locate, to_text
from firstread.project.identity_store import translate_full_disk, write_identity_store
from firstread.project.identity_table import IDENTITIES, identity_rows
from firstread.project.input_fingerprints import fingerprint
from firstread.project.project_folder import ProjectFolder
from firstread.project.shard_passes import run_pass
from firstread.project.shards import ShardPlan, ShardWork
from firstread.project.step_states import now
from firstread.project.withdrawal_marks import Withdrawals
from firstread.readers.dicom_series import group_slices
from firstread.readers.dicom_slices import Slice, SliceKind, read_slices

#: one row a slice or frame; what `firstread.readers.dicom_series` needs to group them
SLICES = pa.schema(
    {
        "file": pa.string(),
        "frame": pa.int32(),
        "series": pa.string(),
        "kind": pa.string(),
        "position": pa.list_(pa.float64()),
        "orientation": pa.list_(pa.float64()),
        "spacing_mm": pa.list_(pa.float64()),
        "slice_mm": pa.float64(),
        "problem": pa.string(),
        "instance": pa.string(),
        "number": pa.int64(),
        "tags": pa.string(),
    }
)
STACKS = pa.schema(
    {
        "series": pa.string(),
        "stack": pa.int32(),
        "stack_rule": pa.string(),
        "modality": pa.string(),
        "slices": pa.int32(),
        "rows": pa.int32(),
        "columns": pa.int32(),
        "spacing_between_mm": pa.float64(),
        "coverage_mm": pa.float64(),
        "gantry_tilt_deg": pa.float64(),
        "is_volume": pa.bool_(),
        "problem": pa.string(),
        "first_file": pa.string(),
    }
)
_ROWS_AT_ONCE = 500
_SCHEMAS = {"instances": INSTANCES, "slices": SLICES, "identities": IDENTITIES}
#: what a header may call its modality; another word is counted as "other", because it may be a name
_MODALITIES = frozenset(
    (
        *("AR", "AU", "BDUS", "BI", "BMD", "CR", "CT", "DG", "DOC", "DX", "ECG", "ES", "EPS", "FID", "GM", "HC", "HD"),
        *("IO", "IOL", "IVOCT", "IVUS", "KO", "LS", "M3D", "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM", "OPT", "OPV"),
        *("OSS", "OT", "PLAN", "PR", "PT", "PX", "REG", "RESP", "RF", "RG", "RTDOSE", "RTIMAGE", "RTPLAN", "RTRECORD"),
        *("RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR", "SRF", "STAIN", "TG", "US", "VA", "XA", "XC"),
    )
)


def index_archive(project: ProjectFolder, *, processes: int = 1, part: tuple[int, int] = (1, 1)) -> dict[str, Any]:
    """Index the archive of a project into its vault; shards that are done are not done again.

    Args:
        processes: worker processes.
        part: (I, N): every N-th shard; whoever finds all shards done makes the tables of stacks and studies.

    Returns:
        Counts without identities; `shards_left` where other parts are not done yet.

    Raises:
        DataError: the archive is empty.
    """
    archive = project.settings.archive
    project.check_vault()
    project.states.check_ready("index")
    started = now()
    names = list(list_archive(archive))
    if not names:
        raise DataError("The archive holds no files", where=archive)
    marks = Withdrawals.read(project.vault.folder)
    plan = ShardPlan(names, part=part, processes=processes, basis=fingerprint(archive) + marks.digest)
    folder = project.vault_index / plan.digest
    work = ShardWork(partial(index_rows, str(archive), marks), _failure, folder, _SCHEMAS)
    if left := run_pass(work, plan):
        return {"files": len(names), "shards_left": left}
    with project.step("index", parameters={"files": len(names)}, started=started) as counts:
        write_derived_tables(folder)
        counts.update(count_index(folder))
        write_json(project.vault_index / "current.json", {"plan": plan.digest})
        for old in project.vault_index.iterdir():
            if old.is_dir() and old != folder:
                shutil.rmtree(old)
    return counts


def write_derived_tables(folder: Path) -> None:
    """What is made of the parts of an index when all are there: stacks, studies, and the store of identities."""
    write_stacks(folder)
    write_studies(folder)
    write_identity_store(folder)


def index_folder(project: ProjectFolder) -> Path:
    """Folder of the tables of a project's index.

    Raises:
        DataError: there is none yet.
    """
    current = project.vault_index / "current.json"
    if not current.is_file():
        raise DataError("The archive is not indexed yet", where=project.folder, do="firstread project index")
    return project.vault_index / str(read_json(current, max_bytes=1_000)["plan"])


def list_archive(folder: Path) -> Iterator[str]:
    """Names of all files below a folder, relative to it; hidden ones and links are left out."""
    for current, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(current) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield to_text(path.relative_to(folder).as_posix())


def index_rows(archive: str, marks: Withdrawals, name: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of one file for the tables of the index; called in a worker. A patient who withdrew leaves none."""
    path = locate(Path(archive), name)
    row = index_file(path, name=name)
    identities = identity_rows(path, name=name, sha256=row["sha256"])
    if any(
        marks.holds(one["key"], one["birth_date"], one["sex"]) or marks.holds_file(row["sha256"]) for one in identities
    ):
        return {}
    slices = list(_slice_rows(path, row)) if row["status"] == "ok" else []
    return {"instances": [row], "slices": slices, "identities": identities}


def _failure(name: str, reason: str) -> dict[str, list[dict[str, Any]]]:
    return {"instances": [{**dict.fromkeys(INSTANCES.names), "file": name, "status": "broken", "reason": reason}]}


def _slice_rows(path: Path, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    dataset = open_dicom(path, load_pixels=False)
    with convert_dicom_errors(path):
        slices = read_slices(dataset, path)
    for one in slices:
        plane = one.plane
        yield {
            "file": row["file"],
            "frame": one.frame,
            "series": row["series"],
            "kind": json.dumps(one.kind[1:]),
            "position": list(plane.position) if plane else None,
            "orientation": list(plane.orientation) if plane else None,
            "spacing_mm": list(plane.spacing_mm_yx) if plane else None,
            "slice_mm": plane.slice_mm if plane else None,
            "problem": one.problem.what if one.problem else None,
            "instance": one.uid,
            "number": one.instance[0] if one.instance else None,
            "tags": json.dumps(one.tags),
        }


def write_stacks(folder: Path) -> Path:
    """The table `stacks` from `slices`: a series at a time, so that memory does not grow with the archive."""

    def write(path: Path) -> None:
        with pq.ParquetWriter(path, STACKS) as writer, _SortedSlices(folder) as slices:
            rows: list[dict[str, Any]] = []
            for series in slices.by_series():
                rows += _stack_rows(series)
                if len(rows) >= _ROWS_AT_ONCE:
                    writer.write_table(pa.Table.from_pylist(rows, schema=STACKS))
                    rows.clear()
            writer.write_table(pa.Table.from_pylist(rows, schema=STACKS))

    return write_atomically(folder / "stacks.parquet", write)


class _SortedSlices:
    """The table `slices` sorted by series and file, by SQLite on disk, since Arrow sorts in memory only.

    Args:
        folder: of the index.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / ".slices.sqlite"

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        self._database = sqlite3.connect(self._path)
        with translate_full_disk(self._path):
            self._database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
            self._database.execute("CREATE TABLE slices (series TEXT, file TEXT, frame INTEGER, row TEXT)")
            for part in sorted((self._folder / "slices").glob("part-*.parquet")):
                for batch in pq.ParquetFile(part).iter_batches(_ROWS_AT_ONCE):
                    rows = ((row["series"] or row["file"], row["file"], row["frame"], row) for row in batch.to_pylist())
                    self._database.executemany(
                        "INSERT INTO slices VALUES (?, ?, ?, ?)", ((*key, json.dumps(row)) for *key, row in rows)
                    )
        return self

    def by_series(self) -> Iterator[list[dict[str, Any]]]:
        """Rows of each series, in the order of its files and frames."""
        found = self._database.execute("SELECT series, row FROM slices ORDER BY series, file, frame")
        for _, rows in groupby(found, key=itemgetter(0)):
            yield [json.loads(row) for _, row in rows]

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)


def _stack_rows(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    counts: Counter[str | None] = Counter()
    for stack in group_slices([_slice_of(row) for row in rows]):
        series, first = stack.series, stack.slices[0]
        grid = stack.geometry
        step = np.asarray(grid.affine_lps)[:3, 0] if grid else None
        between = float(np.linalg.norm(step)) if step is not None else None
        yield {
            "series": series,
            "stack": counts[series],
            "stack_rule": ", ".join(stack.separated_by) or "position",
            "modality": stack.modality,
            "slices": len(stack.slices),
            "rows": first.kind.rows,
            "columns": first.kind.columns,
            "spacing_between_mm": between,
            "coverage_mm": None if between is None else between * len(stack.slices),
            "gantry_tilt_deg": _tilt(step, first.plane),
            "is_volume": grid is not None,
            "problem": stack.problem.what if stack.problem else None,
            "first_file": str(first.path),
        }
        counts[series] += 1


def _tilt(step: np.ndarray | None, plane: ImagePlane | None) -> float | None:
    """Angle between the way from slice to slice and the normal of the slices, in degrees."""
    length = 0.0 if step is None else float(np.linalg.norm(step))
    if step is None or plane is None or not length:
        return None
    return float(np.degrees(np.arccos(np.clip(abs(step @ plane.normal) / length, 0, 1))))


def _slice_of(row: dict[str, Any]) -> Slice:
    """The slice that a row was made of."""
    plane = None
    if row["position"]:
        plane = ImagePlane(tuple(row["position"]), tuple(row["orientation"]), tuple(row["spacing_mm"]), row["slice_mm"])
    kind = SliceKind(row["series"], *json.loads(row["kind"]))
    problem = DataError(row["problem"]) if row["problem"] else None
    number = None if row["number"] is None else (row["number"], row["frame"])
    return Slice(
        Path(row["file"]), row["frame"], kind, plane, problem, row["instance"], number, json.loads(row["tags"])
    )


def write_studies(folder: Path) -> Path:
    """The table `studies`: one row a study with its patient, dates and numbers of series and instances."""
    columns = ["study", "patient", "issuer", "birth_date", "sex", "study_date", "series", "instance", "modality"]
    table = ds.dataset(folder / "instances", schema=INSTANCES).to_table(
        columns=columns, filter=pc.is_valid(ds.field("study"))
    )
    grouped = table.group_by("study").aggregate(
        [(name, "min") for name in ("patient", "issuer", "birth_date", "sex", "study_date")]
        + [("patient", "count_distinct"), ("series", "count_distinct"), ("instance", "count"), ("modality", "distinct")]
    )
    names = [name.removesuffix("_min") for name in grouped.column_names]
    return write_atomically(
        folder / "studies.parquet", lambda path: pq.write_table(grouped.rename_columns(names).sort_by("study"), path)
    )


def count_index(folder: Path) -> dict[str, Any]:
    """Counts without identities: files by state and modality, patients, studies, series, stacks."""
    table = ds.dataset(folder / "instances", schema=INSTANCES).to_table(
        columns=["status", "modality", "patient", "study", "series"]
    )
    by_status = dict(zip(*table.group_by("status").aggregate([("status", "count")]).to_pydict().values(), strict=True))
    stated = table["modality"].drop_null().to_pylist()
    modalities = Counter(value if value in _MODALITIES else "other" for value in stated)
    distinct = {f"{name}s": len(pc.unique(table[name].drop_null())) for name in ("patient", "study")}
    stacks = pq.read_table(folder / "stacks.parquet", columns=["is_volume"])
    return {
        "files": len(table),
        "states": {str(key): int(value) for key, value in sorted(by_status.items(), key=str)},
        "modalities": dict(modalities.most_common()),
        "patients": distinct["patients"],
        "studies": distinct["studys"],
        "series": len(pc.unique(table["series"].drop_null())),
        "stacks": len(stacks),
        "volumes": pc.sum(stacks["is_volume"]).as_py() or 0,
    }
