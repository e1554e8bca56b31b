"""``python -m tests.docker.operations``: kill, restart, upgrade and roll-back under load, told as they happen.

Two servers behind the nginx of docker/compose.scale.yaml, on bundles whose class maps tell which one answered. A third
of a minute; the exit code is 1 if a request was lost or an answer was of the wrong bundle.
"""

import argparse
import io
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.docker.balancer import Balancer, picture
from tests.serve.conftest import ServerProcess
from tests.serve.load import Load
from tests.serve.tiny_bundles import constant, make_bundle, put

_RELOAD = ("--reload-s", "0.2", "--log-level", "error")


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.docker.operations", description=__doc__).parse_args()
    if shutil.which("nginx") is None:
        sys.exit("error: nginx is not installed: apt-get install nginx-light")
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        try:
            story.tell()
        finally:
            story.end()
    sys.exit(1 if story.faults else 0)


class Story:
    """What happens to two servers, and what their clients see of it."""

    def __init__(self, folder: Path) -> None:
        self.faults = 0
        self._folder = folder
        self._bundle = make_bundle(folder / "served", constant(0))
        self._servers = [ServerProcess(self._bundle, *_RELOAD) for _ in range(2)]
        self._balancer = Balancer(folder / "nginx", [server.url for server in self._servers])
        self._load = Load(self._balancer.url, picture(), clients=4)
        self._began = time.monotonic()

    def tell(self) -> None:
        self._watch("two servers, bundle 0", {0})
        self._servers[0].process.send_signal(signal.SIGKILL)
        self._watch("one killed (SIGKILL)", {0})
        port = self._servers[0].url.rsplit(":", 1)[1]
        self._servers[0].process.communicate()
        self._servers[0] = ServerProcess(self._bundle, *_RELOAD, "--port", port)
        self._watch("started again", {0})
        put(self._bundle, make_bundle(self._folder / "one", constant(1)))
        self._watch("upgrade to bundle 1, while serving", {0, 1})
        self._watch("bundle 1", {1})
        (self._bundle / "model.onnx").write_bytes(b"damaged")
        self._watch("its file is damaged on the disk", {1})
        put(self._bundle, make_bundle(self._folder / "zero", constant(0)))
        self._watch("roll back to bundle 0", {0, 1})
        self._watch("bundle 0", {0})
        self._servers[1].process.send_signal(signal.SIGTERM)
        self._watch("one told to end (SIGTERM)", {0})

    def _watch(self, what: str, classes: set[int], seconds: float = 2.0) -> None:
        """What comes back for a while: nothing but class maps of these classes."""
        before, answers = dict(self._load.outcomes), dict(self._load.answers)
        time.sleep(seconds)
        came = {key: count - before.get(key, 0) for key, count in list(self._load.outcomes.items())}
        maps = {_class(body) for body, count in list(self._load.answers.items()) if count > answers.get(body, 0)}
        well = maps <= classes and {key for key, count in came.items() if count} == {200}
        self.faults += not well
        outcome = ", ".join(f"{count} × {key}" for key, count in came.items() if count)
        print(
            f"{time.monotonic() - self._began:5.1f} s  {what:36} {outcome}, classes {sorted(maps)}"
            f"{'' if well else '  <- WRONG'}",
            flush=True,
        )

    def end(self) -> None:
        self._load.end()
        self._balancer.close()
        for server in self._servers:
            server.client.close()
            server.process.kill()
            server.process.communicate()


def _class(mask: bytes) -> int:
    return int(np.asarray(Image.open(io.BytesIO(mask)))[0, 0])


if __name__ == "__main__":
    main()
