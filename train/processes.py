"""The processes of a training: which one this is, and what they do together. A single one is all of them."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous

from train.errors import UserError

Item = TypeVar("Item")

# The others wait while the first one builds a cache.
_PATIENCE = timedelta(hours=2)


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the other processes that `torchrun` started; inside, only the first one prints. Alone: nothing changes.

    Raises:
        UserError: a process has failed, said by the first one that did; the others end without a word.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    store, rank, world = next(rendezvous("env://"))
    if torch.cuda.device_count() > local_rank():
        torch.cuda.set_device(local_rank())
    # NCCL for what is on GPUs, gloo for the rest.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_PATIENCE)
    with contextlib.ExitStack() as stack:
        if rank:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))  # noqa: PTH123
        try:
            yield
        except BaseException as error:
            if _is_said(store):
                raise SystemExit(1) from None
            if isinstance(error, UserError):
                raise UserError(f"{error} (process {rank} of {world})") from None
            raise
    distributed.destroy_process_group()


def _is_said(store: Any) -> bool:
    """Whether another one has said why the training ends."""
    try:
        return bool(store.add("failed", 1) > 1)
    except distributed.DistError:  # the one that is gone had the store
        return False


def count() -> int:
    """How many there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this is the one that writes files."""
    return rank() == 0


def local_rank() -> int:
    """The number of this one among those of its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def wait() -> None:
    """Until all are here."""
    if count() > 1:
        with _together():
            distributed.barrier()


def largest(number: int) -> int:
    """The largest number that one of them has."""
    if count() == 1:
        return number
    found = torch.tensor(number)
    with _together():
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return int(found)


def from_first(item: Item) -> Item:
    """What the first one has."""
    found: list[Any] = [item]
    if count() > 1:
        with _together():
            distributed.broadcast_object_list(found, 0)
    return found[0]  # type: ignore[no-any-return]


def gathered(items: list[Item]) -> list[Item]:
    """The items of all of them, in the order of the processes."""
    if count() == 1:
        return items
    found: list[Any] = [None] * count()
    with _together():
        distributed.all_gather_object(found, items)
    return [item for part in found for item in part]


def total(value: Tensor) -> Tensor:
    """The sum over all of them; the gradient of all flows back."""
    return value if count() == 1 else _Total.apply(value)


def all_images(images: Tensor) -> Tensor:
    """Maps ``(N, …)`` of this one's images to those of the whole batch, ``(N·count, …)``; the gradient of all of them
    flows back to the process that an image belongs to.
    """
    return images if count() == 1 else _AllImages.apply(images)


def own_images(whole: Tensor) -> Tensor:
    """The part of a batch ``(N·count, …)`` that is this one's, ``(N, …)``."""
    images = whole.shape[0] // count()
    return whole[rank() * images : (rank() + 1) * images]


def part_of_mean(mean: Tensor, over: Tensor) -> Tensor:
    """A mean over so many things of this one, scaled so that the mean over the processes is the mean over all things.

    Args:
        mean: of any shape; 0 where there is nothing to take it over.
        over: scalar, the number of things or the sum of their weights; a constant.
    """
    if count() == 1:
        return mean
    over = over.detach().to(mean)
    of_all = total(over)
    return mean * (count() * over / torch.where(of_all > 0, of_all, 1))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give all of them the mean of their gradients, in one exchange."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if count() > 1 and gradients:
        _exchange(gradients, lambda flat: distributed.all_reduce(flat.div_(count())))


def take_from_first(tensors: Iterable[Tensor]) -> None:
    """Give all of them the first one's values, in one exchange."""
    found = list(tensors)
    if count() > 1 and found:
        _exchange(found, lambda flat: distributed.broadcast(flat, 0))


@torch.no_grad()
def _exchange(tensors: list[Tensor], change: Callable[[Tensor], Any]) -> None:
    """Change tensors of one type in place, all as one."""
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    with _together():
        change(flat)
    for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """What all take part in cannot go on when one is gone."""
    try:
        yield
    except (RuntimeError, distributed.DistError) as error:
        if "gloo" not in str(error) and not isinstance(error, distributed.DistError):
            raise
        raise UserError(
            "another process of this training is gone: look there for the reason, then start all again with --resume"
        ) from None


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, value: Tensor) -> Tensor:
        value = value.clone(memory_format=torch.contiguous_format)
        with _together():
            distributed.all_reduce(value)
        return value

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return total(gradient)


class _AllImages(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, images: Tensor) -> Tensor:
        images = images.contiguous()
        found = [torch.empty_like(images) for _ in range(count())]
        with _together():
            distributed.all_gather(found, images)
        return torch.cat(found)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return own_images(total(gradient))
