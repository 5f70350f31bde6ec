"""End-to-end test of a class: real hub, servers and kernels, over HTTP and WebSockets."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import aiohttp
import psutil
import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.join_codes import generate_join_code
from firstread.classroom.lifecycle import find_supervisor
from firstread.classroom.rehearsal.scripted_participant import LoadTestError
from firstread.classroom.service.personal_links import personal_path

from .live_class import participant, run_async, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")]
NOTEBOOK = "hello-world.ipynb"


def test_from_the_code_to_a_running_cell_and_back_again(folder):
    async def story():
        async with participant(folder) as ana:
            await ana.join("Ana <b>")
            assert ana.resume_word.count("-") == 3
            await ana.open_server()
            cells = await ana.read_code_cells(NOTEBOOK)
            await ana.start_kernel(NOTEBOOK)
            hello = next(cell for cell in cells if "Hello, World!" in cell["source"])
            assert (await ana.run_cell(hello["source"], cell=hello["id"]))["text"] == "Hello, World!\n"
            begin = next(cell for cell in cells if 'lesson.step("hello")' in cell["source"])
            assert (await ana.run_cell(begin["source"], cell=begin["id"]))["status"] == "ok"
            assert (await ana.run_cell("nonsense", cell=begin["id"]))["ename"] == "NameError"
            groups = (await ana.run_cell("print(lesson.arm('augmentation'), lesson.arm('dropout'))"))["text"].split()
            await ana.run_cell("open('mine.txt', 'w').write('my work')")
            store = folder.store()
            person = store.find_participant(ana.username)
            assert person.name == "Ana <b>"
            assert groups == [person.arms["augmentation"], person.arms["dropout"]]
            news = await wait_until(lambda: [e for e in store.events() if e.kind in ("step", "cell")][5:])
            assert news
            events = [(e.kind, e.step, e.values.get("error")) for e in store.events()]
            assert events.count(("step", "hello", None)) == 1
            assert ("cell", "hello", "NameError") in events
        async with participant(folder) as again:
            await again.join(resume_word=ana.resume_word)
            await again.open_server()
            assert again.username == ana.username
            assert (await again.api_request("GET", "contents/mine.txt?content=1"))["content"] == "my work"

    run_async(story())


def test_strangers_stay_outside(folder):
    async def story():
        for wrong in (generate_join_code(), "x", "x" * 500):
            async with participant(folder, wrong) as stranger:
                with pytest.raises(LoadTestError, match="not the class's code"):
                    await stranger.join("Eve")
        async with participant(folder) as stranger:
            with pytest.raises(LoadTestError, match="nobody's resume word"):
                await stranger.join(resume_word="otter-maple-000")
            with pytest.raises(LoadTestError, match="name is missing"):
                await stranger.join("  ")
        async with aiohttp.ClientSession() as nobody:
            for path in ("", "stream", "api/progress"):
                async with nobody.get(f"{folder.dashboard_url}{path}", allow_redirects=False) as answer:
                    assert answer.status in (303, 401), path
            for headers in ({}, {"Authorization": "token made-up"}):
                async with nobody.post(f"{folder.dashboard_url}api/events", json=[], headers=headers) as answer:
                    assert answer.status in (401, 403)
            async with nobody.post(f"{folder.dashboard_url}actions/door", data={"value": "locked"}) as answer:
                assert answer.status == 401
        assert folder.store().state().door == "open"

    run_async(story())


def test_nobody_enters_a_neighbours_server(folder):
    async def story():
        async with participant(folder) as ana, participant(folder) as eve:
            await ana.join("Ana")
            await ana.open_server()
            await eve.join("Eve")
            await eve.open_server()
            async with eve.session.get(f"{ana.server_url}/api/contents") as answer:
                assert answer.status in (403, 404)

    run_async(story())


async def log_in(session, folder, key=None):
    return await session.post(f"{folder.dashboard_url}login", data={"key": key or folder.settings.instructor_key})


def test_the_instructor_sees_who_is_stuck(folder):
    async def story():
        jar = aiohttp.CookieJar(unsafe=True)
        async with participant(folder) as bea, aiohttp.ClientSession(cookie_jar=jar) as instructor:
            assert "not the class" in await (await log_in(instructor, folder, "wrong")).text()
            page = await (await log_in(instructor, folder)).text()
            assert folder.settings.join_code in page
            assert "<svg" in page
            await bea.join("Bea")
            await bea.open_server()
            await bea.start_kernel(NOTEBOOK)
            await bea.run_cell("import firstread as fr\nlesson = fr.lesson('hello-world')\nlesson.step('look')")
            await bea.run_cell("1 / 0", cell="cell-008")
            begin = time.monotonic()

            async def stuck():
                async with instructor.get(f"{folder.dashboard_url}api/progress") as answer:
                    return [
                        row
                        for row in (await answer.json())["rows"]
                        if row["name"] == "Bea" and row["problem"] == "error"
                    ]

            while not (found := await stuck()):
                assert time.monotonic() - begin < 30
                await asyncio.sleep(0.2)
            assert found[0]["error"][0] == "ZeroDivisionError"
            async with instructor.get(f"{folder.dashboard_url}stream") as stream:
                line = b""
                while not line.startswith(b"data: {"):
                    line = await asyncio.wait_for(stream.content.readline(), 10)
            board = "".join(json.loads(line.decode().removeprefix("data: "))["parts"].values())
            assert "ZeroDivisionError" in board
            assert "Ana &lt;b&gt;" in board or "<b>Ana" not in board
            await instructor.post(f"{folder.dashboard_url}actions/door", data={"value": "closed"})
            async with participant(folder) as late:
                with pytest.raises(LoadTestError, match="nobody new"):
                    await late.join("Late")
            await instructor.post(f"{folder.dashboard_url}actions/door", data={"value": "open"})

    run_async(story())


def test_whatever_is_killed_comes_back_and_nothing_is_lost(folder):
    async def story():
        async with participant(folder) as cem:
            await cem.join("Cem")
            await cem.open_server()
            await cem.start_kernel(NOTEBOOK)
            await cem.run_cell(
                "import firstread as fr\nlesson = fr.lesson('hello-world')\nlesson.step('hello')\nkept = 42"
            )
            supervisor = find_supervisor(folder)
            for what in ("firstread.classroom.service.app", "jupyterhub -f", "-m jupyterhub"):
                family = [(one, command(one)) for one in supervisor.children(recursive=True)]
                victims = [one for one, line in family if what in line and "singleuser" not in line]
                for victim in victims:
                    victim.send_signal(signal.SIGKILL)
            store = folder.store()
            await wait_until(lambda: _answers(folder), seconds=30)
            async with participant(folder) as again:
                await again.join(resume_word=cem.resume_word)
                await again.open_server(timeout_seconds=30)
                sessions = await again.api_request("GET", "sessions")
                assert sessions, "the kernel went on"
                before = len([e for e in store.events() if e.kind == "step"])
                again._kernel_id = sessions[0]["kernel"]["id"]
                again._session_id = "again"
                url = f"{again.server_url}/api/kernels/{again._kernel_id}/channels?session_id=again"
                again._socket = await again.session.ws_connect(url.replace("http", "ws", 1), max_msg_size=0)
                assert (await again.run_cell("print(kept); lesson.step('look')"))["text"] == "42\n"
                await wait_until(lambda: len([e for e in store.events() if e.kind == "step"]) == before + 1)

    run_async(story())


def test_a_personal_link_works_without_a_server_and_leaving_ends_it(folder):
    async def story():
        store = folder.store()
        async with participant(folder) as ana:
            await ana.join("Ana who leaves")
            await ana.open_server()
            await ana.start_kernel(NOTEBOOK)
            username = ana.username
            await ana.run_cell("open('mine.txt', 'w').write('my work')")
            assert (
                "class"
                in (await ana.run_cell("import firstread as fr\nprint(fr.lesson('hello-world').class_runs())"))["text"]
            )
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as later:
                link = f"{folder.public_url.rstrip('/')}{personal_path(folder, username)}"
                async with later.get(link) as answer:
                    assert "Quiz before the lesson" in await answer.text()
                async with later.get(f"{folder.public_url}services/classroom/me/work.zip") as answer:
                    archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
                    assert archive.read("hello-world/mine.txt") == b"my work"
                async with later.post(
                    f"{folder.public_url}services/classroom/me/leave", data={"sure": "yes"}
                ) as answer:
                    page = await answer.text()
                    assert "Your data are deleted" in page
                    assert "could not be ended" not in page, "the hub has ended their server"
                async with later.get(link) as answer:
                    assert answer.status == 403
            assert store.find_participant(username) is None
            assert not folder.home_of(username).exists()
            while (await asyncio.wait_for(ana._socket.receive(), 30)).type in (
                aiohttp.WSMsgType.TEXT,
                aiohttp.WSMsgType.BINARY,
            ):
                pass  # the last words of a kernel that ends

    run_async(story())


def command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""


def _answers(folder):
    import urllib.request

    try:
        with urllib.request.urlopen(f"{folder.public_url}hub/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_status_export_and_the_files_of_a_class(folder, tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "firstread", "class", "status", "--json"], capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    assert found["running"] is True
    assert found["join_code"] == folder.settings.join_code
    subprocess.run(
        [sys.executable, "-m", "firstread", "class", "export", str(tmp_path / "out")], check=True, capture_output=True
    )
    assert "Participant 1" in (tmp_path / "out" / "participants.csv").read_text()
    assert "Bea" not in "".join(file.read_text() for file in (tmp_path / "out").glob("*.csv"))
    for secret in ("class.json", "hub/hub.sqlite", "hub/cookie_secret", "class.sqlite"):
        assert (folder.path / secret).stat().st_mode & 0o077 == 0, secret
    assert folder.path.stat().st_mode & 0o077 == 0


def test_at_the_end_nobody_is_left_behind(running_class):
    process, folder = running_class
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGINT)
    process.wait(40)
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert ClassFolder(folder.path).store().participants()
