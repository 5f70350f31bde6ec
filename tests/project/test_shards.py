"""Shards: the same result with any number of parts, processes and interruptions; a bad file costs one row."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import DataError, SettingError, StorageError
from firstread.project.shards import ShardPlan, ShardWork, count_done, run_shards

SCHEMA = pa.schema({"file": pa.string(), "reason": pa.string()})


def work(folder, name):
    """Called in a worker: does what the name of the file says."""
    with open(Path(folder) / "calls", "a") as file:
        file.write(f"{name}\n")
    if name.startswith("hang"):
        time.sleep(60)
    if name.startswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("refuse"):
        raise DataError("It cannot be read", where="SECRET")
    if name.startswith("full"):
        raise StorageError("The disk is full", where=folder) from OSError(28, "full")
    if name.startswith("large"):
        raise StorageError("The image is too large for this computer's memory")
    if name.startswith("crash"):
        raise ValueError("SECRET^PERSON")
    return {"files": [{"file": name, "reason": ""}]}


def failed(name, reason):
    return {"files": [{"file": name, "reason": reason}]}


def run(tmp_path, names, **settings):
    tmp_path.mkdir(exist_ok=True)
    plan = ShardPlan(names, **settings)
    return run_shards(work_in(tmp_path), plan)


def work_in(tmp_path, **more):
    return ShardWork(partial(work, str(tmp_path)), failed, tmp_path, {"files": SCHEMA}, **more)


def table(tmp_path):
    return pq.read_table(tmp_path / "files").to_pydict()


def test_a_bad_file_costs_one_row(tmp_path):
    names = ["a", "refuse1", "crash1", "die1", "hang1", "b", "c"]
    assert run(tmp_path, names, processes=2, seconds_per_file=2) == 7
    reasons = dict(zip(*table(tmp_path).values(), strict=True))
    assert reasons == {
        "a": "",
        "b": "",
        "c": "",
        "refuse1": "It cannot be read",
        "crash1": "an error that was not foreseen (ValueError)",
        "die1": "its process ended",
        "hang1": "not finished in 2 s",
    }


def test_parts_and_processes_make_the_same_files(tmp_path):
    names = [f"f{number}" for number in range(23)]
    one, many = tmp_path / "one", tmp_path / "many"
    for folder in (one, many):
        folder.mkdir()
    run(one, names, size=5)
    for part in (3, 1, 2):
        run(many, list(reversed(names)), size=5, part=(part, 3), processes=2)
    parts = sorted(path.name for path in (one / "files").iterdir())
    assert len(parts) == 5
    for part in parts:
        assert (one / "files" / part).read_bytes() == (many / "files" / part).read_bytes()


def test_what_is_done_is_not_done_again(tmp_path):
    names = [f"f{number}" for number in range(10)]
    run(tmp_path, names, size=4)
    (tmp_path / "files" / "part-00001.parquet").unlink()
    assert count_done(ShardPlan(names, size=4), work_in(tmp_path)) == 2
    (tmp_path / "calls").unlink()
    assert run(tmp_path, names, size=4) == 4
    assert len((tmp_path / "calls").read_text().split()) == 4
    assert sorted(table(tmp_path)["file"]) == sorted(names)


def test_other_files_are_another_plan():
    assert ShardPlan(["a", "b"]).digest == ShardPlan(["b", "a"]).digest
    assert ShardPlan(["a", "b"]).digest != ShardPlan(["a", "c"]).digest != ShardPlan(["a", "c"], size=1).digest


@given(st.lists(st.text(min_size=1), unique=True, max_size=40), st.integers(1, 5), st.integers(1, 7))
def test_every_file_is_in_one_part(names, parts, size):
    found = [
        name
        for part in range(1, parts + 1)
        for _, shard in ShardPlan(names, part=(part, parts), size=size).shards()
        for name in shard
    ]
    assert sorted(found) == sorted(names)


@pytest.mark.parametrize("part", [(0, 2), (3, 2), (1, 0)])
def test_an_impossible_part_is_refused(part):
    with pytest.raises(SettingError, match="is not possible"):
        ShardPlan(["a"], part=part)


def test_a_full_disk_ends_the_run_and_is_no_fault_of_the_file(tmp_path):
    run(tmp_path / "large", ["a", "large1"])
    assert "The image is too large for this computer's memory" in table(tmp_path / "large")["reason"]
    with pytest.raises(StorageError, match="The disk is full"):
        run(tmp_path, ["a", "full1", "b"])
    assert not (tmp_path / "files").exists()


def test_rows_that_are_known_are_not_made_again(tmp_path):
    known = {"a": {"files": [{"file": "a", "reason": "known"}]}}
    run_shards(work_in(tmp_path, known=lambda names: known), ShardPlan(["a", "b"]))
    assert dict(zip(*table(tmp_path).values(), strict=True)) == {"a": "known", "b": ""}
    assert (tmp_path / "calls").read_text().split() == ["b"]


def test_rows_of_another_basis_are_not_taken(tmp_path):
    assert ShardPlan(["a"]).digest != ShardPlan(["a"], basis="other").digest
