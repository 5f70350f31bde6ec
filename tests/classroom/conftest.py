"""Fixtures of the classroom: class database in SQLite and PostgreSQL, browser, running class, service client."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the classroom needs firstread[classroom]")

from firstread.classroom.database.store import Store

KEY = b"a class's key"
FACTORIAL = {"augmentation": ["on", "off"], "dropout": ["on", "off"]}


@pytest.fixture(scope="session")
def postgresql():
    """URL of an empty PostgreSQL on a Unix socket; the test is skipped where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    # not in pytest's own folder, of which another run that starts meanwhile keeps the last three only
    folder = Path(tempfile.mkdtemp(prefix="firstread-pg-"))
    server = [str(Path(initdb).with_name("postgres")), "-D", str(folder / "data"), "-k", str(folder)]
    server += ["-c", "listen_addresses="]
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        shutil.chown(folder, "nobody", "nogroup")
    subprocess.run(
        [*as_user, initdb, "-D", str(folder / "data"), "-U", "class", "-A", "trust"], check=True, capture_output=True
    )
    with open(folder / "server.log", "wb") as log:  # a session of its own: signals for the tests are not for it
        process = subprocess.Popen([*as_user, *server], stderr=log, start_new_session=True)
    url = f"postgresql+psycopg://class@/postgres?host={folder}"
    try:
        _wait_for(url)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # does not wait until the last connection is closed
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url):
    import time

    from sqlalchemy import create_engine, text

    for _ in range(100):
        try:
            with create_engine(url).connect() as connection:
                connection.execute(text("select 1"))
                return
        except Exception:
            time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'class.sqlite'}"
    from sqlalchemy import create_engine, text

    address = request.getfixturevalue("postgresql")
    with create_engine(address).begin() as connection:
        connection.execute(text("drop schema public cascade; create schema public"))
    return address


@pytest.fixture
def reopen(url):
    """Function that opens the class database again, as another process would."""
    opened = []

    def reopen(key=KEY):
        opened.append(Store(url, key=key, experiments=FACTORIAL, seed=3))
        opened[-1].create()
        return opened[-1]

    yield reopen
    for store in opened:
        store.engine.dispose()


@pytest.fixture
def store(reopen):
    return reopen()


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, started once for a module."""
    from .browser import launch_browser

    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("class-home")


@pytest.fixture(scope="module")
def running_class(home):
    """A running class: its supervisor process, and its folder."""
    pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
    from .live_class import run_class

    with run_class(home) as process_and_folder:
        yield process_and_folder


@pytest.fixture
def folder(running_class):
    return running_class[1]


class FakeHub:
    """Stands for JupyterHub's token lookup; it has no URL."""

    def __init__(self):
        self.tokens = {}

    async def user_for_token(self, token, *, sync):
        return self.tokens.get(token)


@pytest.fixture
def service_client(monkeypatch, tmp_path):
    """Test client of a class's service with one participant, Ana; `enter(person)` opens their personal link."""
    pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
    from starlette.testclient import TestClient

    from firstread.classroom.class_folder import ClassFolder
    from firstread.classroom.service.app import make_app
    from firstread.classroom.service.personal_links import personal_path

    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    store, hub = folder.store(), FakeHub()
    with TestClient(make_app(folder, store=store, hub=hub), base_url="http://testserver") as client:
        client.folder, client.store, client.hub = folder, store, hub
        client.ana, client.word = store.join("Ana <b>")
        hub.tokens["of-ana"] = {"kind": "user", "name": client.ana.username}
        client.enter = lambda person, to="": client.get(personal_path(folder, person.username, to))
        yield client
    store.engine.dispose()
