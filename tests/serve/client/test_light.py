"""The client needs its own extra and nothing more."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.serve.conftest import ROOT

BLOCKED = (
    "torch",
    "onnxruntime",
    "onnx",
    "openvino",
    "fastapi",
    "starlette",
    "uvicorn",
    "httptools",
    "zlib_ng",
    "psutil",
)

CODE = f"""
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
from pathlib import Path
from serve.client import Client
import serve.client.__main__
url, image, out = sys.argv[1:]
Path(out).write_bytes(Client(url).segment(image).ids.tobytes())
"""


def test_it_segments_where_no_server_and_no_network_could_run(server, image, encode, tmp_path):
    (tmp_path / "image.png").write_bytes(encode(image))
    arguments = [server.url, str(tmp_path / "image.png"), str(tmp_path / "ids")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.fromfile(tmp_path / "ids", np.uint8), image.argmax(-1).ravel())


def test_without_its_extra_it_says_which(tmp_path):
    (tmp_path / "httpx.py").write_text("raise ModuleNotFoundError(name='httpx')", encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import serve.client"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith("httpx is not installed: pip install 'segdistill[client]'")
    assert "client = [" in Path(ROOT / "pyproject.toml").read_text(encoding="utf-8")
