"""Start our server and its peers as processes of their own, on free ports, and end them with all their children."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from train.errors import UserError

ROOT = Path(__file__).parents[2]
NAMES = ("ours", "LitServe", "plain")
_READY_WITHIN_S = 60


@dataclass(frozen=True)
class Server:
    name: str
    url: str
    pid: int


@contextlib.contextmanager
def serving(name: str, bundle: Path, *options: str) -> Iterator[Server]:
    """One of `NAMES`, answering."""
    port = _free_port()
    command = [sys.executable, "-m", *_module(name), str(bundle), "--port", str(port)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen([*command, *options], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(name, process, f"{url}/{'readyz' if name == 'ours' else 'health'}")
        yield Server(name, url, process.pid)
    finally:
        _end(process)


def _module(name: str) -> list[str]:
    if name == "ours":
        return ["serve", "--log-level", "warning"]
    return [{"LitServe": "tests.peers.litserve_server", "plain": "tests.peers.fastapi_server"}[name]]


def _wait(name: str, process: "subprocess.Popen[bytes]", url: str) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        time.sleep(0.1)
    raise UserError(f"{name}: not ready within {_READY_WITHIN_S} s: see its messages above")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """LitServe's workers outlive their parent unless they are ended too."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        for child in psutil.wait_procs(family, timeout=3)[1]:
            child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
