"""Load test of a class: scripted participants run the whole lesson on this machine.

Everything is real but the people: join page, servers, kernels, every cell of the lesson, an instructor's dashboard.
The load is higher than that of a class, because scripted participants do not read or think between two cells.
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
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout, CookieJar

from firstread.classroom.class_folder import ClassFolder, find_free_ports
from firstread.classroom.database.schema import Event
from firstread.classroom.database.store import DEFAULT_MAX_PARTICIPANTS, Store, as_utc
from firstread.classroom.lifecycle import find_supervisor, stop_class
from firstread.classroom.progress.participant_view import POLL_SECONDS
from firstread.classroom.rehearsal.class_memory import measure_class_memory
from firstread.classroom.rehearsal.load_test_result import LoadTestResult, percentiles
from firstread.classroom.rehearsal.scripted_participant import LoadTestError, ScriptedParticipant
from firstread.lessons.runner import apply_edits

_START_TIMEOUT_SECONDS = 300
#: how often JupyterLab's page lists kernels and sessions, and how often it saves the notebook
_LIST_SECONDS, _SAVE_SECONDS = 10.0, 60.0
#: how often memory is measured at most, and the largest share of the time that it takes
_MEMORY_SECONDS, _MEMORY_SHARE = 3.0, 0.05


class LoadTest:
    """One load test of a running class.

    Args:
        participants: number of scripted participants.
        ramp_up_seconds: time over which the participants arrive.
        report: called with a line of progress every 15 seconds.
    """

    def __init__(
        self,
        folder: ClassFolder,
        participants: int,
        *,
        ramp_up_seconds: float = 30.0,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder, self.lesson = folder, folder.lesson
        self.participants, self.ramp_up_seconds, self.report = participants, ramp_up_seconds, report
        self.result = LoadTestResult(
            participants,
            self.lesson.name,
            self.lesson.values["minutes"],
            os.cpu_count() or 1,
            psutil.virtual_memory().total // 2**20,
        )
        self.scripted_participants: list[ScriptedParticipant] = []
        self.join_seconds: list[float] = []
        self.first_cell_seconds: list[float] = []
        self.cells_by_participant: Counter[str] = Counter()
        self.step_seconds: dict[str, list[float]] = {}
        self.failures: Counter[str] = Counter()
        self.shown_events: list[tuple[int, float]] = []

    async def run(self) -> LoadTestResult:
        """Run the test, from the first participant's arrival until all have finished or failed."""
        self.began = time.monotonic()
        monitors = (self._sample_memory(), self._watch_dashboard(), self._report_progress())
        background = [asyncio.create_task(monitor) for monitor in monitors]
        await asyncio.gather(*(self._run_participant(number) for number in range(self.participants)))
        self.result.minutes_of_lesson = round((time.monotonic() - self.began) / 60, 2)
        await asyncio.sleep(5)  # the last events reach the dashboard
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await asyncio.to_thread(self._compare_with_database, self.folder.store())
        return self.result

    async def _run_participant(self, number: int) -> None:
        await asyncio.sleep(self.ramp_up_seconds * number / self.participants)
        async with ScriptedParticipant(self.folder.public_url, self.folder.settings.join_code) as participant:
            self.scripted_participants.append(participant)
            browser: asyncio.Task[None] | None = None
            try:
                begin = time.monotonic()
                await participant.join(f"Rehearsal {number + 1}")
                await participant.open_server(timeout_seconds=300)
                self.join_seconds.append(time.monotonic() - begin)
                notebook = f"{self.lesson.name}.ipynb"
                await participant.read_code_cells(notebook)
                browser = asyncio.create_task(self._keep_browser_open(participant, notebook))
                begin = time.monotonic()
                await participant.start_kernel(notebook)
                await self._run_cells(participant, begin)
                self.result.finished += 1
            except (LoadTestError, OSError, TimeoutError, ClientError) as error:
                self.failures[str(error).split(". Where")[0] or type(error).__name__] += 1
            finally:
                if browser is not None:
                    browser.cancel()

    async def _run_cells(self, participant: ScriptedParticipant, begin: float) -> None:
        """Run all code cells, with the edits that the lesson's script makes."""
        known = await asyncio.to_thread(self.folder.store().find_participant, participant.username)
        notebook = apply_edits(
            self.lesson, await participant.read_notebook(f"{self.lesson.name}.ipynb"), arms=known.arms if known else {}
        )
        for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
            reply = await participant.run_cell(cell.source, cell=cell.id, timeout_seconds=3600)
            self.cells_by_participant[participant.username] += 1
            if number == 0:
                self.first_cell_seconds.append(time.monotonic() - begin)
            for tag in cell.metadata.get("tags", []):
                if tag.startswith("step-"):
                    self.step_seconds.setdefault(tag.removeprefix("step-"), []).append(time.monotonic() - self.began)
            if reply["status"] != "ok":
                raise LoadTestError(f"{reply.get('ename')} in {cell.id}")

    async def _keep_browser_open(self, participant: ScriptedParticipant, notebook: str) -> None:
        """Send what an open browser sends: poll the class's state, list kernels and sessions, save the notebook."""
        listed = saved = time.monotonic()
        poll_seconds = POLL_SECONDS
        while True:
            await asyncio.sleep(poll_seconds * random.uniform(0.8, 1.2))
            with suppress(LoadTestError, OSError, TimeoutError, ClientError):
                poll_seconds = (await participant.read_class_state())["again_seconds"]
                if time.monotonic() - listed > _LIST_SECONDS:
                    listed = time.monotonic()
                    await participant.api_request("GET", "kernels")
                    await participant.api_request("GET", "sessions")
                if time.monotonic() - saved > _SAVE_SECONDS:
                    saved = time.monotonic()
                    await participant.save_notebook(notebook)

    async def _sample_memory(self) -> None:
        """Keep the peak of the class's memory; a large class is measured less often, because that costs time."""
        result = self.result
        while True:
            begin = time.monotonic()
            with suppress(psutil.NoSuchProcess):
                if supervisor := find_supervisor(self.folder):
                    memory = await asyncio.to_thread(measure_class_memory, supervisor, self.folder.path)
                    result.memory_mb = max(result.memory_mb, memory.bytes // 2**20)
                    result.unreadable_processes = max(result.unreadable_processes, memory.unreadable)
            await asyncio.sleep(max(_MEMORY_SECONDS, (time.monotonic() - begin) / _MEMORY_SHARE))

    async def _watch_dashboard(self) -> None:
        """Follow the dashboard's event stream as an instructor's browser does; record when it had shown which event."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(total=None)) as session:
            address = self.folder.dashboard_url.rstrip("/")
            await session.post(f"{address}/login", data={"key": self.folder.settings.instructor_key})
            while True:
                with suppress(OSError, TimeoutError, asyncio.TimeoutError, ValueError):
                    async with session.get(f"{address}/stream") as stream:
                        async for line in stream.content:
                            if line.startswith(b"id: "):
                                self.shown_events.append((int(line[4:]), time.time()))
                await asyncio.sleep(1)

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(15)
            minutes = (time.monotonic() - self.began) / 60
            joined, cells = len(self.join_seconds), sum(self.cells_by_participant.values())
            finished = self.result.finished
            self.report(f"{minutes:5.1f} min: {joined} in the lesson, {finished} at its end, {cells} cells run")

    def _compare_with_database(self, store: Store) -> None:
        """Complete the result: compare the cells that were run with the events in the class database."""
        result, events = self.result, store.events()
        result.joined, result.failures = len(self.join_seconds), dict(self.failures)
        result.seconds_to_join = percentiles(self.join_seconds)
        result.seconds_to_first_cell = percentiles(self.first_cell_seconds)
        result.minutes_by_step = {
            step: round(statistics.median(seconds) / 60, 2) for step, seconds in self.step_seconds.items()
        }
        names = {one.id: one.username for one in store.participants()}
        recorded = Counter(names[event.participant_id] for event in events if event.kind == "cell")
        result.cells_run = sum(self.cells_by_participant.values())
        result.events_lost = sum(max(0, count - recorded[name]) for name, count in self.cells_by_participant.items())
        result.events_duplicated = sum(
            max(0, recorded[name] - count) for name, count in self.cells_by_participant.items()
        )
        result.dashboard_seconds = percentiles(self._dashboard_delays(events))

    def _dashboard_delays(self, events: Sequence[Event]) -> list[float]:
        """Seconds from each event until the dashboard had shown it; events that were never shown are left out."""
        delays, index = [], 0
        for event in events:
            while index < len(self.shown_events) and self.shown_events[index][0] < event.id:
                index += 1
            if index < len(self.shown_events):
                delays.append(self.shown_events[index][1] - as_utc(event.happened).timestamp())
        return delays


def run_load_test(
    *,
    participants: int,
    lesson: str,
    data: str | None = None,
    ramp_up_seconds: float = 30.0,
    report: Callable[[str], None] = lambda _: None,
) -> LoadTestResult:
    """Start a class on this machine, run the load test on it, then stop the class and delete its folder.

    Raises:
        LoadTestError: the class could not be started.
    """
    import shutil

    folder = ClassFolder.create(
        f"rehearsal-{os.getpid()}",
        lesson=lesson,
        data=data,
        port=find_free_ports(1)[0],
        max_participants=max(participants, DEFAULT_MAX_PARTICIPANTS),
    )
    load_test = LoadTest(folder, participants, ramp_up_seconds=ramp_up_seconds, report=report)
    previous_handler = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM stops the class too
    try:
        process = start_class_process(folder, lesson, data)
        wait_until_started(process, folder.path / "log")
        result = asyncio.run(load_test.run())
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
        stop_and_wait(folder)
    shutil.rmtree(folder.path, ignore_errors=True)
    return result


def start_class_process(folder: ClassFolder, lesson: str, data: str | None) -> subprocess.Popen[bytes]:
    """Start `firstread class start` for a class's folder in a process of its own."""
    settings = folder.settings
    command = [sys.executable, "-m", "firstread", "class", "start", "--name", settings.name]
    command += ["--lesson", lesson, "--port", str(settings.port), *(["--data", data] if data else [])]
    command += ["--max-participants", str(settings.max_participants)]
    with open(folder.path / "log" / "start.log", "wb") as log:
        # our own command, no shell
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603


def wait_until_started(process: subprocess.Popen[bytes], log_folder: Path) -> None:
    """Wait until a class can be joined.

    Raises:
        LoadTestError: it has ended, or took too long.
    """
    end = time.monotonic() + _START_TIMEOUT_SECONDS
    while b"Ctrl-C" not in (log_folder / "start.log").read_bytes():
        if process.poll() is not None or time.monotonic() > end:
            raise LoadTestError("The class did not start", where=log_folder, do="look at the files there")
        time.sleep(0.2)


def stop_and_wait(folder: ClassFolder) -> None:
    """Stop a class, and wait until all its processes have ended."""
    stop_class(folder)
    end = time.monotonic() + 10
    while find_supervisor(folder) and time.monotonic() < end:
        time.sleep(0.2)
