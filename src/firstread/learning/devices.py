"""Where a network is trained: device, precision, threads, turn, and what to do when memory runs out or a GPU fails."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from firstread.core.errors import SettingError
from firstread.core.progress_bar import Waiting
from firstread.learning.hardware import available_cores, this_machine
from firstread.learning.queue import Turn


def choose_device(device: str = "auto") -> str:
    """ "cpu", "cuda" or "mps": what was asked for, or the GPU if there is one.

    Raises:
        SettingError: a GPU was asked for and is not there.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device in present and not present[device]:
        raise SettingError(
            f'device="{device}" was asked for, but there is no such GPU here that torch can use',
            do='use device="auto" (takes a GPU if there is one), or run `firstread doctor` to see why',
        )
    return next((name for name in present if present[name]), "cpu") if device == "auto" else device


def make_accelerator(*, device: str = "auto", precision: str = "auto") -> Accelerator:
    """Hugging Face Accelerate's handle on device, precision and (under `accelerate launch`) several GPUs.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device has it in hardware and, on a processor, where a
            measured probe says that it is faster.

    Raises:
        SettingError: a GPU was asked for and is not there.
    """
    device = choose_device(device)
    if PartialState._shared_state and PartialState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
    if precision == "auto":
        on_gpu = (
            "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
        )
        precision = this_machine().precision if device == "cpu" else on_gpu
    return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if precision == "bfloat16" else "no")


@contextmanager
def processor_threads() -> Iterator[None]:
    """No more threads than a container's limit lets run at once: more of them would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, available_cores()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def my_turn(device: str, *, quiet: bool) -> Iterator[Turn]:
    """Wait until this computer is free for one more training, and say how the line stands meanwhile.

    The processes of one training under `accelerate launch` belong together and do not wait for one another.
    """
    device = choose_device(device)
    many = int(os.environ.get("WORLD_SIZE", "1")) > 1
    name = device if device != "cuda" else f"cuda-{os.environ.get('CUDA_VISIBLE_DEVICES', '0')}"
    with Waiting("Waiting for other trainings on this computer", quiet=quiet) as waiting:
        turn = Turn(
            threads=torch.get_num_threads() if device == "cpu" else 1,
            cores=available_cores() if device == "cpu" else 1,
            tell=lambda place: waiting.say(str(place)) if place.place else waiting.end(),
            line=None if many else re.sub(r"[^a-z0-9]+", "-", name.lower()),
        )
        with turn:
            yield turn


def way_out(error: Exception, *, batch_size: int, on_cpu: bool) -> dict[str, Any] | None:
    """What to change so that training can go on after `error`, or None if it is not about the machine.

    Returns:
        {"batch_size": smaller} after memory ran out, {"device": "cpu"} after a GPU failed, with a "message" for the user.
    """
    text = str(error).lower()
    memory = (
        isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "out of memory" in text or "can't allocate" in text
    )
    if memory and batch_size > 1:
        smaller = batch_size // 2
        return {"batch_size": smaller, "message": f"Memory ran out: going on with {smaller} images a step."}
    gpu = not on_cpu and (memory or any(word in text for word in ("cuda", "cudnn", "cublas", "nccl", "mps backend")))
    if gpu:
        return {"device": "cpu", "message": "The GPU failed: going on with the processor, which takes longer."}
    return None


def hand_back(accelerator: Any, network: Any) -> None:
    """Undo `accelerator.prepare`: the network is as it was, and another training can prepare it anew.

    Accelerate leaves its mark on a network that it unwraps, and would take it for prepared: without autocast, in float32.
    """
    for one in (network, accelerator.unwrap_model(network, keep_fp32_wrapper=False)):
        vars(one).pop("_is_accelerate_prepared", None)
        vars(one).pop("forward", None)
