"""What the forked servers and kernels use of JupyterHub, Jupyter Server, JupyterLab and ipykernel.

A new version that changes one of these fails here, with what to look at, and not in a class.
"""

import inspect
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("nothing is forked elsewhere", allow_module_level=True)

from firstread.classroom.class_folder import ClassFolder, find_free_ports
from firstread.classroom.home_directory import build_server_environment
from firstread.classroom.shared_folder import prepare_shared_files

HUB_VERSION = version("jupyterhub")

#: prints all settings of a participant's server: as it is started alone, or in a process that has preloaded everything
DUMP = """
import json, os, sys

def dump():
    from jupyterhub.singleuser.extension import JupyterHubSingleUser

    server = JupyterHubSingleUser.initialize_server(sys.argv[1:])
    extensions = [app for apps in server.extension_manager.extension_apps.values() for app in apps]
    parts = [server, server.contents_manager, server.kernel_manager, server.kernel_spec_manager, server.session_manager]
    parts += [server.identity_provider, server.identity_provider.hub_auth, server.authorizer, *extensions]
    values = {}
    for part in parts:
        for name in part.trait_names():
            value = getattr(part, name, None)
            if isinstance(value, (str, bool, int, float, list, dict, tuple, type(None))):
                values[f"{type(part).__name__}.{name}"] = repr(value)
    hub_auth = server.identity_provider.hub_auth
    values |= {f"HubOAuth.{name}": repr(getattr(hub_auth, name)) for name in ("cookie_name", "cookie_path")}
    cookies = {name: repr(value) for name, value in server.web_app.settings.items() if isinstance(value, (str, bool))}
    print("VALUES " + json.dumps({**values, **cookies}, default=str), flush=True)
    os._exit(0)

kind, folder, environment, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4:]
if kind == "forked":
    from pathlib import Path
    from firstread.classroom.class_folder import ClassFolder
    from firstread.classroom.prefork.child_process import _run_server, preload

    preload("server", ClassFolder(Path(folder)), with_lesson=False)
    os.environ.clear()
    os.environ.update(environment)
    import jupyterhub.singleuser
    jupyterhub.singleuser.main = dump
    _run_server(arguments)
else:
    sys.argv = ["jupyterhub-singleuser", *arguments]
    dump()
"""
#: differ at each start, or because the forked server is told its folders
NOT_COMPARED = {
    *("argv", "browser_open_file", "browser_open_file_to_run", "cli_config", "config", "flags", "info_file"),
    *("handlers", "settings", "cookie_secret", "token", "version_hash"),
}


def settings_of_server(kind, folder, environment):
    command = [sys.executable, "-c", DUMP, kind, str(folder.path), json.dumps(environment), "--allow-root"]
    given = environment if kind == "plain" else {**os.environ, "FIRSTREAD_HOME": str(folder.path.parents[1])}
    ran = subprocess.run(command, env=given, cwd=environment["HOME"], capture_output=True, text=True, check=False)
    told = [line for line in ran.stdout.splitlines() if line.startswith("VALUES ")]
    assert told, ran.stderr[-3000:]
    values = json.loads(re.sub(r"0x[0-9a-f]{6,}", "ADDRESS", told[0].removeprefix("VALUES ")))
    return {name: value for name, value in values.items() if name.split(".")[-1] not in NOT_COMPARED}


class HubVersion(BaseHTTPRequestHandler):
    """All that a server asks the hub before it listens: its version."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", HUB_VERSION)
        self.end_headers()
        self.wfile.write(json.dumps({"version": HUB_VERSION}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def hub_port():
    hub = ThreadingHTTPServer(("127.0.0.1", 0), HubVersion)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    yield hub.server_port
    hub.shutdown()
    hub.server_close()


def test_a_forked_server_has_the_cookies_paths_and_urls_of_one_that_is_started_alone(monkeypatch, tmp_path, hub_port):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    folder.store().create()
    prepare_shared_files(folder, with_data=False)
    ana, _ = folder.store().join("Ana")
    home, (port,) = folder.ensure_home(ana.username), find_free_ports(1)
    prefix, api = f"/user/{ana.username}/", f"http://127.0.0.1:{hub_port}/hub/api"
    environment = build_server_environment(
        ana, folder.settings, home=home, shared=folder.path, service_url=folder.service_url
    ) | {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "USER": ana.username,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "JUPYTER_RUNTIME_DIR": str(folder.sockets_folder_of(ana.username)),
        "JUPYTERHUB_API_TOKEN": "a" * 32,
        "JUPYTERHUB_API_URL": api,
        "JUPYTERHUB_ACTIVITY_URL": f"{api}/users/{ana.username}/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{ana.username}",
        "JUPYTERHUB_COOKIE_OPTIONS": json.dumps({"samesite": "Lax"}),
        "JUPYTERHUB_DISABLE_USER_CONFIG": "1",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}{prefix}",
        "JUPYTERHUB_USER": ana.username,
    }
    (home / ".firstread" / "tmp").mkdir(parents=True, exist_ok=True)
    plain = settings_of_server("plain", folder, environment)
    forked = settings_of_server("forked", folder, environment)
    assert plain["HubOAuth.cookie_path"] == repr(prefix)
    assert plain["HubOAuth.cookie_name"] == repr(f"jupyterhub-user-{ana.username}")
    assert len(plain) > 150, "all settings are compared"
    different = {name: (value, forked.get(name)) for name, value in plain.items() if forked.get(name) != value}
    assert different == {}, "\n".join(f"{n}: {v}" for n, v in different.items())


def test_ipykernel_asks_each_module_for_its_file_at_the_start_and_that_is_all_it_needs_sys_modules_for():
    import ipykernel.ipkernel

    assert ipykernel.ipkernel.sys is sys
    source = inspect.getsource(ipykernel.ipkernel)
    assert source.count("sys.modules") == 1, "look at child_process._run_kernel: is what it replaces still needed?"
    assert "m.__file__ for m in sys.modules" in source


def test_inspect_finds_the_module_of_a_frame_as_before():
    assert list(inspect.signature(inspect.getmodule).parameters) == ["object", "_filename"]


def test_the_provisioner_is_one_of_jupyter_client():
    from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

    from firstread.classroom.prefork.kernel_provisioner import ClassProvisioner

    assert KernelProvisionerFactory.instance().provisioners["firstread-class"].load() is ClassProvisioner
    assert inspect.iscoroutinefunction(LocalProvisioner.launch_kernel)
    for name in ("process", "pid", "pgid", "connection_info"):
        assert hasattr(LocalProvisioner, name), name
