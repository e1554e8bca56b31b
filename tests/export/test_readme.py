"""What the bundle's README shows can be copied and works."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.bundle import load_bundle
from export.manifest import DEFAULT_ROLE
from export.preprocess import postprocess, preprocess
from export.readme import write_readme
from export.runner import open_runner
from tests.serve.conftest import ServerProcess
from train.data.image import read_image


def snippet(root: Path, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert found, f"no {language} in the README"
    return found.group(1)


def expected_mask(root: Path) -> np.ndarray:
    bundle = load_bundle(root)
    picture = read_image(sorted((root / "samples").iterdir())[0])
    runner = open_runner(bundle.file(DEFAULT_ROLE), bundle.record(DEFAULT_ROLE), bundle.manifest, threads=1)
    mask = runner.run(preprocess(picture, bundle.manifest.input))["mask"][0]
    return postprocess(mask, picture.shape[:2])


@pytest.fixture
def larger(bundle_root: Path) -> Path:
    """The bundle with a sample that has to be resized."""
    sample = sorted((bundle_root / "samples").iterdir())[0]
    with Image.open(sample) as picture:
        picture.resize((150, 100)).save(sample)
    write_readme(load_bundle(bundle_root))  # under the name that the copy has
    return bundle_root


@pytest.fixture
def server(larger: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(larger)
    yield running
    assert running.stop()[0] == 0


def test_the_python_snippet_gives_the_mask_that_serving_gives(larger: Path) -> None:
    assert len(snippet(larger, "python").splitlines()) <= 12
    subprocess.run([sys.executable, "-c", snippet(larger, "python")], cwd=larger, check=True)
    with Image.open(larger / "mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), expected_mask(larger))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_line_gets_the_mask_from_a_server(larger: Path, server: ServerProcess) -> None:
    serve, curl = server_lines(larger)
    assert serve.startswith(f"python -m serve {larger.name}")
    subprocess.run(curl.replace("localhost:8000", server.url), shell=True, cwd=larger.parent, check=True)
    with Image.open(larger.parent / "mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), expected_mask(larger))


def server_lines(root: Path) -> list[str]:
    section = (root / "README.md").read_text().partition("## Server")[2]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].splitlines()


def test_it_names_this_bundles_own_files_and_sizes(bundle_root: Path) -> None:
    write_readme(load_bundle(bundle_root))
    text = (bundle_root / "README.md").read_text()
    for own in ("--optShapes=image:1x64x96x3", "{1, 64, 96, 3}", "`model.fp16.onnx`", "`confidence`", "`logits`"):
        assert own in text
    cpp = snippet(bundle_root, "cpp")
    assert len(cpp.splitlines()) <= 12
