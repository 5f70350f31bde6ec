"""Sandbox: allowed and forbidden operations, tried inside a sandboxed process."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("participants are kept apart on Linux", allow_module_level=True)

from firstread.classroom.sandbox import landlock
from firstread.classroom.sandbox.sandbox import missing_isolation, python_folders, readable_parent

pytestmark = pytest.mark.skipif(missing_isolation() != "", reason=f"not possible here: {missing_isolation()}")
ROOT = os.geteuid() == 0
USERS = [None, 1_999_990_001] if ROOT else [None]
FRAME = """
import json, mmap, os, signal, socket, subprocess, sys
from pathlib import Path
from firstread.classroom.sandbox.sandbox import Sandbox, python_folders
home, neighbour, user, parent = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
if user is not None:
    os.chown(home, user, user)
{begin}
sandbox = {sandbox}

def attempt(name, deed):
    try:
        print(json.dumps([name, "done", str(deed())[:200]]), flush=True)
    except BaseException as error:
        print(json.dumps([name, type(error).__name__, str(error)[:200]]), flush=True)

def main():
{code}

from firstread.classroom.sandbox.init import start_sandboxed
from firstread.classroom.sandbox.syscalls import become_subreaper
become_subreaper()
pid = start_sandboxed(sandbox, main)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
SANDBOX = (
    "Sandbox(read_paths=tuple(python_folders()), write_paths=(home,), network=False, uid=user, memory_bytes=2**31)"
)


@pytest.fixture
def homes(tmp_path_factory):
    homes = [tmp_path_factory.mktemp(name) for name in ("mine", "neighbours")]
    for home in homes:
        home.chmod(0o700)
    (homes[1] / "secret.txt").write_text("a neighbour's work")
    return homes


def inside(homes, user, code, *, sandbox=SANDBOX, begin="pass"):
    """Run `code` in the sandbox; name -> (error type or "done", text)."""
    whole = FRAME.format(begin=begin, sandbox=sandbox, code=textwrap.indent(textwrap.dedent(code), "    "))
    words = [
        sys.executable,
        "-c",
        whole,
        *map(str, homes),
        json.dumps(user),
        str(os.getpid()),
        *os.listdir("/sys/class/block"),
    ]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert told, ran.stderr[-2000:]
    return {name: (kind, text) for name, kind, text in told}


@pytest.mark.parametrize("user", USERS)
def test_work_goes_on_as_usual(homes, user):
    told = inside(
        homes,
        user,
        """
        attempt("write", lambda: (home / "x.txt").write_text("mine"))
        attempt("read", lambda: (home / "x.txt").read_text())
        attempt("import", lambda: __import__("scipy.stats") and __import__("nbformat"))
        attempt("shell", lambda: os.popen("echo hello").read())
        attempt("pair", lambda: socket.socketpair())
        attempt("itself", lambda: os.kill(os.getpid(), 0))
        """,
    )
    assert {name: kind for name, (kind, _) in told.items()} == dict.fromkeys(told, "done"), told
    assert told["read"][1] == "mine"


@pytest.mark.parametrize("user", USERS)
def test_neighbours_and_the_machine_are_out_of_reach(homes, user):
    told = inside(
        homes,
        user,
        """
        attempt("neighbour's file", lambda: (neighbour / "secret.txt").read_text())
        attempt("neighbour's folder", lambda: os.listdir(neighbour))
        attempt("writing there", lambda: (neighbour / "x").write_text("x"))
        attempt("a link to it", lambda: (os.symlink(neighbour, home / "link"), os.listdir(home / "link"))[1])
        attempt("passwords", lambda: open("/etc/shadow").read())
        attempt("the host's home", lambda: os.listdir(os.path.expanduser("~root")))
        attempt("somebody's environment", lambda: open(f"/proc/{parent}/environ", "rb").read())
        attempt("somebody's memory", lambda: open(f"/proc/{parent}/mem", "rb").read(1))
        attempt("a signal", lambda: os.kill(parent, 0))
        attempt("memory of the machine", lambda: open("/dev/mem", "rb").read(1))
        for disk in sys.argv[5:]:
            attempt(disk, lambda: open(f"/dev/{disk}", "rb").read(1))
        attempt("another user", lambda: os.setuid(0 if user or os.getuid() else 12345))
        from firstread.classroom.sandbox import namespaces
        attempt("mounting", lambda: namespaces._mount("none", home, "tmpfs", 0))
        attempt("namespaces", lambda: namespaces.unshare_namespaces(network=True))
        attempt("namespaces of a child", lambda: subprocess.run(["unshare", "-Ur", "true"], check=True))
        attempt("a process of the machine", lambda: open(f"/proc/{parent}/cmdline").read())
        attempt("the machine's processes", lambda: [n for n in os.listdir("/proc") if n.isdigit() and int(n) > 20][0])
        attempt("its sockets", lambda: [line for line in open("/proc/net/unix") if "/" in line][0])
        attempt("its priority", lambda: os.setpriority(os.PRIO_PROCESS, parent, 19))
        attempt("its cores", lambda: os.sched_setaffinity(parent, [0]))
        """,
    )
    assert [name for name, (kind, _) in told.items() if kind == "done"] == [], told


@pytest.mark.parametrize("user", USERS)
def test_there_is_no_network(homes, user):
    told = inside(
        homes,
        user,
        """
        attempt("tcp", lambda: socket.socket())
        attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        attempt("ipv6", lambda: socket.socket(socket.AF_INET6))
        attempt("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        child = sys.executable + " -c 'import socket; socket.socket(); print(1)' 2>&1"
        attempt("a child's", lambda: os.popen(child).read().strip()[-1] == "1" or 1/0)
        """,
    )
    assert [name for name, (kind, _) in told.items() if kind == "done"] == [], told


def test_a_server_reaches_its_own_ports_only(homes):
    code = """
        def listen(port):
            with socket.socket() as one:
                one.bind(("127.0.0.1", port))
        attempt("own", lambda: listen(45671))
        attempt("another", lambda: listen(45672))
        def reach(port):
            with socket.socket() as one:
                one.connect(("127.0.0.1", port))
        attempt("hub", lambda: reach(45673))
        attempt("neighbour", lambda: reach(45674))
        """
    server = "Sandbox(read_paths=tuple(python_folders()), bind_ports=(45671,), connect_ports=(45673,))"
    told = inside(homes, None, code, sandbox=server)
    if landlock.abi_version() < 4:
        pytest.skip("this Linux's Landlock knows no ports")
    assert told["own"][0] == "done"
    assert told["another"][0] == "PermissionError"
    assert told["hub"][0] == "ConnectionRefusedError", "allowed, though nobody listens"
    assert told["neighbour"][0] == "PermissionError"


@pytest.mark.parametrize("user", USERS)
def test_bombs_hurt_only_themselves(homes, user):
    told = inside(
        homes,
        user,
        """
        attempt("memory", lambda: bytearray(3 * 2**30))
        attempt("shared memory", lambda: mmap.mmap(-1, 3 * 2**30))
        attempt("memory as a file", lambda: os.memfd_create("x"))
        def fill(folder):
            with open(f"{folder}/x", "wb") as file:
                for _ in range(1024):
                    file.write(bytes(2**20))
        attempt("/tmp", lambda: fill("/tmp"))
        attempt("/dev/shm", lambda: fill("/dev/shm"))
        attempt("still there", lambda: len(bytearray(2**20)))
        def large():
            with open(home / "large", "wb") as file:
                file.truncate(5 * 2**30)
        attempt("file", large)
        import resource
        attempt("core", lambda: resource.getrlimit(resource.RLIMIT_CORE))
        attempt("sacrifice", lambda: Path("/proc/self/oom_score_adj").read_text().strip())
        """,
    )
    assert told["memory"][0] == "MemoryError"
    assert {told[name][0] for name in ("shared memory", "memory as a file", "/tmp", "/dev/shm")} == {"OSError"}, told
    assert told["still there"] == ("done", "1048576")
    assert told["file"][0] == "OSError"
    assert told["core"][1] == "(0, 0)"
    assert int(told["sacrifice"][1]) >= 500


@pytest.mark.parametrize("user", USERS[-1:])
def test_a_fork_bomb_stops(homes, user):
    told = inside(
        homes,
        user,
        """
        children = []
        def bomb():
            while len(children) < 3000:
                child = os.fork()
                if not child:
                    signal.pause()
                children.append(child)
        attempt("forks", bomb)
        attempt("count", lambda: len(children))
        for child in children:
            os.kill(child, signal.SIGKILL)
        attempt("power", lambda: [line for line in open("/proc/self/status") if line.startswith("CapEff")])
        """,
    )
    assert told["forks"][0] == "BlockingIOError"
    assert int(told["count"][1]) < 500
    assert "0000000000000000" in told["power"][1]


def test_there_is_no_way_back(homes):
    told = inside(
        homes,
        None,
        """
        from firstread.classroom.sandbox.landlock import AllowedAccess, restrict_self
        everything = AllowedAccess(read_paths=(Path("/"),), write_paths=(Path("/"),))
        attempt("again", lambda: restrict_self(everything))
        attempt("read", lambda: (neighbour / "secret.txt").read_text())
        """,
    )
    assert told["again"][0] == "done"
    assert told["read"][0] in ("PermissionError", "FileNotFoundError")


@pytest.mark.parametrize("user", USERS)
def test_neither_the_working_folder_nor_the_search_path_of_python_can_be_read(homes, user):
    told = inside(
        homes,
        user,
        """
        attempt("read", lambda: (neighbour / "secret.txt").read_text())
        attempt("list", lambda: os.listdir(neighbour))
        attempt("import", lambda: __import__("scipy.stats") and __import__("nbformat"))
        """,
        begin="os.chdir(neighbour); sys.path.insert(0, str(neighbour)); sys.path.insert(0, '')",
    )
    refused = ("PermissionError", "FileNotFoundError")  # as another user it is not even there
    assert told["read"][0] in refused
    assert told["list"][0] in refused
    assert told["import"][0] == "done"


def test_a_secret_in_a_folder_that_all_may_read_is_found(tmp_path):
    assert readable_parent(tmp_path / "classes" / "hub", [tmp_path / "elsewhere"]) is None
    assert readable_parent(tmp_path / "classes" / "hub", [tmp_path / "classes"]) == tmp_path / "classes"
    assert readable_parent(Path("/opt/firstread/classes/class/hub"), []) == Path("/opt")


def test_a_virtual_environment_that_is_reached_through_a_link_can_be_read(tmp_path, monkeypatch):
    linked = tmp_path / "venv"
    linked.symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "prefix", str(linked))
    python_folders.cache_clear()
    try:
        assert {linked, Path(os.path.realpath(linked))} <= set(python_folders())
    finally:
        python_folders.cache_clear()
