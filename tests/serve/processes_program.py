"""Worker processes that answer with their id, one request at a time: a program of its own."""

import argparse
import asyncio
import functools
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from serve.metrics import Metrics, forget_process, shared_between_processes
from serve.processes import Processes
from train.command import command
from train.errors import UserError


def work(listener: socket.socket, ready: Callable[[], None], fails: str) -> None:
    if fails == "error":
        raise UserError("the bundle is broken: export it again")
    if fails == "exit":
        sys.exit(7)
    metrics = Metrics()

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        metrics.request("streets", 200, 0.01)
        if scope["path"] == "/slow":
            await asyncio.sleep(1)
        body = metrics.exposition()[0] if scope["path"] == "/metrics" else str(os.getpid()).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": body})
        if scope["path"] == "/hang":
            time.sleep(60)

    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off", ws="none"))
    if fails == "later" and Path(os.environ["FLAG"]).exists():
        raise UserError("the bundle is broken: export it again")
    ready()
    asyncio.run(server.serve([listener]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fails", default="")
    parser.add_argument("--grace-s", type=float, default=10.0)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    with shared_between_processes():
        part = functools.partial(work, fails=options.fails)
        finished = Processes(part, 2, listener, options.grace_s, forget_process).run()
    sys.exit(0 if finished else 1)


if __name__ == "__main__":
    command(main)
