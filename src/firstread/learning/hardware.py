"""CPU capabilities, measured once in about a second and stored: cores, and whether bfloat16 trains faster."""

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json, write_json
from firstread.core.paths import home_folder
from firstread.learning.random_state import seeded

#: bfloat16 / float32 step time below which bfloat16 is chosen: it costs digits, so it must be worth it
_MAX_BFLOAT16_TIME_RATIO = 0.85
# Transparent huge pages for large tensors: several per cent of a training's time goes into page faults. Torch reads it
# at its first large allocation, and ignores it where there are none.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

_BFLOAT16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16", "sve_bf16")


@dataclass(frozen=True)
class Hardware:
    """CPU that networks are trained on, with the probe's timings.

    Attributes:
        processor: name of the CPU, and version of torch at the measurement.
        cores: number that this process may use, after affinity and container limits.
        bfloat16_hardware: True if the CPU has bfloat16 instructions; emulation would be slower and is not used.
        seconds_float32, seconds_bfloat16: one training step of a small stack of convolutions.
    """

    processor: str
    cores: int
    bfloat16_hardware: bool
    seconds_float32: float
    seconds_bfloat16: float | None

    @property
    def precision(self) -> str:
        """Precision that `precision="auto"` selects on this CPU."""
        faster = (
            self.seconds_bfloat16 is not None
            and self.seconds_bfloat16 < _MAX_BFLOAT16_TIME_RATIO * self.seconds_float32
        )
        return "bfloat16" if faster else "float32"


def this_hardware() -> Hardware:
    """Load the stored measurement of this computer, or measure it now (about a second) and store it."""
    name, cores = _processor_name(), available_cores()
    with suppress(FirstreadError, TypeError, OSError):
        stored = Hardware(**read_json(home_folder() / "machine.json"))
        if (stored.processor, stored.cores) == (name, cores):
            return stored
    bfloat16 = has_bfloat16()
    seconds_float32 = _time_training_step(None)
    seconds_bfloat16 = _time_training_step(torch.bfloat16) if bfloat16 else None
    measured = Hardware(name, cores, bfloat16, seconds_float32, seconds_bfloat16)
    with suppress(FirstreadError, OSError):  # a home that cannot be written costs a second each time, no more
        write_json(home_folder() / "machine.json", asdict(measured))
    return measured


def available_cores() -> int:
    """CPU cores that this process may use, after affinity and container (cgroup) limits."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _cgroup_cpu_limit(Path("/sys/fs/cgroup/cpu.max")) or cores))


def _cgroup_cpu_limit(file: Path) -> int | None:
    """CPU limit of a Linux control group in cores, rounded up; None if it sets no limit."""
    with suppress(OSError, ValueError):
        quota, period = file.read_text().split()
        return -(-int(quota) // int(period))
    return None


def has_bfloat16() -> bool:
    """True if the CPU has instructions for bfloat16 products."""
    if not torch.backends.mkldnn.is_available():
        return False
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name) for name in _BFLOAT16_FEATURES)


def matmul_peak_gflops(dtype: torch.dtype, *, size: int = 4096, repeats: int = 3) -> float:
    """Peak rate of a square matrix product, in GFLOP/s: the best of some measurements."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / min(_time_seconds(lambda: a @ b) for _ in range(repeats + 1)) / 1e9


def _time_training_step(dtype: torch.dtype | None) -> float:
    """Seconds of one forward and backward pass through three convolutions, the best of four."""
    with seeded(0):
        layers = [nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()) for _ in range(3)]
        network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        pixels = torch.randn(8, 64, 48, 48).to(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is not None):
            network(pixels).float().mean().backward()

    step()
    return min(_time_seconds(step) for _ in range(4))


def _time_seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _processor_name() -> str:
    name = torch.cpu.get_capabilities().get("cpu_name", "") if hasattr(torch.cpu, "get_capabilities") else ""
    return f"{name or platform.processor() or platform.machine()}, torch {torch.__version__}"
