"""What the README shows can be copied and works on a real server."""

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import av
import pytest

import serve.video
from tests.serve.conftest import ServerProcess
from tests.serve.video.clips import clip

README = Path(serve.video.__file__).with_name("README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "drive.mp4").write_bytes(clip(7))
    (lines,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = lines.replace("http://127.0.0.1:8000", server.url)
    subprocess.run(["/bin/sh", "-ec", lines], cwd=tmp_path, check=True)
    assert json.loads((tmp_path / "drive.ndjson").read_text().splitlines()[-1])["frames"] == 7
    with av.open(io.BytesIO((tmp_path / "annotated.mp4").read_bytes())) as container:
        assert len(list(container.decode(video=0))) == 7
    assert (tmp_path / "overlays.multipart").read_bytes().count(b"Content-Type: image/jpeg") == 2
