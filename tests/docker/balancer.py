"""The nginx of docker/compose.scale.yaml before servers on this machine; only its port and their names are others."""

import io
import socket
import subprocess
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from tests.serve.conftest import ROOT


class Balancer:
    """A process of nginx, which answers on ``url``."""

    def __init__(self, folder: Path, servers: list[str]) -> None:
        folder.mkdir()
        port = _free_port()
        shipped = (ROOT / "docker/nginx/nginx.conf").read_text()
        text = shipped.replace("listen 8080", f"listen 127.0.0.1:{port}").replace("/tmp/", f"{folder}/")
        (folder / "nginx.conf").write_text(text)
        names = "".join(f"server {url.removeprefix('http://')} max_fails=0;" for url in servers)
        (folder / "upstream.conf").write_text(f"upstream segdistill {{ least_conn; {names} keepalive 32; }}")
        command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)
        self.url = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
            assert client.get(f"{self.url}/readyz").status_code == 200, (folder / "log").read_text()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def picture() -> bytes:
    """A PNG of noise."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
