"""Start real processes that are joined by gloo, and see what they give."""

import os
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing

from train import processes


def in_processes(count: int, work: Callable[..., Any], folder: Path, *arguments: Any) -> list[Any]:
    """What ``work(*arguments)``, a function of a module, gives in each of so many processes, in their order."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # All are forked from one that has imported what takes long, and has run nothing yet.
    multiprocessing.set_forkserver_preload(["tests.train.taught", "tests.train.losses.shared"])
    multiprocessing.start_processes(_process, (count, port, work, folder, arguments), count, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(count)]


def _process(rank: int, count: int, port: int, work: Callable[..., Any], folder: Path, arguments: tuple[Any]) -> None:
    place = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()} | {"XDG_CACHE_HOME": str(folder)}
    torch.set_num_threads(1)
    with processes.joined():
        try:
            torch.save(work(*arguments), folder / f"{rank}.pt")
        except BaseException:
            traceback.print_exc()  # the first one's is the one to read
            raise
