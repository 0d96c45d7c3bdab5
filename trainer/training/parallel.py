"""Several processes that train one model, through ignite.distributed (``torchrun``).

Each process takes its share of every batch and the gradients are summed over the whole batch, so
that a run of N processes takes the steps that one process would take. Batch normalisation sees
its own share of the batch alone, which is where the figures differ.

DistributedDataParallel is not used: it exchanges gradients inside ``backward`` and divides by the
number of processes. A process that runs out of memory tries its share again in smaller pieces while
the others wait, which would leave them hanging in the middle of an exchange; and clips carry
weights, so that the sum over the whole batch, not the mean of the shares, is what one process
would compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import ignite.distributed as idist
import torch
from torch import Tensor, nn

from ser_core.errors import SerError
from trainer.errors import FirstFailedError, TrainerError

Found = TypeVar("Found")

_PATIENCE = timedelta(days=2)
"""How long one process waits for another, which may be decoding or evaluating all that time."""


def launched() -> bool:
    """Return whether ``torchrun`` started this process."""
    return bool(torch.distributed.is_torchelastic_launched())


@contextmanager
def group() -> Iterator[None]:
    """Join the other processes for the time of a ``with``; alone it does nothing."""
    if not launched() or idist.get_world_size() > 1:
        yield
        return
    idist.initialize("nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    try:
        yield
    finally:
        idist.finalize()


def rank() -> int:
    """Return this process's number, from 0."""
    return int(idist.get_rank())


def world() -> int:
    """Return how many processes there are."""
    return int(idist.get_world_size())


def first() -> bool:
    """Return whether this process is the one that writes files and tells people."""
    return rank() == 0


def barrier() -> None:
    """Wait for the others."""
    if world() > 1:
        idist.barrier()


def from_first(work: Callable[[], Found]) -> Found:
    """Do something in the first process alone; every process gets its result, or its failure.

    Raises:
        FirstFailedError: in the other processes, where the first one failed.
    """
    if world() == 1:
        return work()
    if not first():
        result, failure = share(None)
        if failure:
            raise FirstFailedError(failure)
        return result  # type: ignore[no-any-return]
    try:
        value = work()
    except (TrainerError, SerError, OSError) as error:
        share((None, str(error)))
        raise
    share((value, ""))
    return value


def local_first(work: Callable[[], Found]) -> Found:
    """Do something in one process of each machine, then in the others, which find it cached."""
    if world() == 1:
        return work()
    if idist.get_local_rank() == 0:
        value = work()
        barrier()
    else:
        barrier()
        value = work()
    return value


def share(value: Any) -> Any:
    """Return the first process's ``value`` (plain Python values) in every process."""
    if world() == 1:
        return value
    held = [value]
    torch.distributed.broadcast_object_list(held, src=0)
    return held[0]


def total(value: float) -> float:
    """Return the sum of ``value`` over the processes."""
    if world() == 1:
        return value
    return float(idist.all_reduce(torch.tensor(value, dtype=torch.float64)))


def any_of(flag: bool) -> bool:
    """Return whether the flag is set in any process."""
    return total(1.0 if flag else 0.0) > 0


def sum_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace each gradient by its sum over the processes, in one exchange."""
    if world() == 1:
        return
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.reshape(-1) for g in grads])
    torch.distributed.all_reduce(flat)
    start = 0
    for parameter, grad in zip(parameters, grads, strict=True):
        size = grad.numel()
        # Copied into what is there, so that it keeps its layout in memory.
        parameter.grad = grad.copy_(flat[start : start + size].view(grad.shape))
        start += size


def average_buffers(model: nn.Module) -> None:
    """Replace running statistics by their mean over the processes."""
    if world() == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            torch.distributed.all_reduce(buffer)
            buffer.div_(world())


def same_start(tensors: Sequence[Tensor]) -> None:
    """Give every process the first process's values."""
    if world() == 1:
        return
    for tensor in tensors:
        torch.distributed.broadcast(tensor, src=0)
