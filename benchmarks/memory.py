"""What one participant's server and kernel hold and use during a lesson: memory (proportional set size) and processor seconds.

Needs a class that runs on this machine; a scripted participant joins it and runs every cell. Prints JSON for benchmarks/capacity.toml.
Usage: python benchmarks/memory.py [--name CLASS]
"""

import argparse
import asyncio
import json
import time

import psutil

from firstread.classroom.lifecycle import find_class, running
from firstread.classroom.rehearsal.scripted_participant import ScriptedParticipant

EVERY_SECONDS = 0.5


class Watched:
    """The processes of one participant."""

    def __init__(self, keeper: psutil.Process, username: str) -> None:
        self.keeper, self.username = keeper, username
        self.peak_mb = 0.0

    def processes(self) -> list[psutil.Process]:
        """Server, kernel, and what they started."""
        found = []
        for one in self.keeper.children(recursive=True):
            try:
                if one.environ().get("USER") == self.username:
                    found.append(one)
            except psutil.Error:
                continue
        return found

    def now_mb(self) -> float:
        """Memory that would be free without them."""
        total = 0
        for one in self.processes():
            try:
                total += one.memory_full_info().pss
            except psutil.Error:
                continue
        return total / 2**20

    def processor_seconds(self) -> float:
        """Used until now."""
        return sum(sum(one.cpu_times()[:4]) for one in self.processes() if one.is_running())

    async def watch(self) -> None:
        """Keep the peak."""
        while True:
            self.peak_mb = max(self.peak_mb, self.now_mb())
            await asyncio.sleep(EVERY_SECONDS)


async def measure(name: str | None) -> dict[str, float]:
    """One participant through the lesson."""
    folder = find_class(name)
    keeper = running(folder)
    if keeper is None:
        raise SystemExit("The class does not run; start it with: firstread class start")
    notebook = f"{folder.settings.lesson}.ipynb"
    async with ScriptedParticipant(folder.address, folder.settings.join_code) as one:
        await one.join("Measured")
        await one.open()
        await one.start_kernel(notebook)
        watched = Watched(keeper, one.username)
        before = watched.now_mb()
        await one.run("import torch, monai, matplotlib.pyplot")
        idle = watched.now_mb()
        watching = asyncio.ensure_future(watched.watch())
        began = time.perf_counter()
        for cell in await one.notebook(notebook):
            done = await one.run(cell["source"], cell=cell["id"])
            if done["status"] != "ok":
                raise SystemExit(f"{cell['id']}: {done.get('ename')}")
        seconds = time.perf_counter() - began
        watching.cancel()
        return {
            "memory_joined_mb": round(before), "memory_idle_mb": round(idle), "memory_peak_mb": round(watched.peak_mb),
            "memory_after_mb": round(watched.now_mb()), "processor_seconds_lesson": round(watched.processor_seconds(), 1),
            "seconds_lesson": round(seconds, 1),
        }  # fmt: skip


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default=None)
    print(json.dumps(asyncio.run(measure(parser.parse_args().name)), indent=2))


if __name__ == "__main__":
    main()
