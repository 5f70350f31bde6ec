"""Step `curate`: what the de-identified images are, stack by stack, what is wrong with them, and what is left out.

Two passes of shards: over files, which says whose series each is, and over series, which are described one at a time.
Their rows lie in the vault, because headers state dates; the tables in `30-curated` hold days.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.core.version import package_version
from firstread.curation.curation_schemas import FAULTS_FOUND, INSTANCES, SERIES, make_fault
from firstread.project.archive_names import locate
from firstread.project.curation_files import FILES, FileStore, failure_row, file_rows, list_files, write_file_store
from firstread.project.curation_results import write_results
from firstread.project.input_fingerprints import fingerprint
from firstread.project.locks import file_lock
from firstread.project.project_folder import ProjectFolder
from firstread.project.shard_passes import run_pass
from firstread.project.shards import ShardPlan, ShardWork
from firstread.project.step_states import now

#: series a shard: some thousand files
SERIES_A_SHARD = 200
#: a series of thousands of slices takes its time
_SECONDS_PER_SERIES = 1_800.0
_SCHEMAS = {"stacks": SERIES, "faults": FAULTS_FOUND, "instances": INSTANCES}


@dataclass(frozen=True)
class CurationSettings:
    """How the step is run.

    Attributes:
        processes: worker processes.
        part: (I, N): every N-th shard.
        ray: address of a Ray cluster that runs the shards.
    """

    processes: int = 1
    part: tuple[int, int] = (1, 1)
    ray: str | None = None


@dataclass(frozen=True)
class SeriesWork:
    """What a worker needs to know: the folder of the images, and that of the store of files."""

    images: Path
    store: Path


def curate_archive(project: ProjectFolder, settings: CurationSettings | None = None) -> dict[str, Any]:
    """Describe all series of the de-identified images into `30-curated`; what is done is not done again.

    Args:
        project: whose outputs are verified, or whose archive is de-identified already.
        settings: processes, part.

    Returns:
        Counts; `shards_left` where other parts are not done yet, with `pass`, "files" or "series".

    Raises:
        DataError: there are no images, or a step before is not done or stale.
        StorageError: another run is at work, or the disk is full.
    """
    settings = settings or CurationSettings()
    _check_ready(project)
    with file_lock(project.folder / ".curate.lock", wait=False, shared=settings.part != (1, 1)):
        return _run(project, settings)


def plan_curation(project: ProjectFolder) -> dict[str, Any]:
    """What the step would do: number of files, and of decisions that would be followed.

    Raises:
        DataError: there are no images, or a step before is not done or stale.
    """
    from firstread.project.curation_decisions import CurationDecisions

    _check_ready(project)
    decisions = CurationDecisions.read(project.paths["curation decisions"])
    return {"folder": str(project.image_folder), "files": len(list_files(project)), "decisions": len(decisions.all)}


def curation_parts(project: ProjectFolder) -> Path:
    """Folder of the rows of both passes, in the vault."""
    return project.settings.vault / "curation"


def _check_ready(project: ProjectFolder) -> None:
    project.check_vault()
    if not project.settings.deidentified:
        project.check_current("verify")


def _run(project: ProjectFolder, settings: CurationSettings) -> dict[str, Any]:
    started, names = now(), list_files(project)
    if not names:
        raise DataError("There are no images to curate", where=project.image_folder)
    images = fingerprint(project.states.path_of("image folder"))
    plan = ShardPlan(names, settings.part, settings.processes, basis=f"{images}|{package_version()}")
    parts = curation_parts(project) / plan.digest
    work = ShardWork(partial(file_rows, str(project.image_folder)), failure_row, parts, {"files": FILES})
    if left := run_pass(work, plan, ray=settings.ray):
        return {"files": len(names), "pass": "files", "shards_left": left}
    with _one_at_a_time(project):
        store = FileStore.of(parts) or FileStore(write_file_store(parts))
    with store:
        series = store.series()
    described = ShardPlan(
        series,
        settings.part,
        settings.processes,
        seconds_per_file=_SECONDS_PER_SERIES,
        size=SERIES_A_SHARD,
        basis=plan.digest,
        unit="series",
    )
    per_series = partial(series_rows, SeriesWork(project.image_folder, parts))
    if left := run_pass(ShardWork(per_series, failed_series, parts, _SCHEMAS), described, ray=settings.ray):
        return {"files": len(names), "series": len(series), "pass": "series", "shards_left": left}
    with _one_at_a_time(project):
        if settings.part != (1, 1) and (finished := _finished_before(project)):
            return finished
        if fingerprint(project.states.path_of("image folder")) != images:
            raise DataError(
                "The images changed while they were curated",
                where=project.image_folder,
                do="run the same command again",
            )
        project.states.reopen("curate")
        with project.step("curate", started=started) as counts:
            counts.update({"files": len(names), "series": len(series), **write_results(project, parts)})
            _remove_others(parts)
    return counts


def _finished_before(project: ProjectFolder) -> dict[str, Any] | None:
    """Counts of the step where another part of this run has finished it."""
    status = next(one for one in project.status() if one.name == "curate")
    return dict(status.record.counts) if status.state == "done" and status.record else None


def series_rows(work: SeriesWork, series: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of one series for the tables; called in a worker."""
    from firstread.curation.series_description import describe_series

    names = _open_store(work.store).files(series)
    found = describe_series([locate(work.images, name) for name in names], root=work.images)
    return {"stacks": list(found.stacks), "faults": list(found.faults), "instances": list(found.instances)}


def failed_series(series: str, reason: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of a series that could not be described."""
    return {"faults": [make_fault("not_described", evidence=reason, confidence=1.0, series=series)]}


@lru_cache(maxsize=2)
def _open_store(folder: Path) -> FileStore:
    """The store of files, opened once a process."""
    return FileStore(folder)


@contextmanager
def _one_at_a_time(project: ProjectFolder) -> Iterator[None]:
    """What parts of one run do one after the other."""
    with file_lock(project.folder / ".run.lock"):
        yield


def _remove_others(parts: Path) -> None:
    """Remove rows of images as they were before."""
    for old in parts.parent.iterdir():
        if old != parts:
            shutil.rmtree(old, ignore_errors=True)
