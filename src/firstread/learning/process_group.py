"""Processes of one distributed training, as `torchrun` starts them: one for each GPU."""

import os
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among those of a distributed training; a training without a launcher is one process.

    Attributes:
        rank: number of this process, from 0; the first one writes the files.
        count: number of processes.
        local_rank: number of this process on its computer, which is that of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @classmethod
    def from_environment(cls) -> "Processes":
        """The processes that a launcher describes in the environment."""
        rank, count, local_rank = (
            int(os.environ.get(n, d)) for n, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
        )
        return cls(rank, count, local_rank) if count > 1 else cls()

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def connect(self, device: torch.device) -> None:
        """Make the process group, unless the script has one already."""
        if self.count == 1:
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")

    def average(self, values: dict[str, float], device: torch.device) -> dict[str, float]:
        """Mean of each value over the processes."""
        if self.count == 1:
            return values
        numbers = torch.tensor(list(values.values()), device=device)
        distributed.all_reduce(numbers)
        return dict(zip(values, (numbers / self.count).tolist(), strict=True))

    def any(self, value: bool, device: torch.device) -> bool:
        """Whether `value` is true in one of the processes."""
        if self.count == 1:
            return value
        flag = torch.tensor(int(value), device=device)
        distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
        return bool(flag)

    def from_main(self, value: T) -> T:
        """The value that the first process has."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.count > 1:
            distributed.barrier()
