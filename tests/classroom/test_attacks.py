"""Attacks on a running class, from a participant's notebook and from their browser: all must be refused.

`make attack` runs them as root and as an ordinary user, and writes what each one got into docs/explanation/security.md.
The numbers (S1, ...) are those of the findings of the attack of 27 November 2026.
"""

import json
import os
from http.cookies import Morsel
from urllib.parse import urlsplit

import aiohttp
import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from yarl import URL

from firstread.classroom.rate_limits import MAX_FAILURES
from firstread.classroom.sandbox.sandbox import missing_isolation

from .live_class import kernel_process, participant, run_async

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_isolation() != "", reason=f"not possible here: {missing_isolation()}"),
]
NOTEBOOK = "hello-world.ipynb"

#: configuration of every kind that a Jupyter server may look for, each leaving a mark when it is loaded
HOSTILE_CONFIGURATION = r"""
import json, pathlib
home = pathlib.Path.home()
mark = "open({!r}, 'a').write('loaded ')".format(str(home / "mark.txt"))
for folder in (".jupyter", ".", ".local/etc/jupyter", ".local/share/jupyter"):
    (home / folder).mkdir(parents=True, exist_ok=True)
    for name in ("jupyter_config.py", "jupyter_server_config.py", "jupyter_lab_config.py", "jupyter_notebook_config.py",
                 "jupyterhub_singleuser_config.py", "sitecustomize.py", "usercustomize.py", "jupyter_server.py"):
        (home / folder / name).write_text(mark)
(home / "hostile_extension.py").write_text(mark + "\ndef _load_jupyter_server_extension(app): pass\n"
    "def _jupyter_server_extension_points(): return [{'module': 'hostile_extension'}]\n")
for folder in (".jupyter/jupyter_server_config.d", ".local/etc/jupyter/jupyter_server_config.d"):
    (home / folder).mkdir(parents=True, exist_ok=True)
    (home / folder / "hostile.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": {"hostile_extension": True}, "terminals_enabled": True}}))
for folder in (".local/share/jupyter/kernels/evil", ".local/share/jupyter/kernels/python3", ".ipython/kernels/evil2"):
    (home / folder).mkdir(parents=True, exist_ok=True)
    (home / folder / "kernel.json").write_text(json.dumps({"argv": ["python3", "-m", "ipykernel_launcher", "-f",
        "{connection_file}"], "display_name": "evil", "language": "python", "env": {"EVIL": "1"}}))
print("written")
"""


#: finding, attack, code of a notebook's cell: whatever it prints after "got " is what it got
KERNEL_ATTACKS = [
    ("S3", "the class's folder", "got(os.listdir(CLASS))"),
    ("S3", "the hub's cookie secret", "got(open(CLASS + '/hub/cookie_secret', 'rb').read())"),
    ("S3", "the same through a link", "os.symlink(CLASS + '/hub', 'way'); got(os.listdir('way'))"),
    ("S3", "a secret folder in Python's search path", "got([p for p in sys.path if p.startswith(CLASS + '/hub')][0])"),
    ("S3", "the neighbour's home", "got(os.listdir(CLASS + '/homes/' + NEIGHBOUR))"),
    ("S3", "the neighbour's log", "got(open(CLASS + '/homes/' + NEIGHBOUR + '/.firstread/kernel.log').read())"),
    ("S3", "the home of whoever started the class", "got(os.listdir(INSTRUCTOR_HOME))"),
    ("S3", "a token in the environment", "got([n for n in os.environ if 'TOKEN' in n and 'QUEUE' not in n][0])"),
    ("S4", "the neighbour's sockets in /proc", "got([n for n in sockets() if NEIGHBOUR in n][0])"),
    ("S4", "the neighbours' folders of sockets", "got([n for n in os.listdir(SOCKETS) if NEIGHBOUR in n][0])"),
    ("S4", "connecting to the neighbour's kernel", "connect(NEIGHBOUR_SOCKET)"),
    ("S4", "listening to the neighbour's outputs", "listen(NEIGHBOUR_SOCKET)"),
    ("S4", "an abstract socket", "connect(chr(0) + 'firstread-attack')"),
    ("S4", "the neighbour's processor cores", "os.sched_setaffinity(PID, [0]); got('set')"),
    ("S4", "the neighbour's priority", "os.setpriority(os.PRIO_PROCESS, PID, 19); got('set')"),
    ("S4", "the neighbour's limits", "import resource; got(resource.prlimit(PID, resource.RLIMIT_NOFILE))"),
    ("S4", "the neighbour's open files", "got(os.listdir(f'/proc/{PID}/fd'))"),
    ("S4", "the neighbour's memory", "got(open(f'/proc/{PID}/mem', 'rb').read(1))"),
    ("S4", "killing the neighbour", "os.kill(PID, 9); got('killed')"),
    ("S4", "attaching to a process (ptrace)", "attach()"),
    (
        "S5",
        "a UDP packet",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9)); got('sent')",
    ),
    ("S5", "the hub's port", "reach(HUB)"),
    ("S5", "the service's port", "reach(SERVICE)"),
    ("S5", "the same from a program of its own", "reach_from_program(HUB)"),
    ("S5", "a namespace in which it is root", "subprocess.run(['unshare', '-Ur', 'true'], check=True); got('root')"),
    ("S5", "a mount", "subprocess.run(['mount', '-t', 'tmpfs', 'none', '.'], check=True); got('mounted')"),
    ("S8", "20 GiB of shared memory", "import mmap; mmap.mmap(-1, 20 * 2**30); got('mapped')"),
    ("S8", "64 GiB of memory", "bytearray(64 * 2**30); got('allocated')"),
    ("S8", "memory as a file (memfd)", "os.memfd_create('x'); got('made')"),
    ("S8", "1 GiB in /dev/shm", "fill('/dev/shm/x')"),
    ("S8", "1 GiB in /tmp", "fill('/tmp/x')"),
    ("S8", "2,000 processes", "fork_bomb()"),
    ("S9", "a file of 5 GiB", "open('large', 'wb').truncate(5 * 2**30); got('made')"),
    ("S9", "a folder that others read", "open(CLASS + '/queue/x', 'w'); got('written')"),
    ("S9", "the folder of the queue's socket", "open(SOCKETS + '/queue/x', 'w'); got('written')"),
    ("S9", "the lesson of all", "open(CLASS + '/template.ipynb', 'a'); got('opened')"),
    ("S10", "the machine's processes", "got([n for n in programs() if b'jupyterhub' in n][0])"),
    ("S10", "the system's passwords", "got(open('/etc/shadow').read())"),
    ("S10", "a disk", "got([open('/dev/' + n, 'rb').read(1) for n in os.listdir('/sys/class/block')][0])"),
]
PROLOGUE = """
import ctypes, os, signal, socket, subprocess, sys, zmq

def got(what):
    print("got", str(what)[:80])

def sockets():
    return [line for line in open("/proc/net/unix") if "/" in line]

def programs():
    return [open(f"/proc/{n}/cmdline", "rb").read() for n in os.listdir("/proc") if n.isdigit()]

def connect(path):
    socket.socket(socket.AF_UNIX).connect(path)
    got("connected")

def listen(path):
    subscriber = zmq.Context.instance().socket(zmq.SUB)
    subscriber.RCVTIMEO, subscriber.LINGER = 3000, 0
    subscriber.subscribe(b"")
    subscriber.connect("ipc://" + path)
    got(subscriber.recv_multipart())

def attach():
    library = ctypes.CDLL(None, use_errno=True)
    if library.ptrace(16, os.getppid(), 0, 0):
        raise OSError(os.strerror(ctypes.get_errno()))
    got("attached")

def reach(port):
    socket.create_connection(("127.0.0.1", port), 3)
    got("connected")

def reach_from_program(port):
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
    got(subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL))

def fill(path):
    try:
        with open(path, "wb") as file:
            for _ in range(1024):
                file.write(bytes(2**20))
        got("written")
    finally:
        os.unlink(path)

def fork_bomb():
    pids = []
    try:
        for _ in range(2000):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            pids.append(pid)
        got("forked")
    finally:
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
"""


@pytest.fixture
def record():
    """Function that notes what an attack got, for the table in the documentation."""

    def note(finding, attack, result):
        if log := os.environ.get("FIRSTREAD_ATTACK_LOG"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps([finding, attack, result]) + "\n")

    return note


async def arrive(person, name):
    await person.join(name)
    await person.open_server()
    await person.read_code_cells(NOTEBOOK)
    await person.start_kernel(NOTEBOOK)


async def restart_server(person):
    """End the participant's server through the hub, as its control panel does, and start it again."""
    url = f"{person.address}/hub/api/users/{person.username}/server"
    await person._get(f"{person.address}/hub/home")
    cookies = person.session.cookie_jar.filter_cookies(URL(f"{person.address}/hub/"))
    headers = {"X-XSRFToken": cookies["_xsrf"].value, "Referer": f"{person.address}/hub/home"}
    async with person.session.delete(url, headers=headers) as answer:
        assert answer.status in (202, 204), await answer.text()
    await person.open_server()


def test_the_cookies_of_a_server_are_sent_to_no_other_server(folder):
    async def story():
        async with participant(folder) as ana, participant(folder) as bea:
            for person, name in ((ana, "Ana"), (bea, "Bea")):
                await person.join(name)
                await person.open_server()
                own: list[Morsel] = [cookie for cookie in person.session.cookie_jar if person.username in cookie.key]
                assert own, "the server has set a cookie"
                assert {cookie["path"] for cookie in own} == {f"/user/{person.username}/"}
            neighbours = ana.session.cookie_jar.filter_cookies(URL(f"{bea.server_url}/"))
            assert not [name for name in neighbours if name.startswith("jupyterhub-user-")]

    run_async(story())


def test_nothing_in_a_participants_home_configures_their_server(folder):
    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            assert (await ana.run_cell(HOSTILE_CONFIGURATION))["text"] == "written\n"
            await restart_server(ana)
            await ana.read_code_cells(NOTEBOOK)
            await ana.start_kernel(NOTEBOOK)
            mark = folder.home_of(ana.username) / "mark.txt"
            kernels = (await ana.api_request("GET", "kernelspecs"))["kernelspecs"]
            assert list(kernels) == ["python3"]
            assert kernels["python3"]["spec"]["display_name"] == "Python 3"
            with pytest.raises(Exception, match="The server answered"):
                await ana.api_request("POST", "kernels", name="evil")
            secret = "n.startswith(('JUPYTERHUB', 'EVIL')) or 'TOKEN' in n"
            inside = await ana.run_cell(f"import os; print([n for n in os.environ if {secret}])")
            assert inside["text"].strip() == "[]"
            with pytest.raises(Exception, match="The server answered"):
                await ana.api_request("POST", "terminals")
            assert not mark.exists()
        async with aiohttp.ClientSession() as stranger, stranger.get(f"{ana.server_url}/api/status") as answer:
            assert answer.status in (401, 403) or "login" in str(answer.url)

    run_async(story())


def test_a_kernel_gets_nothing_that_is_not_its_own(folder, record):
    async def story():
        async with participant(folder) as eve, participant(folder) as ana:
            await arrive(ana, "Ana")
            await arrive(eve, "Eve")
            sockets = folder.sockets_folder_of(ana.username)
            values = {
                "CLASS": str(folder.path),
                "SOCKETS": str(folder.sockets_folder),
                "INSTRUCTOR_HOME": os.path.expanduser("~"),
                "NEIGHBOUR": ana.username,
                "NEIGHBOUR_SOCKET": str(next(sockets.glob("*-ipc-1"), sockets / "ipc-1")),
                "ME": eve.username,
                "PID": kernel_process(folder, ana.username).pid,
                "HUB": folder.ports["hub"],
                "SERVICE": folder.ports["service"],
            }
            await eve.run_cell(PROLOGUE + "\n".join(f"{name} = {value!r}" for name, value in values.items()))
            successes = []
            for finding, attack, code in KERNEL_ATTACKS:
                answer = await eve.run_cell(code, timeout_seconds=60)
                if "got " in answer["text"]:
                    successes.append((attack, answer["text"]))
                said = f"{answer['ename']}: {answer['evalue']}" if answer["status"] == "error" else answer["text"]
                record(finding, attack, "refused: " + said.strip()[:90])
            assert not successes
            assert (await ana.run_cell("print(6 * 7)"))["text"] == "42\n", "the neighbour has noticed nothing"
            assert (await eve.run_cell("print(1)"))["text"] == "1\n", "and the attacker can go on with the lesson"

    run_async(story())


def test_a_kernel_reads_none_of_the_classes_secrets(folder):
    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            paths = [
                folder.path / "hub" / "cookie_secret",
                folder.path / "hub" / "hub.sqlite",
                folder.path / "class.json",
            ]
            paths += [folder.path / "class.sqlite", folder.path / "log" / "hub.log"]
            code = f"for path in {[str(path) for path in paths]!r}:\n    try: print(len(open(path, 'rb').read()))\n"
            told = await ana.run_cell(code + "    except OSError as error: print(type(error).__name__)")
            assert set(told["text"].split()) <= {"PermissionError", "FileNotFoundError"}
            assert len(told["text"].split()) == len(paths)

    run_async(story())


def test_guesses_from_inside_are_counted_whatever_address_they_claim(folder):
    async def story():
        hub = f"http://127.0.0.1:{folder.ports['hub']}/hub/login"  # as a participant's server reaches it
        statuses = []
        for number in range(MAX_FAILURES + 5):
            headers = {"X-Forwarded-For": f"10.1.{number}.1", "Sec-Fetch-Mode": "navigate"}
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as inside:
                async with inside.get(hub) as page:
                    token = (await page.text()).split('name="_xsrf" value="')[1].split('"')[0]
                form = {"_xsrf": token, "code": "WRONG1", "name": "Eve", "word": ""}
                async with inside.post(hub, data=form) as answer:
                    statuses.append(answer.status)
        assert (statuses[0], statuses[-1]) == (403, 429)
        async with participant(folder) as ana:  # and nobody else is kept out by it
            await ana.join("Ana")

    run_async(story())


def test_a_request_from_inside_reaches_no_instructor_page(folder):
    async def story():
        service = f"http://127.0.0.1:{folder.ports['service']}{urlsplit(folder.service_url).path}"
        async with aiohttp.ClientSession() as inside:
            for path in ("", "stream", "api/progress", "projector"):
                async with inside.get(f"{service}{path}", allow_redirects=False) as answer:
                    assert answer.status in (303, 401), path

    run_async(story())


def test_what_was_measured_of_the_machine_reaches_participants(folder):
    async def story():
        measured = folder.path / "machine.json"  # written by the class itself, or by one before it in the same folder
        if not measured.exists():
            measured.write_text("{}")
            measured.chmod(0o644)
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            assert (folder.home_of(ana.username) / ".firstread" / "machine.json").read_text() == measured.read_text()

    run_async(story())
