"""Device, precision, CPU threads and queue slot of a training, and recovery from out-of-memory and GPU errors."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Required, TypedDict

import torch

from firstread.core.errors import SettingError
from firstread.core.process_settings import ProcessSetting
from firstread.core.progress_bar import StatusLine
from firstread.learning.hardware import available_cores, this_hardware
from firstread.learning.process_group import Processes
from firstread.learning.queue import QueueSlot


def choose_device(device: str = "auto") -> str:
    """Resolve "auto" to "cuda", "mps" or "cpu", and check that a GPU asked for is available.

    Raises:
        SettingError: a GPU was asked for and is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device in available and not available[device]:
        raise SettingError(
            f'device="{device}" was asked for, but there is no such GPU here that torch can use',
            do='use device="auto" (takes a GPU if there is one), or run `firstread doctor` to see why',
        )
    if device != "auto":
        return device
    return next((name for name in available if available[name]), "cpu")


@dataclass(frozen=True)
class Placement:
    """Where a network is trained, and in which precision.

    Attributes:
        device: that it lies on.
        precision: "float32" or "bfloat16".
    """

    device: torch.device
    precision: str

    def autocast(self) -> torch.autocast:
        """Context in which layers compute in this precision; weights stay float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def choose_placement(*, device: str = "auto", precision: str = "auto", local_rank: int | None = None) -> Placement:
    """Choose device and precision.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device has it in hardware and, on a CPU, where
            a measured probe says that it is faster.
        local_rank: number of the GPU that belongs to this process of a distributed training; None for the first one.

    Raises:
        SettingError: a GPU was asked for and is not there.
    """
    device = choose_device(device)
    if precision == "auto":
        gpu_has_bfloat16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        gpu_precision = "bfloat16" if gpu_has_bfloat16 else "float32"
        precision = this_hardware().precision if device == "cpu" else gpu_precision
    index = local_rank if device == "cuda" else None
    return Placement(torch.device(device) if index is None else torch.device(device, index), precision)


@contextmanager
def limit_cpu_threads() -> Iterator[None]:
    """Limit torch's CPU threads to the cores that affinity and container allow: more would wait for one another."""
    with _FULL_THREADS as full_threads:
        torch.set_num_threads(min(full_threads.value, available_cores()))
        try:
            yield
        finally:
            torch.set_num_threads(full_threads.value)  # torch counts each thread of Python for itself


@contextmanager
def reproducible(wanted: bool) -> Iterator[None]:
    """Refuse operations that do not repeat bit by bit, if wanted; the process's own setting comes back."""
    with _DETERMINISTIC if wanted else nullcontext():
        yield


@contextmanager
def acquire_queue_slot(device: str, *, quiet: bool) -> Iterator[QueueSlot]:
    """Wait in the device's training queue for a slot, and show the position meanwhile.

    The processes of one training under `torchrun` belong together and do not wait for one another.
    """
    device = choose_device(device)
    distributed = Processes.from_environment().count > 1
    name = device if device != "cuda" else f"cuda-{os.environ.get('CUDA_VISIBLE_DEVICES', '0')}"
    with StatusLine("Waiting for other trainings on this computer", quiet=quiet) as status_line:
        queue_slot = QueueSlot(
            threads=torch.get_num_threads() if device == "cpu" else 1,
            cores=available_cores() if device == "cpu" else 1,
            report=lambda position: status_line.update(str(position)) if position.position else status_line.close(),
            queue_name=None if distributed else re.sub(r"[^a-z0-9]+", "-", name.lower()),
        )
        with queue_slot:
            yield queue_slot


class Recovery(TypedDict, total=False):
    """Changed settings to retry a training after an out-of-memory or GPU error, and a message for the user."""

    message: Required[str]
    batch_size: int
    device: str


def recovery_for(error: Exception, *, batch_size: int, on_cpu: bool) -> Recovery | None:
    """Choose the recovery from an out-of-memory or GPU error of a training; None for any other error.

    Returns:
        {"batch_size": smaller} after memory ran out, {"device": "cpu"} after a GPU failed, with a "message" for the
        user.
    """
    text = str(error).lower()
    out_of_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(
        words in text for words in ("out of memory", "can't allocate")
    )
    if out_of_memory and batch_size > 1:
        smaller = batch_size // 2
        return {"batch_size": smaller, "message": f"Memory ran out: going on with {smaller} images a step."}
    gpu_error = any(word in text for word in ("cuda", "cudnn", "cublas", "nccl", "mps backend"))
    if not on_cpu and (out_of_memory or gpu_error):
        return {"device": "cpu", "message": "The GPU failed: going on with the processor, which takes longer."}
    return None


#: number of torch's threads before the first of several trainings limited it
_FULL_THREADS = ProcessSetting(change=torch.get_num_threads, restore=lambda _: None)


def _make_deterministic() -> tuple[bool, str | None]:
    before = torch.are_deterministic_algorithms_enabled(), os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    torch.use_deterministic_algorithms(True)
    return before


def _restore_deterministic(before: tuple[bool, str | None]) -> None:
    torch.use_deterministic_algorithms(before[0])
    if before[1] is None:
        os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


_DETERMINISTIC = ProcessSetting(change=_make_deterministic, restore=_restore_deterministic)
