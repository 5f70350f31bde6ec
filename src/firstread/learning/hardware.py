"""What this computer can do, measured once in about a second and kept: cores, and the precision that trains faster."""

import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json, write_json
from firstread.core.paths import home

#: bfloat16 must be so much faster than float32 to be chosen: it costs digits, so it has to pay
_WORTH_IT = 0.85
# Large pages for large tensors: several per cent of a training's time goes into fetching small ones. Read by torch at its first
# large allocation, ignored where there are none.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

_BFLOAT16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16", "sve_bf16")


@dataclass(frozen=True)
class Machine:
    """The processor that networks are trained on.

    Attributes:
        processor: its name, and the versions that the figures were measured with.
        cores: how many this process may use (affinity and container limits count).
        bfloat16_hardware: True if the processor multiplies bfloat16 itself; emulation would be slower and is not used.
        seconds_float32, seconds_bfloat16: one step of the probe, a small stack of convolutions forward and backward.
    """

    processor: str
    cores: int
    bfloat16_hardware: bool
    seconds_float32: float
    seconds_bfloat16: float | None

    @property
    def precision(self) -> str:
        """What `precision="auto"` means on this processor."""
        faster = self.seconds_bfloat16 is not None and self.seconds_bfloat16 < _WORTH_IT * self.seconds_float32
        return "bfloat16" if faster else "float32"


def this_machine() -> Machine:
    """The figures kept on this computer, or measured now (about a second) if there are none that fit."""
    file = home() / "machine.json"
    name, cores = _processor(), available_cores()
    with suppress(FirstreadError, TypeError, OSError):
        kept = Machine(**read_json(file))
        if (kept.processor, kept.cores) == (name, cores):
            return kept
    hardware = has_bfloat16()
    found = Machine(name, cores, hardware, _probe(None), _probe(torch.bfloat16) if hardware else None)
    with suppress(FirstreadError, OSError):  # a home that cannot be written costs a second each time, no more
        write_json(file, asdict(found))
    return found


def available_cores() -> int:
    """Processor cores that this process may really use: those of its affinity, and of its container's limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _container_limit(Path("/sys/fs/cgroup/cpu.max")) or cores))


def _container_limit(file: Path) -> int | None:
    """Whole cores that a Linux control group allows, rounded up; None if it sets no limit."""
    with suppress(OSError, ValueError):
        quota, period = file.read_text().split()
        return -(-int(quota) // int(period))
    return None


def has_bfloat16() -> bool:
    """True if the processor has instructions for bfloat16 products."""
    if not torch.backends.mkldnn.is_available():
        return False
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name) for name in _BFLOAT16_FEATURES)


def matrix_peak(dtype: torch.dtype, *, size: int = 4096, tries: int = 3) -> float:
    """Best measured rate of one square matrix product, in GFLOP/s: what "share of peak" is a share of."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / min(_seconds(lambda: a @ b) for _ in range(tries + 1)) / 1e9


def _probe(dtype: torch.dtype | None) -> float:
    """Seconds of one forward and backward pass through three convolutions, the best of some."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()) for _ in range(3)]
        network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        pixels = torch.randn(8, 64, 48, 48).to(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is not None):
            network(pixels).float().mean().backward()

    step()
    return min(_seconds(step) for _ in range(4))


def _seconds(work: Any) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _processor() -> str:
    name = torch.cpu.get_capabilities().get("cpu_name", "") if hasattr(torch.cpu, "get_capabilities") else ""
    return f"{name or platform.processor() or platform.machine()}, torch {torch.__version__}"
