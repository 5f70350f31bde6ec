"""Attacks on a running class, from a participant's notebook and from their browser: all must be refused.

`make attack` runs them as root and as an ordinary user, and writes what each one got into docs/explanation/security.md.
The numbers (S1, ...) are those of the findings of the attack of 27 November 2026.
"""

import json
import os
import re
from http.cookies import Morsel
from urllib.parse import urlsplit

import aiohttp
import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from yarl import URL

from firstread.classroom.proxy.proxy_files import api_socket, api_token, routes_file
from firstread.classroom.rate_limits import MAX_FAILURES
from firstread.classroom.sandbox.sandbox import missing_isolation

from .live_class import kernel_process, participant, run_async

pytestmark = pytest.mark.skipif(missing_isolation() != "", reason=f"not possible here: {missing_isolation()}")
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
    ("S3", "what the class's folder holds besides the lesson", "first(set(os.listdir(CLASS)) - set(SHARED))"),
    ("S3", "the hub's cookie secret", "got(open(CLASS + '/hub/cookie_secret', 'rb').read())"),
    ("S3", "the same through a link", "os.symlink(CLASS + '/hub', 'way'); got(os.listdir('way'))"),
    ("S3", "a secret folder in Python's search path", "first(p for p in sys.path if p.startswith(CLASS + '/hub'))"),
    ("S3", "the neighbour's home", "got(os.listdir(CLASS + '/homes/' + NEIGHBOUR))"),
    ("S3", "the neighbour's log", "got(open(CLASS + '/homes/' + NEIGHBOUR + '/.firstread/kernel.log').read())"),
    ("S3", "the home of whoever started the class", "first(others(INSTRUCTOR_HOME))"),
    ("S3", "a token in the environment", "first(n for n in os.environ if 'TOKEN' in n and 'QUEUE' not in n)"),
    ("S4", "the neighbour's sockets in /proc", "first(n for n in sockets() if NEIGHBOUR in n)"),
    ("S4", "the neighbours' folders of sockets", "first(n for n in os.listdir(SOCKETS) if NEIGHBOUR in n)"),
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
    ("S10", "the machine's processes", "first(n for n in programs() if b'jupyterhub' in n)"),
    ("S10", "the system's passwords", "got(open('/etc/shadow').read())"),
    ("S10", "a disk", "got([open('/dev/' + n, 'rb').read(1) for n in os.listdir('/sys/class/block')][0])"),
]
PROLOGUE = """
import ctypes, os, socket, subprocess, sys, zmq

def got(what):
    print("got", str(what)[:80])

def first(found):
    for one in found:
        return got(one)
    raise LookupError("none to be seen")

def others(folder):
    ways = (CLASS, sys.prefix, sys.base_prefix)  # folders on the way to these are seen, with nothing else in them
    return [name for name in os.listdir(folder) if not any(way.startswith(f"{folder}/{name}") for way in ways)]

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
    processes = []
    try:
        for _ in range(2000):
            processes.append(subprocess.Popen(["sleep", "600"]))
        got("forked")
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
"""


def _shorten(text):
    """What an error said, without paths and numbers that differ each time."""
    text = re.sub(r": '/[^']*'$|\[Errno \d+\] ", "", text.strip())
    return re.sub(r"Command .* returned", "the command returned", text)[:100]


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


def test_the_cookies_of_a_server_are_sent_to_no_other_server(folder, record):
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
    record(
        "S2", "the login cookie of a participant on a neighbour's server", "not sent: its path is the participant's own"
    )


def test_nothing_in_a_participants_home_configures_their_server(folder, record):
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
            secret = "n.startswith(('JUPYTERHUB', 'EVIL')) or ('TOKEN' in n and n != 'FIRSTREAD_QUEUE_TOKEN')"
            inside = await ana.run_cell(f"import os; print([n for n in os.environ if {secret}])")
            assert inside["text"].strip() == "[]"
            with pytest.raises(Exception, match="The server answered"):
                await ana.api_request("POST", "terminals")
            assert not mark.exists()
        async with aiohttp.ClientSession() as stranger, stranger.get(f"{ana.server_url}/api/status") as answer:
            assert answer.status in (401, 403) or "login" in str(answer.url)

    run_async(story())
    record(
        "S1, S5",
        "configuration, extension, start-up file or kernel of their own",
        "none is loaded; a kernel of their own and a terminal are refused",
    )


def test_a_kernel_gets_nothing_that_is_not_its_own(folder, record):
    async def story():
        async with participant(folder) as eve, participant(folder) as ana:
            await arrive(ana, "Ana")
            await arrive(eve, "Eve")
            sockets = folder.sockets_folder_of(ana.username)
            values = {
                "CLASS": str(folder.path),
                "SHARED": ["template.ipynb", "machine.json", "jupyter", "data", "homes"],
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
                record(finding, attack, _shorten(said))
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


def test_guesses_from_inside_are_counted_whatever_address_they_claim(folder, record):
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
    record(
        "S6, S7",
        "guesses of the code from inside, each with another X-Forwarded-For",
        "counted together, 403 then 429; the right code is let in all the while",
    )


def test_a_request_from_inside_reaches_no_instructor_page(folder, record):
    async def story():
        service = f"http://127.0.0.1:{folder.ports['service']}{urlsplit(folder.service_url).path}"
        async with aiohttp.ClientSession() as inside:
            for path in ("", "stream", "api/progress", "projector"):
                async with inside.get(f"{service}{path}", allow_redirects=False) as answer:
                    assert answer.status in (303, 401), path

    run_async(story())
    record("S1", "the instructor's pages, asked from inside", "401, or sent to the login")


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


#: files in a home that Jupyter's programs look for, each leaving its mark in what a server sends
HOSTILE_TEMPLATES = r"""
import json, pathlib
home = pathlib.Path.home()
run = "MARK {{ cycler.__init__.__globals__.os.environ.get('JUPYTERHUB_API_TOKEN') }}"
folders = ["lab", "classic", "base", "nbconvert/templates/lab", ".jupyter/templates", "templates"]
folders += [".jupyter/nbconvert/templates/lab", ".local/share/jupyter/nbconvert/templates/lab"]
for folder in folders:
    (home / folder).mkdir(parents=True, exist_ok=True)
    for name in ("index.html.j2", "index.py.j2", "index.tex.j2", "index.rst.j2", "index.md.j2", "base.html.j2"):
        (home / folder / name).write_text(run)
    for name in ("404.html", "error.html", "page.html", "index.html", "lab.html"):
        (home / folder / name).write_text(run)
page = {"appName": "MARK", "fullStaticUrl": "/MARK", "federated_extensions": [{"name": "MARK", "load": "MARK"}]}
for folder in (".jupyter/labconfig", ".local/etc/jupyter/labconfig", ".local/share/jupyter/labconfig"):
    (home / folder).mkdir(parents=True, exist_ok=True)
    (home / folder / "page_config.json").write_text(json.dumps(page))
extension = home / ".local/share/jupyter/labextensions/mark"
(extension / "static").mkdir(parents=True, exist_ok=True)
(extension / "static" / "remoteEntry.1.js").write_text("MARK")
build = {"extension": True, "_build": {"load": "static/remoteEntry.1.js", "extension": "./extension"}}
(extension / "package.json").write_text(json.dumps({"name": "mark", "version": "1.0.0", "jupyterlab": build}))
(home / ".jupyter/custom").mkdir(parents=True, exist_ok=True)
(home / ".jupyter/custom/custom.css").write_text("MARK")
package = home / "package"
package.mkdir(exist_ok=True)
(package / "setup.py").write_text(f"open({str(home / 'ran')!r}, 'w').write('ran')")
print("written")
"""


def test_no_template_page_setting_or_extension_of_a_participant_is_part_of_their_server(folder):
    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            assert (await ana.run_cell(HOSTILE_TEMPLATES))["text"] == "written\n"
            await restart_server(ana)
            await ana.read_code_cells(NOTEBOOK)
            own = ana.session.cookie_jar.filter_cookies(URL(f"{ana.server_url}/"))
            headers = {"X-XSRFToken": own["_xsrf"].value}
            paths = ["lab", f"lab/tree/{NOTEBOOK}", "lab/nothing", "nothing", "custom/custom.css", "static/custom.css"]
            paths += ["lab/extensions/mark/static/remoteEntry.1.js"]
            formats = ("html", "slides", "python", "script", "markdown", "rst", "latex", "pdf", "webpdf")
            for path in [*paths, *(f"nbconvert/{name}/{NOTEBOOK}" for name in formats)]:
                async with ana.session.get(f"{ana.server_url}/{path}", headers=headers) as answer:
                    assert "MARK" not in await answer.text(), path
                    assert answer.status == 403 or not path.startswith("nbconvert"), path
            notebook = {"name": "x.ipynb", "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}}
            async with ana.session.post(f"{ana.server_url}/nbconvert/html", headers=headers, json=notebook) as answer:
                assert answer.status == 403
            install = {"cmd": "install", "extension_name": str(folder.home_of(ana.username) / "package")}
            url = f"{ana.server_url}/lab/api/extensions"
            async with ana.session.post(url, headers=headers, json=install) as answer:
                assert answer.status >= 400
            assert not (folder.home_of(ana.username) / "ran").exists()

    run_async(story())


def test_a_participants_server_sets_cookies_for_itself_only(folder):
    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            own = {
                cookie.key: cookie["path"] for cookie in ana.session.cookie_jar if cookie["path"].startswith("/user/")
            }
            assert f"jupyterhub-user-{ana.username}" in own
            assert set(own.values()) == {f"/user/{ana.username}/"}
            async with ana.session.get(f"{ana.server_url}/files/{NOTEBOOK}") as answer:
                policies = answer.headers.getall("Content-Security-Policy")
                assert any(policy.startswith("sandbox;") for policy in policies)
                assert "Service-Worker-Allowed" not in answer.headers

    run_async(story())


#: asks the API of the proxy's routes, over its Unix socket
ASK_FOR_ROUTES = r"""
import glob, pathlib, socket
found = []
for path in {paths!r} + glob.glob("/tmp/firstread-*/proxy/*") + glob.glob("/tmp/firstread-*/*/api"):
    try:
        found.append(pathlib.Path(path).read_bytes())
    except OSError:
        pass
    with socket.socket(socket.AF_UNIX) as api:
        try:
            api.connect(path)
            api.sendall(b"GET /api/routes HTTP/1.1\r\nHost: x\r\nAuthorization: token guess\r\n\r\n")
            found.append(api.recv(4096))
        except OSError:
            pass
print([part[:20] for part in found if not part.startswith(b"HTTP/1.1 403")])
"""


def test_no_kernel_reads_or_changes_the_proxys_routes(folder):
    async def story():
        paths = [str(api_socket(folder)), str(routes_file(folder))]
        assert routes_file(folder).exists()
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            assert (await ana.run_cell(ASK_FOR_ROUTES.format(paths=paths)))["text"] == "[]\n"
        homes = folder.path / "homes"
        held = [file for file in homes.rglob("*") if file.is_file() and api_token(folder).encode() in file.read_bytes()]
        assert held == []

    run_async(story())
