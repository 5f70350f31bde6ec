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
from firstread.classroom.sandbox.processes import kernels_of, sandboxes_of, with_descendants

KSM = Path("/sys/kernel/mm/ksm")
MIB = 2**20


def memory_by_kind(folder: ClassFolder) -> dict[str, float]:
    """PSS in MiB of all processes of a running class, by kind."""
    supervisor = find_supervisor(folder)
    if supervisor is None:
        return {}
    kinds = {process.pid: _name(process) for process in [supervisor, *supervisor.children(recursive=True)]}
    for username, inits in sandboxes_of(folder).items():
        kernels = kernels_of(folder, username)
        for init in inits:
            kinds |= {process.pid: "kernels" if init in kernels else "servers" for process in with_descendants([init])}
    totals: Counter[str] = Counter()
    for pid, kind in kinds.items():
        with contextlib.suppress(psutil.Error):
            totals[kind] += psutil.Process(pid).memory_full_info().pss
    return {kind: round(size / MIB, 1) for kind, size in sorted(totals.items())}


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        line = " ".join(process.cmdline())
        return next((name for name in ("zygote", "proxy", "service.app", "jupyterhub") if name in line), "supervisor")
    return "ended"


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
        process = load_test.start_class_process(folder, "hello-world", None)
        load_test.wait_until_started(process, folder.path / "log")
        time.sleep(2)
        values = asyncio.run(measure(folder, arguments.participants, arguments.merge_seconds))
    finally:
        load_test.stop_and_wait(folder)
    shutil.rmtree(folder.path, ignore_errors=True)
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
