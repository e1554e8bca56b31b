"""Start ``python -m serve`` as a process of its own, so that client and server share no interpreter."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from train.errors import UserError

_READY_WITHIN_S = 120.0
_END_WITHIN_S = 30.0


@dataclass(frozen=True)
class ServerProcess:
    """A server that is ready."""

    url: str
    pid: int
    banner: str
    """What it says of itself: the bundle, the engine, the threads."""


@contextmanager
def serving(bundle: Path, options: Sequence[str]) -> Iterator[ServerProcess]:
    """A server of the bundle on a free loopback port. Ends with the block.

    Raises:
        UserError: it did not start; its own message is on stderr.
    """
    line = ["-m", "serve", str(bundle), "--port", "0", "--log-level", "warning", *options]
    with subprocess.Popen([sys.executable, *line], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            banner = process.stdout.readline().strip()
            if " on http" not in banner:
                raise UserError(f"`python {' '.join(line)}` did not start: see its message above")
            url = banner.split()[-1]
            _wait_until_ready(url, process)
            yield ServerProcess(url, process.pid, banner)
        finally:
            process.terminate()
            try:
                process.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + _READY_WITHIN_S
    with httpx.Client(base_url=url, transport=httpx.HTTPTransport(retries=10)) as client:
        while process.poll() is None and time.monotonic() < until:
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
            time.sleep(0.02)
    raise UserError(f"{url}/readyz: not ready within {_READY_WITHIN_S:g} s: see the server's messages above")
