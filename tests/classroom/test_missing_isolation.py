"""A system that allows no namespaces: a class serves its own computer only, and says what is missing."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("participants are kept apart on Linux", allow_module_level=True)

from firstread.classroom.sandbox.sandbox import missing_isolation

from .live_class import participant, run_async, run_class

pytestmark = pytest.mark.skipif(missing_isolation() != "", reason=f"not possible here: {missing_isolation()}")
#: runs firstread as root of a container without CAP_SYS_ADMIN, or as an ordinary user who may not make namespaces
RESTRICTED = """
import os, sys
from pathlib import Path
from firstread.classroom.sandbox.syscalls import libc_call

CAP_SYS_ADMIN, PR_CAPBSET_DROP, CLONE_NEWUSER = 21, 24, 0x10000000
uid, gid = os.getuid(), os.getgid()
if uid == 0:
    libc_call("prctl", PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0)
else:
    libc_call("unshare", CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
PYTHON = (sys.executable, "-c", RESTRICTED)


def test_what_is_missing_is_said():
    code = "from firstread.classroom.sandbox.sandbox import missing_isolation; print(missing_isolation())"
    told = subprocess.run([*PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout
    assert ("CAP_SYS_ADMIN" if os.geteuid() == 0 else "kernel.unprivileged_userns_clone") in told


def test_other_computers_are_not_served(tmp_path):
    command = [*PYTHON, "-m", "firstread", "class", "start", "--host", "0.0.0.0"]
    environment = {**os.environ, "FIRSTREAD_HOME": str(tmp_path)}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert ran.returncode == 1
    said = " ".join((ran.stdout + ran.stderr).split())
    assert "Participants' code cannot be kept apart here" in said
    assert "--trust-everyone" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_this_computer_is_served(tmp_path):
    async def story(folder):
        async with participant(folder) as ana:
            await ana.join("Ana")
            await ana.open_server(timeout_seconds=120)
            await ana.read_code_cells("hello-world.ipynb")
            await ana.start_kernel("hello-world.ipynb")
            assert (await ana.run_cell("print(6 * 7)"))["text"] == "42\n"

    with run_class(tmp_path, python=PYTHON) as (_, folder):
        run_async(story(folder))
