"""Supervisor: each process of a working class of twenty is killed in turn, and nothing is lost."""

import asyncio
import time
from collections import Counter

import aiohttp
import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.lifecycle import find_supervisor
from firstread.classroom.prefork.zygote_client import PROCESS_KINDS
from firstread.classroom.rehearsal.scripted_participant import LoadTestError
from firstread.classroom.sandbox.sandbox import missing_isolation

from .live_class import kernel_process, participant, run_async, wait_until, zygotes_of

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
    found = [one for one in find_supervisor(folder).children(recursive=True) if what in " ".join(one.cmdline())]
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
