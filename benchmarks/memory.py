"""Memory (proportional set size) and CPU seconds of one participant's server and kernel during a lesson.

Needs a class that runs on this machine; a scripted participant joins it and runs every cell. Prints JSON for
benchmarks/capacity.toml.

Usage: python benchmarks/memory.py [--name CLASS]
"""

import argparse
import asyncio
import json
import time

import psutil

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.lifecycle import find_class, find_supervisor
from firstread.classroom.rehearsal.scripted_participant import ScriptedParticipant
from firstread.classroom.sandbox.processes import sandboxes_of, with_descendants

SAMPLE_SECONDS = 0.5


class ParticipantProcesses:
    """Server, kernel and child processes of one participant."""

    def __init__(self, folder: ClassFolder, username: str) -> None:
        self.folder, self.username = folder, username
        self.peak_mb = 0.0

    def processes(self) -> list[psutil.Process]:
        """List the participant's running processes."""
        return with_descendants(sandboxes_of(self.folder).get(self.username, []))

    def memory_mb(self) -> float:
        """Sum of proportional set sizes."""
        total = 0
        for process in self.processes():
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue
        return total / 2**20

    def cpu_seconds(self) -> float:
        """CPU time used so far."""
        return sum(sum(process.cpu_times()[:4]) for process in self.processes() if process.is_running())

    async def sample_peak(self) -> None:
        """Update `peak_mb` periodically until cancelled."""
        while True:
            self.peak_mb = max(self.peak_mb, self.memory_mb())
            await asyncio.sleep(SAMPLE_SECONDS)


async def measure(name: str | None) -> dict[str, float]:
    """Run one scripted participant through the lesson and measure its processes."""
    folder = find_class(name)
    if find_supervisor(folder) is None:
        raise SystemExit("The class does not run; start it with: firstread class start")
    notebook = f"{folder.settings.lesson}.ipynb"
    async with ScriptedParticipant(folder.public_url, folder.settings.join_code) as participant:
        await participant.join("Measured")
        await participant.open_server()
        await participant.start_kernel(notebook)
        processes = ParticipantProcesses(folder, participant.username)
        joined_mb = processes.memory_mb()
        await participant.run_cell("import torch, monai, matplotlib.pyplot")
        idle_mb = processes.memory_mb()
        sampling = asyncio.ensure_future(processes.sample_peak())
        begin = time.perf_counter()
        for cell in await participant.read_code_cells(notebook):
            reply = await participant.run_cell(cell["source"], cell=cell["id"])
            if reply["status"] != "ok":
                raise SystemExit(f"{cell['id']}: {reply.get('ename')}")
        seconds = time.perf_counter() - begin
        sampling.cancel()
        return {
            "memory_joined_mb": round(joined_mb),
            "memory_idle_mb": round(idle_mb),
            "memory_peak_mb": round(processes.peak_mb),
            "memory_after_mb": round(processes.memory_mb()),
            "processor_seconds_lesson": round(processes.cpu_seconds(), 1),
            "seconds_lesson": round(seconds, 1),
        }


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default=None)
    print(json.dumps(asyncio.run(measure(parser.parse_args().name)), indent=2))


if __name__ == "__main__":
    main()
