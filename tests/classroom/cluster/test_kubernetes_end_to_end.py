"""End-to-end test of a class on Kubernetes: real hub with KubeSpawner, real service, PostgreSQL, and a fake cluster.

The fake cluster is a small server with the part of the Kubernetes API that KubeSpawner uses. It starts a pod's manifest
as a plain process: its arguments, its environment, its volume as a folder. What a manifest forbids is not enforced.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from aiohttp import web

pytest.importorskip("kubespawner", reason="a class on several machines needs firstread[kubernetes]")

from firstread.classroom.cluster.entrypoint import make_secret
from firstread.classroom.database.store import Store
from firstread.classroom.home_directory import RESUME_WORD_FILE
from firstread.classroom.rehearsal.scripted_participant import ScriptedParticipant
from firstread.lessons.lesson_info import find_lesson

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")]
HERE = Path(__file__).resolve().parent
NOTEBOOK = "hello-world.ipynb"
TOKEN = "a token that the chart draws"
HUB_CONFIG = f"""
import os, sys
sys.path.insert(0, {str(HERE)!r})
from test_kubernetes import VALUES, apply_chart
c = get_config()
c.ConfigurableHTTPProxy.command = [sys.executable, "-m", "firstread.classroom.proxy"]
c.ConfigurableHTTPProxy.api_url = "http+unix://" + os.environ["PROXY_API"].replace("/", "%2F")
c.JupyterHub.bind_url = "http://127.0.0.1:" + os.environ["PUBLIC_PORT"]
c.JupyterHub.hub_bind_url = "http://127.0.0.1:" + os.environ["HUB_PORT"]
c.JupyterHub.cleanup_servers = False
service_url = "http://127.0.0.1:" + os.environ["SERVICE_PORT"]
c.JupyterHub.services = [{{"name": "classroom", "url": service_url, "api_token": {TOKEN!r}}}]
c.KubeSpawner.namespace = "class"
c.KubeSpawner.port = int(os.environ["POD_PORT"])
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.pvc_name_template = "claim-{{user_server}}"
apply_chart(c, VALUES)
c.JupyterHub.tornado_settings["cookie_options"].pop("secure")  # no ingress stands before this hub, so there is no https
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class FakeCluster:
    """Kubernetes API server whose pods are processes and whose volumes are folders.

    Attributes:
        substitutes: path or URL in a manifest -> its value on this machine.
    """

    def __init__(self, folder, substitutes):
        self.folder, self.substitutes = folder, substitutes
        self.pods, self.claims, self.processes, self.events = {}, set(), {}, []
        self.version = 0

    def app(self):
        app = web.Application()
        base = "/api/v1/namespaces/class"
        app.router.add_get(f"{base}/pods", self.list_pods)
        app.router.add_post(f"{base}/pods", self.start_pod)
        app.router.add_delete(f"{base}/pods/{{name}}", self.end_pod)
        app.router.add_get(f"{base}/events", self.list_events)
        app.router.add_post(f"{base}/persistentvolumeclaims", self.claim)
        return app

    async def list_pods(self, request):
        if "watch" in request.query:
            return await self.watch(request, self.events)
        return web.json_response(
            {"kind": "PodList", "metadata": {"resourceVersion": str(self.version)}, "items": list(self.pods.values())}
        )

    async def list_events(self, request):
        if "watch" in request.query:
            return await self.watch(request, [])
        return web.json_response({"kind": "EventList", "metadata": {"resourceVersion": "0"}, "items": []})

    async def watch(self, request, events):
        """Stream events after the resource version that the watcher has."""
        answer, seen = web.StreamResponse(), int(request.query.get("resourceVersion") or 0)
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            deadline = time.monotonic() + float(request.query.get("timeoutSeconds") or 30)
            while request.transport and not request.transport.is_closing() and time.monotonic() < deadline:
                for version, event in list(events):
                    if version > seen:
                        seen = version
                        await answer.write(event)
                await asyncio.sleep(0.05)
        return answer

    def publish(self, kind, pod):
        self.version += 1
        pod["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, json.dumps({"type": kind, "object": pod}).encode() + b"\n"))

    async def claim(self, request):
        self.claims.add((await request.json())["metadata"]["name"])
        return web.json_response({}, status=201)

    async def start_pod(self, request):
        pod = await request.json()
        name = pod["metadata"]["name"]
        pod["metadata"] |= {"namespace": "class", "uid": name}
        container = pod["spec"]["containers"][0]
        (claim,) = [
            v["persistentVolumeClaim"]["claimName"] for v in pod["spec"]["volumes"] if "persistentVolumeClaim" in v
        ]
        assert claim in self.claims
        volume = self.folder / claim
        volume.mkdir(exist_ok=True)
        environment = {one["name"]: self.substitute(one.get("value", ""), volume) for one in container["env"]}
        image = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *container["args"][1:]],
                env=image | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        status = {
            "name": "notebook",
            "ready": True,
            "state": {"running": {}},
            "image": "x",
            "imageID": "x",
            "restartCount": 0,
        }
        pod["status"] = {"phase": "Running", "podIP": "127.0.0.1", "containerStatuses": [status]}
        self.pods[name] = pod
        self.publish("ADDED", pod)
        return web.json_response(pod, status=201)

    def substitute(self, value, volume):
        for original, replacement in {**self.substitutes, "/home/participant": str(volume)}.items():
            value = value.replace(original, replacement)
        return value

    async def end_pod(self, request):
        name = request.match_info["name"]
        if name not in self.pods:
            return web.json_response({"message": "not found"}, status=404)
        end(self.processes[name])
        self.publish("DELETED", self.pods.pop(name))
        return web.json_response({})


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


@pytest.fixture
def databases(postgresql):
    """URLs of two empty databases in the PostgreSQL of the tests."""
    from sqlalchemy import create_engine, text

    urls = {}
    with create_engine(postgresql, isolation_level="AUTOCOMMIT").connect() as connection:
        for name in ("whole_class", "whole_hub"):
            connection.execute(text(f"drop database if exists {name} with (force)"))
            connection.execute(text(f"create database {name}"))
            urls[name] = postgresql.replace("/postgres?", f"/{name}?")
    return urls


@pytest.fixture
def folder(tmp_path):
    from typer.testing import CliRunner

    from firstread.classroom.cluster.entrypoint import app  # the image, as the Containerfile fills it

    done = CliRunner().invoke(app, ["prepare", "--folder", str(tmp_path / "image")])
    assert done.exit_code == 0, done.output
    return tmp_path


def make_kubeconfig(port):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "small",
        "clusters": [{"name": "small", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [{"name": "small", "context": {"cluster": "small", "user": "hub"}}],
        "users": [{"name": "hub", "user": {}}],
    }


def make_environment(folder, ports, hub_database):
    return {
        **os.environ,
        **ports,
        "KUBECONFIG": str(folder / "kubeconfig"),
        "FIRSTREAD_CLUSTER": str(folder),
        "FIRSTREAD_PROXIES": "1",
        "FIRSTREAD_SHARED": str(folder / "image"),
        "FIRSTREAD_HUB_DATABASE": hub_database,
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{ports['HUB_PORT']}/hub/api",
        "JUPYTERHUB_SERVICE_NAME": "classroom",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/classroom/",
    }


def start_process(name, options, folder, environment):
    command = [sys.executable, *options]
    with open(folder / f"{name}.log", "ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


@contextlib.asynccontextmanager
async def run_cluster(folder, databases):
    """Run hub, service and the fake cluster; yields the URL, the cluster and the class's settings."""
    ports = {name: str(free_port()) for name in ("PUBLIC_PORT", "HUB_PORT", "SERVICE_PORT", "POD_PORT", "CLUSTER_PORT")}
    secret = make_secret(
        find_lesson("hello-world"),
        host="class.example",
        data="hello-world",
        name="class",
        database=databases["whole_class"],
        hub_database=databases["whole_hub"],
    )
    (folder / "class.json").write_text(secret["stringData"]["class.json"])
    settings = json.loads(secret["stringData"]["class.json"])
    sockets = tempfile.mkdtemp(prefix="fr-")  # names of sockets are short
    service = f"http://127.0.0.1:{ports['SERVICE_PORT']}"
    cluster = FakeCluster(folder, {"/tmp/jupyter": sockets, "http://classroom:8008": service})
    runner = web.AppRunner(cluster.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(ports["CLUSTER_PORT"])).start()
    (folder / "kubeconfig").write_text(json.dumps(make_kubeconfig(ports["CLUSTER_PORT"])))
    (folder / "jupyterhub_config.py").write_text(HUB_CONFIG)
    environment = make_environment(folder, ports, databases["whole_hub"]) | {"PROXY_API": f"{sockets}/proxy"}
    serve = ["firstread.classroom.cluster.entrypoint", "serve", "--host", "127.0.0.1", "--port", ports["SERVICE_PORT"]]
    commands = {
        "service": ["-m", *serve],
        "hub": ["-m", "jupyterhub", "-f", str(folder / "jupyterhub_config.py")],
    }
    processes = [start_process(name, options, folder, environment) for name, options in commands.items()]
    try:
        yield f"http://127.0.0.1:{ports['PUBLIC_PORT']}", cluster, settings
    finally:
        for process in [*processes, *cluster.processes.values()]:
            end(process)
        await runner.cleanup()
        shutil.rmtree(sockets, ignore_errors=True)


async def join_class(address, code, folder, **form):
    """Join as a participant; retries until hub and service answer."""
    from aiohttp import ClientError

    from firstread.classroom.rehearsal.scripted_participant import LoadTestError

    for _ in range(120):
        one = await ScriptedParticipant(address, code).__aenter__()
        try:
            await one.join(**form)
            return one
        except (LoadTestError, ClientError):
            await one.__aexit__(None, None, None)
            await asyncio.sleep(0.5)
    raise AssertionError("\n".join((folder / f"{name}.log").read_text()[-3000:] for name in ("hub", "service")))


def test_from_the_code_to_a_cell_in_a_pod_and_back_with_the_word(folder, databases):
    async def story():
        async with run_cluster(folder, databases) as (address, cluster, settings):
            ana = await join_class(address, settings["join_code"], folder, name="Ana")
            await ana.open_server()
            store = Store(databases["whole_class"], key=bytes.fromhex(settings["class_key"]))
            person = store.find_participant(ana.username)
            assert person.name == "Ana"
            (volume,) = [place for place in folder.glob("claim-*") if place.is_dir()]
            assert (volume / RESUME_WORD_FILE).read_text().startswith(ana.resume_word)
            await ana.start_kernel(NOTEBOOK)
            cells = await ana.read_code_cells(NOTEBOOK)
            begin = next(cell for cell in cells if 'lesson.step("hello")' in cell["source"])
            assert (await ana.run_cell(begin["source"], cell=begin["id"]))["status"] == "ok"
            groups = (await ana.run_cell("print(lesson.arm('augmentation'), lesson.arm('dropout'))"))["text"].split()
            assert groups == [person.arms["augmentation"], person.arms["dropout"]]
            assert (volume / ".firstread" / "data").resolve() == folder / "image" / "data", "downloaded by nobody"
            code = (
                "import os; print(len(fr.open_dataset(lesson.data).table) > 0, 'FIRSTREAD_RESUME_WORD' in os.environ)"
            )
            assert (await ana.run_cell(code))["text"].split() == ["True", "False"]
            await ana.run_cell("open('mine.txt', 'w').write('my work')")
            for _ in range(100):
                if any(event.kind == "step" for event in store.events()):
                    break
                await asyncio.sleep(0.2)
            assert [(e.kind, e.step) for e in store.events() if e.kind == "step"] == [("step", "hello")]
            word = ana.resume_word
            await ana.__aexit__(None, None, None)
            (name,) = cluster.pods
            end(cluster.processes[name])  # the node is gone; the volume is not
            cluster.publish("DELETED", cluster.pods.pop(name))
            again = await join_class(address, settings["join_code"], folder, resume_word=word)
            await again.open_server(timeout_seconds=120)
            assert again.username == ana.username
            assert (await again.api_request("GET", "contents/mine.txt?content=1"))["content"] == "my work"
            manifest = cluster.pods[name]["spec"]["containers"][0]["env"]
            assert "FIRSTREAD_RESUME_WORD" not in {one["name"] for one in manifest}, "once is enough"
            await again.__aexit__(None, None, None)
            store.engine.dispose()
            printed = "".join((folder / f"{log}.log").read_text() for log in ("hub", "service"))
            for secret in (settings["join_code"], settings["instructor_key"], settings["class_key"], word):
                assert secret not in printed

    asyncio.run(story())
