"""Shards: millions of files in parts that can be done anywhere, again and again, and stopped at any moment.

Files are put in the order of a hash of their names and cut into shards of 2,000. A shard is done when its Parquet file
has been renamed into place, so whoever starts again goes on with those that are missing, whichever process, machine or
job had them before. `part=(I, N)` takes every N-th shard, for Slurm arrays and Kubernetes jobs on a shared folder.

Within a shard, worker processes take one file at a time. A file that takes too long, or that ends its worker, costs
that worker only: the file gets a row with the reason, and a new worker goes on.
"""

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from firstread.core.errors import SettingError, StorageError
from firstread.core.files import write_bytes
from firstread.core.progress_bar import ProgressBar

SHARD_SIZE = 2_000
#: a worker is replaced after so many files, so that memory that a library keeps is given back
_FILES_PER_WORKER = 5_000
_SECONDS_TO_START = 120.0
_READY = "ready"

#: files whose rows are turned into Parquet together
_FILES_AT_ONCE = 200

#: rows of a file: name of a table -> rows
FileRows = dict[str, list[dict[str, Any]]]
#: from the relative name of a file to its rows; called in a worker
FileFunction = Callable[[str], FileRows]
#: from the names of a shard to the rows that are known already, by name
KnownRows = Callable[[Sequence[str]], Mapping[str, FileRows]]
#: row for a file that could not be finished: relative name and reason
FailureRow = Callable[[str, str], FileRows]


@dataclass(frozen=True)
class ShardPlan:
    """Which files, in which shards, with what limits.

    Attributes:
        names: of all files, relative to their folder, in any order.
        part: (I, N): every N-th shard from I on, counted from 1.
        processes: workers.
        seconds_per_file: after which a file is given up.
        size: files a shard.
        basis: what else the rows depend on: rows of another basis are not taken for rows of this plan.
        unit: what the names are of, for the progress bar.
    """

    names: Sequence[str]
    part: tuple[int, int] = (1, 1)
    processes: int = 1
    seconds_per_file: float = 120.0
    size: int = SHARD_SIZE
    basis: str = ""
    unit: str = "file"

    def __post_init__(self) -> None:
        first, count = self.part
        if not 1 <= first <= count:
            raise SettingError(
                f"The part {first}/{count} is not possible", expected="I/N with I from 1 to N, such as 2/8"
            )
        if self.processes < 1 or self.seconds_per_file <= 0 or self.size < 1:
            raise SettingError("At least one process, one file a shard and some time for it are needed")

    def progress_bar(self, total: int) -> ProgressBar:
        """A bar over a number of files."""
        things = "files" if self.unit == "file" else self.unit
        return ProgressBar(f"Working through the {things}", total, unit=self.unit)

    @property
    def count(self) -> int:
        """Number of shards of all parts."""
        return -(-len(self.names) // self.size)

    @cached_property
    def digest(self) -> str:
        """Identifier of the files and the size of a shard: results of another plan are not mixed with those of this."""
        digest = hashlib.sha256(f"{self.size}\0{self.basis}\0".encode())
        for name in self._ordered:
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()[:16]

    @cached_property
    def _ordered(self) -> list[str]:
        return sorted(self.names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())

    def shards(self) -> Iterator[tuple[int, list[str]]]:
        """Number and names of each shard of this part; the same on every machine."""
        for number, start in enumerate(range(0, len(self._ordered), self.size)):
            if number % self.part[1] == self.part[0] - 1:
                yield number, self._ordered[start : start + self.size]


@dataclass(frozen=True)
class ShardWork:
    """What is done with the files of each shard, and where the rows go; picklable, so that other machines can do it.

    Attributes:
        function: picklable; its exceptions count as failures of the file, but for a full disk, which ends the run.
        failure: rows for a file that could not be finished.
        folder: of the tables: `<folder>/<table>/part-00012.parquet`.
        schemas: of each table.
        known: rows that are known from an earlier run, by name; what is in it is not worked on again.
    """

    function: FileFunction
    failure: FailureRow
    folder: Path
    schemas: Mapping[str, pa.Schema]
    known: KnownRows | None = None


def run_shards(work: ShardWork, plan: ShardPlan) -> int:
    """Run a function over all files, shard by shard; shards that are done are not done again.

    Returns:
        Number of files that were worked on now.

    Raises:
        StorageError: a worker found the disk full, or its folder not writable.
    """
    shards = list(plan.shards())
    total = sum(len(names) for _, names in shards)
    done = 0
    with plan.progress_bar(total) as bar:
        workers = _Workers(work.function, plan)
        try:
            for number, names in shards:
                if is_done(work, number):
                    bar.update(len(names))
                    continue
                done += _run_shard(workers, work, names, number=number, bar=bar)
        finally:
            workers.close()
    return done


def run_one_shard(work: ShardWork, plan: ShardPlan, number: int, names: Sequence[str]) -> int:
    """Run one shard with the processes of a plan, as a task of a cluster does; returns the number of files."""
    if is_done(work, number):
        return 0
    workers = _Workers(work.function, plan)
    try:
        return _run_shard(workers, work, names, number=number, bar=ProgressBar("", len(names), quiet=True))
    finally:
        workers.close()


def count_done(plan: ShardPlan, work: ShardWork) -> int:
    """Number of shards of all parts that are done."""
    return sum(is_done(work, number) for number in range(plan.count))


def is_done(work: ShardWork, number: int) -> bool:
    """Whether a shard is done: all of its tables are there."""
    return all(_part_path(work.folder, table, number).is_file() for table in work.schemas)


def _part_path(folder: Path, table: str, number: int) -> Path:
    return folder / table / f"part-{number:05d}.parquet"


def _run_shard(workers: "_Workers", work: ShardWork, names: Sequence[str], *, number: int, bar: ProgressBar) -> int:
    rows = _ShardRows(work.schemas, names, dict(work.known(names)) if work.known else {})
    wanted = [name for name in names if name not in rows.by_file]
    bar.update(len(rows.by_file))
    for name, found, problem in workers.run(wanted):
        rows.add(name, work.failure(name, problem) if found is None else found)
        bar.update()
    for table, content in rows.files().items():
        write_bytes(_part_path(work.folder, table, number), content)
    return len(wanted)


@dataclass
class _ShardRows:
    """Rows of a shard's tables in the order of its files; some hundred files at a time become Parquet, which is small.

    Attributes:
        schemas: of each table.
        names: of the shard's files.
        by_file: rows of files that are not in a table yet: those that were finished before an earlier one.
    """

    schemas: Mapping[str, pa.Schema]
    names: Sequence[str]
    by_file: dict[str, FileRows]
    _complete: int = 0
    _converted: int = 0

    def __post_init__(self) -> None:
        self._buffers = {table: pa.BufferOutputStream() for table in self.schemas}
        self._writers = {table: pq.ParquetWriter(self._buffers[table], self.schemas[table]) for table in self.schemas}

    def add(self, name: str, rows: FileRows) -> None:
        """Add the rows of one file."""
        self.by_file[name] = rows
        while self._complete < len(self.names) and self.names[self._complete] in self.by_file:
            self._complete += 1
        while self._complete - self._converted >= _FILES_AT_ONCE:  # the same row groups, whichever file came first
            self._convert(self._converted + _FILES_AT_ONCE)

    def files(self) -> dict[str, memoryview]:
        """Content of the Parquet file of each table, once all files have rows."""
        while self._converted < len(self.names):
            self._convert(min(self._converted + _FILES_AT_ONCE, len(self.names)))
        for writer in self._writers.values():
            writer.close()
        return {table: memoryview(buffer.getvalue()) for table, buffer in self._buffers.items()}

    def _convert(self, end: int) -> None:
        files = [self.by_file.pop(name) for name in self.names[self._converted : end]]
        for table, schema in self.schemas.items():
            found = pa.Table.from_pylist([row for rows in files for row in rows.get(table, [])], schema=schema)
            self._writers[table].write_table(found)
        self._converted = end


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    name: str | None = None
    since: float = 0.0
    files: int = 0


class _Workers:
    """Worker processes that take one file at a time, and are replaced when one dies or hangs."""

    def __init__(self, function: FileFunction, plan: ShardPlan) -> None:
        self._function, self._plan = function, plan
        self._context = multiprocessing.get_context("forkserver")
        self._workers: list[_Worker] = []

    def run(self, names: Sequence[str]) -> Iterator[tuple[str, FileRows | None, str]]:
        """Name, rows (None for a failure) and reason of each file, as they are finished."""
        waiting = list(reversed(names))
        while waiting or any(worker.name is not None for worker in self._workers):
            while len(self._workers) < min(self._plan.processes, len(waiting)):
                self._workers.append(self._start())
            for worker in self._workers:
                if worker.name is None and waiting:
                    worker.name, worker.since = waiting.pop(), time.monotonic()
                    worker.pipe.send(worker.name)
            yield from self._collect()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def _collect(self) -> Iterator[tuple[str, FileRows | None, str]]:
        busy = [worker for worker in self._workers if worker.name is not None]
        ready = wait([worker.pipe for worker in busy], timeout=0.5)
        for worker in busy:
            name, problem, rows, is_lost = str(worker.name), "", None, False
            if worker.pipe in ready:
                try:
                    rows, problem = worker.pipe.recv()
                except (EOFError, OSError):
                    problem, is_lost = "its process ended", True
                if isinstance(problem, StorageError):
                    raise problem
            elif time.monotonic() - worker.since > self._plan.seconds_per_file:
                problem, is_lost = f"not finished in {self._plan.seconds_per_file:g} s", True
            else:
                continue
            worker.name, worker.files = None, worker.files + 1
            if is_lost or worker.files >= _FILES_PER_WORKER:
                self._replace(worker)
            yield name, rows, problem

    def _replace(self, worker: _Worker) -> None:
        self._end(worker)
        self._workers.remove(worker)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._function), daemon=True)
        process.start()
        theirs.close()
        if not ours.poll(_SECONDS_TO_START) or ours.recv() != _READY:
            process.kill()
            raise StorageError("A worker process does not start", do="free some memory, or use fewer --processes")
        return _Worker(process, ours)

    def _end(self, worker: _Worker) -> None:
        worker.pipe.close()
        worker.process.terminate()
        worker.process.join(2)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(pipe: Connection, function: FileFunction) -> None:
    """A worker: names in, rows out, until the pipe is closed."""
    import signal

    from firstread.core.errors import FirstreadError

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    pipe.send(_READY)  # the time of a file begins when everything is imported
    while True:
        try:
            name = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[Any, object] = function(name), ""
        except StorageError as error:
            is_disk = isinstance(error.__cause__, OSError)  # no fault of the file: the next one would meet it too
            answer = None, error if is_disk else error.what
        except FirstreadError as error:
            answer = None, error.what
        except Exception as error:  # its text may hold a patient's values
            answer = None, f"an error that was not foreseen ({type(error).__name__})"
        pipe.send(answer)
