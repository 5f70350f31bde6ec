"""Where a network is trained: device, precision, and what to do when memory runs out or a GPU fails."""

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from firstread.core.errors import SettingError


def make_accelerator(*, device: str = "auto", precision: str = "auto") -> Accelerator:
    """Hugging Face Accelerate's handle on device, precision and (under `accelerate launch`) several GPUs.

    Raises:
        SettingError: a GPU was asked for and is not there.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device in present and not present[device]:
        raise SettingError(
            f'device="{device}" was asked for, but there is no such GPU here that torch can use',
            do='use device="auto" (takes a GPU if there is one), or run `firstread doctor` to see why',
        )
    if PartialState._shared_state and PartialState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
    on_gpu = device != "cpu" and any(present.values())
    if precision == "auto":
        precision = "bfloat16" if on_gpu and present["cuda"] and torch.cuda.is_bf16_supported() else "float32"
    return Accelerator(cpu=not on_gpu, mixed_precision="bf16" if precision == "bfloat16" else "no")


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
