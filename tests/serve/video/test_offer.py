"""A server without PyAV serves pictures, and says of videos what is missing."""

import os
import subprocess
import sys
from pathlib import Path

from tests.serve.conftest import ROOT, ServerProcess

WITHOUT_PYAV = """
import sys, runpy
sys.modules["av"] = None
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
"""


def test_pictures_are_served_without_it(bundle: Path, encode, image) -> None:
    server = ServerProcess(bundle, "--log-level", "error", launch=("-c", WITHOUT_PYAV.format(module="serve")))
    assert server.client.post("/segment", content=encode(image)).status_code == 200
    refused = server.client.post("/segment/video", content=b"a video")
    assert (refused.status_code, refused.headers["content-type"]) == (501, "application/problem+json")
    assert "pip install 'segdistill[video]'" in refused.json()["detail"]
    assert "/segment/video" not in server.client.get("/openapi.json").json()["paths"]
    assert server.stop()[0] == 0


def test_a_stream_from_a_file_says_it_in_one_line(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_PYAV.format(module="serve.stream"), str(bundle)]
    command += ["--source", "clip.mp4", "--out", "masks"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: av is not installed: pip install 'segdistill[video]'\n")
