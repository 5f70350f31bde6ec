"""A class of scripted participants, before the day: will this machine hold?

Everything is real but the people: join page, servers, kernels, every cell of the lesson, an instructor's board. It is harder than a class, because nobody
reads or thinks between two cells.
"""

import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout, CookieJar

from firstread.classroom.class_folder import PREFIX, ClassFolder, free_ports
from firstread.classroom.database.store import Store, aware
from firstread.classroom.lifecycle import running, stop_class
from firstread.classroom.progress.participant_view import ASK_SECONDS
from firstread.classroom.rehearsal.scripted_participant import RehearsalError, ScriptedParticipant
from firstread.classroom.rehearsal.verdict import Rehearsal, spread
from firstread.lessons.runner import edited

_START_SECONDS = 300
_LOOK_SECONDS, _SAVE_SECONDS = 10.0, 60.0


class Rehearser:
    """One rehearsal, to be made before the class is started: what memory is taken from here on is the class's.

    Args:
        participants: how many.
        over_seconds: they come in spread over so long.
        tell: is told, now and then, how far it is.
    """

    def __init__(
        self,
        folder: ClassFolder,
        participants: int,
        *,
        over_seconds: float = 30.0,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder, self.participants, self.over_seconds, self.tell = folder, participants, over_seconds, tell
        self.lesson = folder.lesson
        self.found = Rehearsal(
            participants,
            self.lesson.name,
            self.lesson.values["minutes"],
            os.cpu_count() or 1,
            psutil.virtual_memory().total // 2**20,
        )
        self.people: list[ScriptedParticipant] = []
        self.joins: list[float] = []
        self.first_cells: list[float] = []
        self.ran: Counter[str] = Counter()
        self.reached: dict[str, list[float]] = {}
        self.failures: Counter[str] = Counter()
        self.shown: list[tuple[int, float]] = []
        self.available = psutil.virtual_memory().available

    async def go(self) -> Rehearsal:
        """From the first at the door to the last at the end."""
        lowest = [self.available]
        self.began = time.monotonic()
        aside = [asyncio.create_task(one) for one in (self._watch_memory(lowest), self._instruct(), self._count())]
        await asyncio.gather(*(self._take_part(number) for number in range(self.participants)))
        self.found.minutes_of_lesson = round((time.monotonic() - self.began) / 60, 2)
        await asyncio.sleep(5)  # the last news
        for one in aside:
            one.cancel()
        await asyncio.gather(*aside, return_exceptions=True)
        self.found.memory_mb = (self.available - lowest[0]) // 2**20
        await asyncio.to_thread(self._account, self.folder.store())
        return self.found

    async def _take_part(self, number: int) -> None:
        await asyncio.sleep(self.over_seconds * number / self.participants)
        async with ScriptedParticipant(self.folder.address, self.folder.settings.join_code) as person:
            self.people.append(person)
            stay: asyncio.Task | None = None
            try:
                begin = time.monotonic()
                await person.join(f"Rehearsal {number + 1}")
                await person.open(patience_seconds=300)
                self.joins.append(time.monotonic() - begin)
                notebook = f"{self.lesson.name}.ipynb"
                await person.notebook(notebook)
                stay = asyncio.create_task(self._stay(person, notebook))
                begin = time.monotonic()
                await person.start_kernel(notebook)
                await self._work(person, begin)
                self.found.finished += 1
            except (RehearsalError, OSError, TimeoutError, ClientError) as error:
                self.failures[str(error).split(". Where")[0] or type(error).__name__] += 1
            finally:
                if stay is not None:
                    stay.cancel()

    async def _work(self, person: ScriptedParticipant, begin: float) -> None:
        """All cells, as the lesson's own script fills them in."""
        known = await asyncio.to_thread(self.folder.store().person, person.username)
        notebook = edited(
            self.lesson, await person.document(f"{self.lesson.name}.ipynb"), arms=known.arms if known else {}
        )
        for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
            answer = await person.run(cell.source, cell=cell.id, patience_seconds=3600)
            self.ran[person.username] += 1
            if number == 0:
                self.first_cells.append(time.monotonic() - begin)
            for tag in cell.metadata.get("tags", []):
                if tag.startswith("step-"):
                    self.reached.setdefault(tag.removeprefix("step-"), []).append(time.monotonic() - self.began)
            if answer["status"] != "ok":
                raise RehearsalError(f"{answer.get('ename')} in {cell.id}")

    async def _stay(self, person: ScriptedParticipant, notebook: str) -> None:
        """What an open browser does besides: the bar asks how the class stands, the page looks what runs, and saves."""
        looked = saved = time.monotonic()
        again_seconds = ASK_SECONDS
        while True:
            await asyncio.sleep(again_seconds * random.uniform(0.8, 1.2))
            with suppress(RehearsalError, OSError, TimeoutError, ClientError):
                again_seconds = (await person.now())["again_seconds"]
                if time.monotonic() - looked > _LOOK_SECONDS:
                    looked = time.monotonic()
                    await person.api("GET", "kernels")
                    await person.api("GET", "sessions")
                if time.monotonic() - saved > _SAVE_SECONDS:
                    saved = time.monotonic()
                    await person.save(notebook)

    async def _watch_memory(self, lowest: list[int]) -> None:
        while True:
            lowest[0] = min(lowest[0], psutil.virtual_memory().available)
            await asyncio.sleep(0.5)

    async def _instruct(self) -> None:
        """An instructor who looks at the board all the time; notes when it had shown which events."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(total=None)) as session:
            address = f"{self.folder.address.rstrip('/')}{PREFIX}"
            await session.post(f"{address}/login", data={"key": self.folder.settings.instructor_key})
            while True:
                with suppress(OSError, TimeoutError, asyncio.TimeoutError, ValueError):
                    async with session.get(f"{address}/stream") as stream:
                        async for line in stream.content:
                            if line.startswith(b"id: "):
                                self.shown.append((int(line[4:]), time.time()))
                await asyncio.sleep(1)

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(15)
            minutes = (time.monotonic() - self.began) / 60
            self.tell(
                f"{minutes:5.1f} min: {len(self.joins)} in the lesson, {self.found.finished} at its end, {sum(self.ran.values())} cells run"
            )

    def _account(self, store: Store) -> None:
        """Compare what was done with what the class knows."""
        found = self.found
        found.joined, found.failures = len(self.joins), dict(self.failures)
        found.seconds_to_join, found.seconds_to_first_cell = spread(self.joins), spread(self.first_cells)
        found.by_step = {step: round(statistics.median(at) / 60, 2) for step, at in self.reached.items()}
        names = {person.id: person.username for person in store.people()}
        events = store.events()
        kept = Counter(names[event.participant_id] for event in events if event.kind == "cell")
        found.told = sum(self.ran.values())
        found.lost = sum(max(0, count - kept[name]) for name, count in self.ran.items())
        found.doubled = sum(max(0, kept[name] - count) for name, count in self.ran.items())
        late, place = [], 0
        for event in events:
            while place < len(self.shown) and self.shown[place][0] < event.id:
                place += 1
            if place < len(self.shown):
                late.append(self.shown[place][1] - aware(event.happened).timestamp())
        found.board_seconds = spread(late)


def rehearse(
    *,
    participants: int,
    lesson: str,
    data: str | None = None,
    over_seconds: float = 30.0,
    tell: Callable[[str], None] = lambda _: None,
) -> Rehearsal:
    """Rehearse a class on this machine, and take everything away afterwards but what was found.

    Raises:
        RehearsalError: the class could not be started.
    """
    import shutil

    folder = ClassFolder.make(f"rehearsal-{os.getpid()}", lesson=lesson, data=data, port=free_ports(1)[0])
    words = [
        sys.executable,
        "-m",
        "firstread",
        "class",
        "start",
        "--name",
        folder.settings.name,
        "--lesson",
        lesson,
        "--port",
        str(folder.settings.port),
    ]
    words += ["--data", data] if data else []
    rehearser = Rehearser(folder, participants, over_seconds=over_seconds, tell=tell)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends it, nothing is left running
    try:
        with open(folder.path / "log" / "start.log", "wb") as log:
            started = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command, no shell
        end = time.monotonic() + _START_SECONDS
        while b"Ctrl-C" not in (folder.path / "log" / "start.log").read_bytes():
            if started.poll() is not None or time.monotonic() > end:
                raise RehearsalError("The class did not start", where=folder.path / "log", do="look at the files there")
            time.sleep(0.2)
        found = asyncio.run(rehearser.go())
    finally:
        signal.signal(signal.SIGTERM, before)
        _end(folder)
    shutil.rmtree(folder.path, ignore_errors=True)
    return found


def _end(folder: ClassFolder) -> None:
    stop_class(folder)
    end = time.monotonic() + 10
    while running(folder) and time.monotonic() < end:
        time.sleep(0.2)
