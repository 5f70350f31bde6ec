"""Device, precision, CPU threads and queue slot of a training, and recovery from out-of-memory and GPU errors."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Required, TypedDict

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from firstread.core.errors import SettingError
from firstread.core.progress_bar import StatusLine
from firstread.learning.hardware import available_cores, this_hardware
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
    return next((name for name in available if available[name]), "cpu") if device == "auto" else device


def make_accelerator(*, device: str = "auto", precision: str = "auto") -> Accelerator:
    """Create the Hugging Face Accelerator for a device, a precision and (under `accelerate launch`) several GPUs.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device has it in hardware and, on a CPU, where
            a measured probe says that it is faster.

    Raises:
        SettingError: a GPU was asked for and is not there.
    """
    device = choose_device(device)
    if PartialState._shared_state and PartialState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
    if precision == "auto":
        gpu_has_bfloat16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        gpu_precision = "bfloat16" if gpu_has_bfloat16 else "float32"
        precision = this_hardware().precision if device == "cpu" else gpu_precision
    return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if precision == "bfloat16" else "no")


def copy_to_gpu(images: np.ndarray, device: torch.device) -> np.ndarray | torch.Tensor:
    """Copy uint8 images to GPU memory if they fit; for the CPU, or if they do not fit, return them unchanged."""
    if device.type == "cpu":
        return images
    try:
        return torch.from_numpy(images).to(device)
    except torch.OutOfMemoryError:
        return images


@contextmanager
def limit_cpu_threads() -> Iterator[None]:
    """Limit torch's CPU threads to the cores that affinity and container allow: more would wait for one another."""
    previous = torch.get_num_threads()
    torch.set_num_threads(min(previous, available_cores()))
    try:
        yield
    finally:
        torch.set_num_threads(previous)


@contextmanager
def acquire_queue_slot(device: str, *, quiet: bool) -> Iterator[QueueSlot]:
    """Wait in the device's training queue for a slot, and show the position meanwhile.

    The processes of one training under `accelerate launch` belong together and do not wait for one another.
    """
    device = choose_device(device)
    distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1
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


def unwrap(accelerator: Accelerator, module: torch.nn.Module) -> None:
    """Undo `accelerator.prepare`, so that another training can prepare the module anew.

    Accelerate leaves its attributes on a module that it unwraps, and would then take it for prepared: without autocast,
    in float32.
    """
    for wrapped in (module, accelerator.unwrap_model(module, keep_fp32_wrapper=False)):
        vars(wrapped).pop("_is_accelerate_prepared", None)
        vars(wrapped).pop("forward", None)
