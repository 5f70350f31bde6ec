"""Supervisor: each process of a working class of twenty is killed in turn, and nothing is lost."""

import asyncio
import os
import socket
import time
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.lifecycle import find_supervisor
from firstread.classroom.prefork.zygote_client import PROCESS_KINDS, is_zygote_ready
from firstread.classroom.proxy.proxy_files import proxy_uid
from firstread.classroom.rehearsal.scripted_participant import LoadTestError
from firstread.classroom.sandbox.sandbox import missing_isolation

from .live_class import is_alive, kernel_process, participant, run_async, wait_until, zygotes_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_isolation() != "", reason=f"not possible here: {missing_isolation()}"),
]
NOTEBOOK, PEOPLE, BACK_SECONDS = "hello-world.ipynb", 20, 30
WORK = "n = globals().get('n', 0) + 1; print(n)"


class Worker:
    """A participant who runs a small cell repeatedly, and reconnects after an interruption."""

    def __init__(self, person, number):
        self.person, self.number = person, number
        self.last = 0.0
        self.alone = asyncio.Lock()  # one reader at a time of the kernel's connection

    async def arrive(self):
        await self.person.join(f"Person {self.number}")
        await self.person.open_server(timeout_seconds=120)
        await self.person.read_code_cells(NOTEBOOK)
        await self.person.start_kernel(NOTEBOOK)

    async def work(self, ending):
        while not ending.is_set():
            begin = time.monotonic()
            try:
                async with self.alone:
                    await self.person.run_cell(WORK, cell="cell-work", timeout_seconds=5)
                self.last = begin
                await asyncio.sleep(1)
            except (LoadTestError, OSError, TimeoutError, aiohttp.ClientError):
                await asyncio.sleep(0.5)
                try:
                    async with self.alone:
                        await asyncio.wait_for(self.person.connect_kernel(), 5)
                except (LoadTestError, OSError, TimeoutError, aiohttp.ClientError):
                    continue

    async def count(self):
        await self.person.connect_kernel()
        return int((await self.person.run_cell("print(globals().get('n', 0))", cell="cell-count"))["text"])


def victims(folder, what):
    if what in PROCESS_KINDS:
        return [zygotes_of(folder)[what]]
    children = [one for one in find_supervisor(folder).children(recursive=True) if is_alive(one)]
    found = [one for one in children if what in " ".join(one.cmdline())]
    assert found, what
    return found


async def everyone_back(workers, since):
    end = time.monotonic() + BACK_SECONDS
    while any(worker.last < since for worker in workers):
        left = [worker.number for worker in workers if worker.last < since]
        assert time.monotonic() < end, f"{len(left)} of {len(workers)} were not back after {BACK_SECONDS} s: {left}"
        await asyncio.sleep(0.2)
    return time.monotonic() - since


def test_whatever_is_killed_nobody_loses_anything(folder, record_property):
    async def story():
        people = [participant(folder) for _ in range(PEOPLE)]
        workers = [Worker(await person.__aenter__(), number) for number, person in enumerate(people)]
        ending = asyncio.Event()
        try:
            await asyncio.gather(*(worker.arrive() for worker in workers))
            tasks = [asyncio.create_task(worker.work(ending)) for worker in workers]
            await everyone_back(workers, time.monotonic())
            store = folder.store()
            for what in (
                "firstread.classroom.proxy",
                "firstread.classroom.service.app",
                "jupyterhub -f",
                "server",
                "kernel",
            ):
                for one in victims(folder, what):
                    one.kill()
                took = await everyone_back(workers, time.monotonic())
                record_property(f"seconds until everyone was back after {what}", round(took, 1))
                print(f"{what}: everyone back after {took:.1f} s")
            await wait_until(lambda: is_zygote_ready(folder, "kernel"), seconds=180)  # it forks the next kernel
            unlucky = workers[0]
            kernel_process(folder, unlucky.person.username).kill()
            print(f"a kernel: back after {await everyone_back(workers, time.monotonic()):.1f} s")
            ending.set()
            await asyncio.gather(*tasks)
            counts = {worker.person.username: await worker.count() for worker in workers[1:]}

            def kept():
                names = {person.id: person.username for person in store.participants()}
                cells = [event for event in store.events() if event.values.get("cell") == "cell-work"]
                return Counter(names[event.participant_id] for event in cells)

            await wait_until(lambda: all(kept()[name] == count for name, count in counts.items()), seconds=20)
            assert min(counts.values()) > 5
            assert len({(e.participant_id, e.key) for e in store.events()}) == len(store.events())
        finally:
            ending.set()
            for person in people:
                await person.__aexit__(None, None, None)

    run_async(story())


def test_an_open_connection_to_a_notebook_outlives_the_hub(folder):
    """The very same WebSocket runs cells before, while and after the hub is away."""

    async def story():
        async with participant(folder) as ana:
            await ana.join("Ana")
            await ana.open_server(timeout_seconds=120)
            await ana.read_code_cells(NOTEBOOK)
            await ana.start_kernel(NOTEBOOK)
            connection = ana._socket
            assert (await ana.run_cell("n = 1; print(n)"))["text"] == "1\n"
            supervisor = find_supervisor(folder)
            supervisor.suspend()  # so that nobody starts the hub again
            try:
                (hub,) = victims(folder, "jupyterhub -f")
                hub.kill()
                await wait_until(lambda: not is_listening(folder.ports["hub"]))
                assert (await ana.run_cell("n += 1; print(n)", timeout_seconds=20))["text"] == "2\n"
                notebook = await ana.api_request("GET", f"contents/{NOTEBOOK}?content=0")
                assert notebook["name"] == NOTEBOOK, "and requests reach the server"
            finally:
                supervisor.resume()
            await wait_until(lambda: is_listening(folder.ports["hub"]), seconds=60)
            assert (await ana.run_cell("n += 1; print(n)", timeout_seconds=20))["text"] == "3\n"
            assert ana._socket is connection
            assert not connection.closed

    run_async(story())


def test_a_killed_proxy_knows_all_routes_while_the_hub_is_away(folder):
    async def story():
        async with participant(folder) as ana:
            await ana.join("Ana")
            await ana.open_server(timeout_seconds=120)
            (hub,), (proxy,) = victims(folder, "jupyterhub -f"), victims(folder, "firstread.classroom.proxy")
            hub.suspend()
            try:
                proxy.kill()
                await wait_until(lambda: not is_alive(proxy))
                await wait_until(lambda: is_listening(folder.settings.port))
                async with ana.session.get(f"{ana.server_url}/api/status") as answer:
                    assert "kernels" in await answer.json()
            finally:
                hub.resume()

    run_async(story())


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's class has one user")
def test_the_proxy_has_given_root_up(folder):
    (proxy,) = victims(folder, "firstread.classroom.proxy")
    run_async(wait_until(lambda: 0 not in proxy.uids()))  # another test may have killed the one before a moment ago
    assert set(proxy.uids()) == set(proxy.gids()) == {proxy_uid(folder)}
    assert proxy_uid(folder) not in {0, folder.uid_of("p1-x")}
    groups = Path(f"/proc/{proxy.pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
    assert groups == []
