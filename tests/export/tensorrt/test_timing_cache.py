"""A timing cache is added to, and no other file is overwritten in its place.

TensorRT for RTX takes a cache and measures nothing, so what is kept here is an empty one.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from export.tensorrt import api
from export.tensorrt.flavour import TensorRt
from export.tensorrt.log import Log
from export.tensorrt.timing_cache import timing_cache
from train.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning")


@pytest.fixture
def config(rtx: TensorRt) -> api.IBuilderConfig:
    return rtx.Builder(Log(rtx).logger).create_builder_config()


def test_a_cache_is_made_and_used_again(config: api.IBuilderConfig, tmp_path: Path) -> None:
    path = tmp_path / "cache"
    with timing_cache(config, path):
        assert not path.exists()
    first = path.read_bytes()
    assert first
    with timing_cache(config, path):
        pass
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["cache"]


def test_a_build_that_fails_leaves_it_alone(config: api.IBuilderConfig, tmp_path: Path) -> None:
    with pytest.raises(KeyError), timing_cache(config, tmp_path / "cache"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"precious", bytes(1000)])
def test_another_file_is_not_overwritten(config: api.IBuilderConfig, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.onnx: no timing cache of this TensorRT"), timing_cache(config, path):
        pass
    assert path.read_bytes() == content


def test_no_cache_is_no_file(config: api.IBuilderConfig, tmp_path: Path) -> None:
    with timing_cache(config, None):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_builds_do_not_save_at_once(config: api.IBuilderConfig, tmp_path: Path) -> None:
    path = tmp_path / "cache"
    hold = "from export.lock import locked; from pathlib import Path; import sys\n"
    hold += "with locked(Path(sys.argv[1]), 'timing cache'): print('held', flush=True); sys.stdin.read(1)"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        with timing_cache(config, path):
            other.stdin.close()
    assert path.is_file()
