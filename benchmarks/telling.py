"""How a timed script tells its figures: one line of JSON. Needs nothing but Python, because the peers have an environment of their own."""

import json
import sys
from pathlib import Path
from typing import Any


def tell(framework: str, *, start: float, ready: float, seconds_by_phase: dict[str, float], **figures: Any) -> None:
    """Print what was measured, with the seconds before training, of training, and the peak memory of this process."""
    told = {
        "framework": framework, "seconds_before": ready - start, "seconds_training": sum(seconds_by_phase.values()),
        "seconds_by_phase": seconds_by_phase, **figures, "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip
    print(json.dumps(told))


def peak_memory_mb() -> float:
    """The largest resident memory of this process, in MB. (getrusage would count that of the process that started it.)"""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource

    unit = 1024 if sys.platform.startswith("linux") else 1024 * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
