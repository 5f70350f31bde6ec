"""Damaged files are refused when they are opened, or can be read to the last frame; none crashes a decoder."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from . import mutations


def fates(folder: Path) -> Counter:
    """Number of files by what became of them; the process that read them must have lived to the end."""
    process = subprocess.run(
        [sys.executable, mutations.__file__, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    lines = process.stdout.splitlines()
    assert process.returncode == 0, (lines[-1:], process.stderr[-500:])
    bad = [line for line in lines if line.split("\t")[1].split()[0] not in ("refused", "read")]
    assert not bad
    return Counter(line.split("\t")[1] for line in lines)


def sources(shared_data: Path, tmp_path: Path) -> list[Path]:
    (tmp_path / "whole").mkdir()
    pictures = mutations.make_pictures(tmp_path / "whole")
    return [*pictures, *(shared_data / name for name in mutations.REAL_FILES)]


@pytest.mark.parametrize(("each", "seed"), [(6, 0), pytest.param(60, 1, marks=pytest.mark.slow)])
def test_what_opens_can_be_read(shared_data, tmp_path, each, seed):
    folder = tmp_path / "mutated"
    folder.mkdir()
    written = mutations.write_mutations(sources(shared_data, tmp_path), folder, each=each, seed=seed)
    counts = fates(folder)
    assert sum(counts.values()) == written
    assert min(counts["refused"], counts["read"]) > written // 10


def test_whole_files_are_read(shared_data, tmp_path):
    assert {mutations.read_all(path) for path in sources(shared_data, tmp_path)} == {"read"}
