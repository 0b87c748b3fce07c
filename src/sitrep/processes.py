"""One training in several processes, as `torchrun` or `accelerate launch` starts them: who writes, and what all must know.

Importing this room costs nothing; torch is imported where there is more than one process.
"""

from __future__ import annotations

import os
from typing import Any


def n_processes() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def n_cores() -> int:
    """Return how many cores this process may use; two threads of one core count once."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


def is_writer() -> bool:
    """Say whether this is the process that owns the run folder, the split and the terminal."""
    return int(os.environ.get("RANK", "0")) == 0


def share(value: Any) -> Any:
    """Return the `value` that the writer gave, in every process; waits until all have called."""
    if n_processes() == 1:
        return value
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    box = [value]
    distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


def leave() -> None:
    """Wait for the others and end the group."""
    if n_processes() > 1:
        from torch import distributed

        if distributed.is_initialized():
            distributed.barrier()
            distributed.destroy_process_group()
