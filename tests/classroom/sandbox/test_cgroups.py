"""Cgroups of participants, versions 1 and 2: limits, and what happens where they cannot be had."""

import os
import subprocess
import sys
import uuid

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("cgroups are Linux's", allow_module_level=True)

from firstread.classroom.sandbox.cgroups import (
    CGROUP_ROOT,
    Cgroup,
    class_cgroup,
    create_participant_cgroup,
    kernels_memory_bytes,
)

FILES = {1: ("memory.limit_in_bytes", "pids.max", "cpu.shares"), 2: ("memory.max", "pids.max", "cpu.weight")}


@pytest.fixture
def made(monkeypatch):
    """Cgroup file systems make their files in each new folder; this does the same."""

    def of_version(root, version):
        mkdir = type(root).mkdir

        def make(self, *args, **kwargs):
            mkdir(self, *args, **kwargs)
            for name in ("cgroup.subtree_control", *FILES[version]) if version == 2 else FILES[version]:
                if version == 2 or name.split(".")[0] in self.parts:
                    (self / name).write_text("")

        root.mkdir()
        if version == 2:
            (root / "cgroup.controllers").write_text("cpu memory pids")
            (root / "cgroup.subtree_control").write_text("")
        else:
            for name in ("memory", "pids", "cpu"):
                (root / name).mkdir()
        monkeypatch.setattr(type(root), "mkdir", make)
        return root

    return of_version


@pytest.mark.parametrize("version", [1, 2])
def test_a_participant_gets_limits_of_memory_and_processes(tmp_path, made, version):
    root = made(tmp_path / "cgroup", version)
    group = create_participant_cgroup("firstread-abc", "kernel", "p1-aa", root=root)
    assert group is not None
    assert group.has_cpu_weight
    memory, processes, weight = FILES[version]
    limits = {
        name: next(folder / name for folder in group.folders if (folder / name).exists()) for name in FILES[version]
    }
    assert int(limits[memory].read_text()) == kernels_memory_bytes()
    assert int(limits[processes].read_text()) == 800
    of_kind = [folder.parent / weight for folder in group.folders if (folder.parent / weight).exists()]
    assert [file.read_text() for file in of_kind] == [{1: "337", 2: "33"}[version]]
    assert {folder.parent.parent for folder in group.folders} == set(class_cgroup("firstread-abc", root=root).folders)
    if version == 2:
        assert (root / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


@pytest.mark.parametrize("version", [1, 2])
def test_without_a_controller_of_the_cpu_the_limits_are_kept_and_niceness_has_to_do(tmp_path, made, version):
    root = made(tmp_path / "cgroup", version)
    if version == 2:
        (root / "cgroup.controllers").write_text("memory pids")
    else:
        (root / "cpu").rmdir()
        (root / "cpu").write_text("not a folder")
    group = create_participant_cgroup("firstread-abc", "kernel", "p1-aa", root=root)
    assert group is not None
    assert not group.has_cpu_weight


def test_without_the_memory_controller_there_is_none(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids")
    assert create_participant_cgroup("firstread-abc", "server", "p1-aa", root=tmp_path) is None


def test_where_nothing_may_be_created_there_is_none(tmp_path):
    assert create_participant_cgroup("firstread-abc", "server", "p1-aa", root=tmp_path / "nowhere") is None


def _may_create():
    name = f"firstread-test-{uuid.uuid4().hex[:8]}"
    group = create_participant_cgroup(name, "kernel", "probe")
    class_cgroup(name).remove()
    return group is not None


BOMB = """
import mmap, subprocess, sys
from pathlib import Path
from firstread.classroom.sandbox.cgroups import Cgroup
Cgroup(tuple(map(Path, sys.argv[1:]))).add_this_process()
memory = mmap.mmap(-1, 2**28)
for start in range(0, 2**28, 4096):
    memory[start] = 1
print("filled")
"""


@pytest.mark.skipif(os.geteuid() != 0 or not _may_create(), reason="this user may not create cgroups here")
def test_shared_memory_counts_and_the_cgroup_goes_with_the_class():
    name = f"firstread-test-{uuid.uuid4().hex[:8]}"
    group = create_participant_cgroup(name, "kernel", "p1-aa")
    try:
        names = ("memory.max", "memory.limit_in_bytes")
        (limit,) = [folder / name for folder in group.folders for name in names if (folder / name).exists()]
        limit.write_text(str(2**27))
        command = [sys.executable, "-c", BOMB, *map(str, group.folders)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == -9, ran.stderr
        assert "filled" not in ran.stdout
    finally:
        class_cgroup(name).remove()
    assert not any(folder.exists() for folder in class_cgroup(name).folders)


def test_removal_of_what_is_not_there_is_no_error(tmp_path):
    Cgroup((tmp_path / "nowhere",)).remove()
    assert CGROUP_ROOT.name == "cgroup"
