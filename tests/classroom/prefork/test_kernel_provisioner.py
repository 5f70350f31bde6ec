"""Kernels of a class: forked from a zygote, each in its sandbox, and killed with their server."""

import asyncio
import os
import sys
import time

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.lifecycle import find_supervisor
from firstread.classroom.prefork.zygote_client import ZygoteError, is_zygote_ready, make_request_token, socket_path
from firstread.classroom.prefork.zygote_client import request_process as ask_zygote
from firstread.classroom.rehearsal.scripted_participant import LoadTestError
from firstread.classroom.sandbox.sandbox import missing_isolation

from ..live_class import is_alive, kernel_process, participant, run_async, server_process, wait_until, zygotes_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or missing_isolation() != "", reason="participants cannot be kept apart here"
    ),
]
NOTEBOOK = "hello-world.ipynb"


async def arrive(person, name):
    await person.join(name)
    await person.open_server()
    await person.read_code_cells(NOTEBOOK)
    await person.start_kernel(NOTEBOOK)
    await person.run_cell("import os")


def test_a_kernel_can_be_interrupted_restarted_and_shut_down_and_comes_back_when_it_dies(folder):
    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            first = kernel_process(folder, ana.username)
            await ana.run_cell("kept = 1")
            waiting = asyncio.create_task(ana.run_cell("import time\nfor _ in range(600): time.sleep(0.1)"))
            await asyncio.sleep(1)
            await ana.api_request("POST", f"kernels/{ana._kernel_id}/interrupt")
            assert (await asyncio.wait_for(waiting, 20))["ename"] == "KeyboardInterrupt"
            assert (await ana.run_cell("print(kept)"))["text"].strip() == "1", "an interrupt keeps what was there"
            await ana.api_request("POST", f"kernels/{ana._kernel_id}/restart")
            await ana.connect_kernel()
            await wait_until(lambda: not is_alive(first), seconds=10)
            assert (await ana.run_cell("import os; print('kept' in globals())"))["text"].strip() == "False"
            second = kernel_process(folder, ana.username)
            with pytest.raises((LoadTestError, TimeoutError)):
                await ana.run_cell("os._exit(3)", timeout_seconds=8)
            await wait_until(lambda: not is_alive(second), seconds=10)
            await asyncio.sleep(5)
            await ana.connect_kernel()
            assert (await ana.run_cell("print(1)"))["text"] == "1\n"
            third = kernel_process(folder, ana.username)
            await ana.api_request("DELETE", f"kernels/{ana._kernel_id}")
            await wait_until(lambda: not is_alive(third), seconds=10)

    run_async(story())


SHY = """
import sys, types
class Shy(types.ModuleType):
    asked = 0
    def __getattribute__(self, name):
        Shy.asked += name == "__file__"
        return super().__getattribute__(name)
sys.modules["shy"] = Shy("shy")
def half(x):
    return x / 0
"""


def test_an_error_is_told_without_asking_thousands_of_modules_for_their_file(folder):
    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            await ana.run_cell(SHY)
            assert (await ana.run_cell("half(1)"))["ename"] == "ZeroDivisionError"
            assert (await ana.run_cell("import inspect; print(Shy.asked, inspect.getmodule(half).__name__)"))[
                "text"
            ].split() == ["0", "__main__"]

    run_async(story())


def test_siblings_draw_different_numbers_and_find_everything_imported(folder):
    async def story():
        code = (
            "import random, sys, numpy, torch; "
            "print(random.random(), numpy.random.rand(), torch.rand(1).item(), 'timm' in sys.modules)"
        )
        drawn = []
        for name in ("Bo", "Cy"):
            async with participant(folder) as person:
                await arrive(person, name)
                backend = await person.run_cell("import matplotlib.pyplot as plt; print(plt.get_backend())")
                assert "inline" in backend["text"], "plt.show() shows the figure in the notebook"
                begin = time.monotonic()
                drawn.append((await person.run_cell(code))["text"].split())
                assert time.monotonic() - begin < 10
        assert drawn[0][3] == drawn[1][3] == "True"
        assert not set(drawn[0][:3]) & set(drawn[1][:3])

    run_async(story())


def test_a_kernel_ends_with_its_server_and_the_rest_of_the_class_goes_on(folder):
    async def story():
        async with participant(folder) as ana, participant(folder) as bea:
            await arrive(ana, "Ana")
            await arrive(bea, "Bea")
            await ana.run_cell("import subprocess; child = subprocess.Popen(['setsid', 'sleep', '300'])")
            hers, other = (kernel_process(folder, person.username) for person in (ana, bea))
            (asleep,) = hers.children(recursive=True)
            server_process(folder, ana.username).kill()
            await wait_until(lambda: not is_alive(hers) and not is_alive(asleep), seconds=10)
            assert is_alive(other)
            assert (await bea.run_cell("print(6 * 7)"))["text"] == "42\n"

    run_async(story())


def test_a_warm_process_that_is_killed_comes_back_and_nobody_loses_anything(folder):
    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")
            await ana.run_cell("kept = 42")
            for one in zygotes_of(folder).values():
                one.kill()
            assert (await ana.run_cell("print(kept)"))["text"] == "42\n"
            async with participant(folder) as late:
                begin = time.monotonic()
                await late.join("Late")
                await late.open_server(timeout_seconds=60)
                await late.read_code_cells(NOTEBOOK)
                await late.start_kernel(NOTEBOOK)
                assert (await late.run_cell("print(1)"))["text"] == "1\n"
                assert time.monotonic() - begin < 60
            await wait_until(
                lambda: is_zygote_ready(folder, "server") and is_zygote_ready(folder, "kernel"), seconds=60
            )
            assert (await ana.run_cell("print(kept)"))["text"] == "42\n"

    run_async(story())


def test_a_participants_code_reaches_nobody_else(folder):
    hub_api = "http://127.0.0.1:HUB/hub/api/"
    attacks = {
        "the token of the server": (
            # of the training queue it has one, which lets it wait there and nothing else
            "assert not [n for n in os.environ if 'TOKEN' in n and n != 'FIRSTREAD_QUEUE_TOKEN'], 'secrets'; 1 / 0"
        ),
        "the class's secrets": f"open({str(folder.path / 'class.json')!r}).read()",
        "the hub's database": f"open({str(folder.path / 'hub' / 'hub.sqlite')!r}, 'rb').read()",
        "the class's answers": f"open({str(folder.path / 'class.sqlite')!r}, 'rb').read()",
        "all homes": f"[name for name in os.listdir({str(folder.path / 'homes')!r}) if name not in os.getcwd()][0]",
        "a neighbour's notebook": f"open({str(folder.path / 'homes')!r} + '/NEIGHBOUR/{NOTEBOOK}').read()",
        "a neighbour's kernel": "os.kill(PID, 9)",
        "the hub": "os.kill(KEEPER, 9)",
        "the network": f"import urllib.request; urllib.request.urlopen('{hub_api}', timeout=3).read()",
        "all memory": "bytearray(64 * 2**30)",
        "the lesson of all": f"open({str(folder.path / 'template.ipynb')!r}, 'a')",
        "the data of all": f"open({str(folder.path / 'data')!r} + '/x', 'w')",
        "a shell that may more": "import subprocess; print(subprocess.run(['cat', '/etc/shadow'], check=True))",
    }

    async def story():
        async with participant(folder) as eve, participant(folder) as ana:
            supervisor, hub = find_supervisor(folder), folder.ports["hub"]
            await arrive(ana, "Ana")
            victim = kernel_process(folder, ana.username)
            await arrive(eve, "Eve")
            for name, code in attacks.items():
                filled = code
                for word, value in (
                    ("NEIGHBOUR", ana.username),
                    ("PID", victim.pid),
                    ("KEEPER", supervisor.pid),
                    ("HUB", hub),
                ):
                    filled = filled.replace(word, str(value))
                answer = await eve.run_cell(f"import os\n{filled}", timeout_seconds=60)
                assert answer["status"] == "error", name
                assert answer["ename"] != "AssertionError", f"{name}: {answer['evalue']}"
            assert is_alive(victim)
            assert (await ana.run_cell("print(6 * 7)"))["text"] == "42\n"
            assert (await eve.run_cell("print(1)"))["text"] == "1\n", "and she can go on with the lesson"

    run_async(story())


def test_a_zygote_forks_for_nobody_without_a_ticket(folder):
    username = next(iter(folder.store().participants())).username
    request = {"username": username, "environment": {}, "arguments": ["-f", "x.json"]}
    for forged in (
        "",
        "0" * 64,
        make_request_token(folder, "server", username),
        make_request_token(folder, "kernel", "p9999-00000000"),
    ):
        with pytest.raises(ZygoteError, match="no request of this class"):
            ask_zygote(socket_path(folder, "kernel"), {**request, "token": forged})
    for rubbish in ([], "text", {"username": 1}, {**request, "token": 5, "environment": []}):
        with pytest.raises(ZygoteError):
            ask_zygote(socket_path(folder, "kernel"), rubbish)


def test_a_caller_who_says_nothing_keeps_nobody_waiting(folder):
    import socket

    silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(20)]
    for one in silent:
        one.connect(str(socket_path(folder, "kernel")))

    async def story():
        async with participant(folder) as ana:
            await arrive(ana, "Ana")

    run_async(story())
    for one in silent:
        one.close()


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give participants users of their own"
)
def test_everyone_is_a_user_of_their_own(folder):
    async def story():
        found = []
        for name in ("Di", "Ed"):
            async with participant(folder) as person:
                await arrive(person, name)
                found.append((await person.run_cell("print(os.getuid(), os.stat('.').st_uid)"))["text"].split())
        assert found[0][0] == found[0][1]
        assert found[0][0] != found[1][0]
        assert "0" not in {*found[0], *found[1]}

    run_async(story())
