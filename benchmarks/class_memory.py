"""Memory of a class by kind of process, after every participant has run the whole lesson, and what merging would save.

The proportional set size (PSS) counts a page that n processes share as 1/n in each, so the sum over a class's processes
is what they hold together. Prints JSON. Run it once for each variant of the code that is compared.

Usage: python benchmarks/class_memory.py [--participants 20] [--merge-seconds 180]
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import time
from collections import Counter
from pathlib import Path

import psutil

from firstread.classroom.class_folder import ClassFolder, find_free_ports
from firstread.classroom.lifecycle import find_supervisor
from firstread.classroom.rehearsal import load_test
from firstread.classroom.rehearsal.load_test import LoadTest

KSM = Path("/sys/kernel/mm/ksm")
MIB = 2**20


def memory_by_kind(folder: ClassFolder) -> dict[str, float]:
    """PSS in MiB of all processes of a running class, by kind."""
    supervisor = find_supervisor(folder)
    totals: Counter[str] = Counter()
    for process in [supervisor, *supervisor.children(recursive=True)] if supervisor else []:
        with contextlib.suppress(psutil.Error):
            totals[_kind_of(process, supervisor)] += process.memory_full_info().pss
    return {kind: round(size / MIB, 1) for kind, size in sorted(totals.items())}


def _kind_of(process: psutil.Process, supervisor: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    for kind in ("server", "kernel"):
        if f"prefork.zygote {kind}" in line:
            return f"{kind} zygote" if process.ppid() == supervisor.pid and "USER" not in process.environ() else kind
    return next((name for name in ("proxy", "service.app", "jupyterhub") if name in line), "supervisor and others")


async def merge(seconds: float) -> dict[str, float]:
    """Let Linux merge equal pages for a while (root only); returns its own estimate of the memory that this saves."""
    if os.geteuid() != 0 or seconds <= 0:
        return {}
    old = {name: (KSM / name).read_text() for name in ("run", "pages_to_scan", "sleep_millisecs")}
    try:
        (KSM / "pages_to_scan").write_text("20000")
        (KSM / "run").write_text("1")
        await asyncio.sleep(seconds)
        return {
            "saved_mb": round(int((KSM / "general_profit").read_text()) / MIB, 1),
            "full_scans": int((KSM / "full_scans").read_text()),
        }
    finally:
        for name, text in old.items():
            (KSM / name).write_text(text)


async def measure(folder: ClassFolder, participants: int, merge_seconds: float) -> dict[str, object]:
    """Run the load test, and measure while all its servers and kernels still run."""
    test = LoadTest(folder, participants, report=lambda line: print(line, flush=True))
    at_start = memory_by_kind(folder)
    result = await test.run()
    before_merge = memory_by_kind(folder)
    return {
        "participants": participants,
        "result": result.to_dict(),
        "before_the_first_joined_mb": at_start,
        "after_the_lesson_mb": before_merge,
        "total_mb": round(sum(before_merge.values()), 1),
        "merging": await merge(merge_seconds),
    }


def main() -> None:
    """Start a class, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=20)
    parser.add_argument("--merge-seconds", type=float, default=180)
    arguments = parser.parse_args()
    folder = ClassFolder.create(f"memory-{os.getpid()}", lesson="hello-world", port=find_free_ports(1)[0])
    try:
        process = load_test._start_class(folder, "hello-world", None)
        load_test._wait_until_started(process, folder.path / "log")
        time.sleep(2)
        values = asyncio.run(measure(folder, arguments.participants, arguments.merge_seconds))
    finally:
        load_test._stop_and_wait(folder)
    shutil.rmtree(folder.path, ignore_errors=True)
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
