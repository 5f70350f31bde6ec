"""Result of a timed training script as one line of JSON.

Standard library only, because the peers run in a separate environment.
"""

import json
import sys
from pathlib import Path
from typing import Any


def print_result(
    framework: str, *, start: float, ready: float, seconds_by_phase: dict[str, float], **measurements: Any
) -> None:
    """Print the measurements with the seconds before training, of training, and this process's peak memory."""
    result = {
        "framework": framework,
        "seconds_before": ready - start,
        "seconds_training": sum(seconds_by_phase.values()),
        "seconds_by_phase": seconds_by_phase,
        **measurements,
        "peak_memory_mb": peak_memory_mb(),
    }
    print(json.dumps(result))


def peak_memory_mb() -> float:
    """Peak resident memory of this process in MB, from VmHWM: getrusage would include that of the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource

    unit = 1024 if sys.platform.startswith("linux") else 1024 * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
