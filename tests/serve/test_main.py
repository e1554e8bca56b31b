"""`python -m serve` with something wrong: one line that says what to do, exit code 2."""

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serve.__main__ import main
from train.errors import UserError

ROOT = Path(__file__).parents[2]
WITHOUT_ONNXRUNTIME = (
    "import runpy, sys; sys.modules['onnxruntime'] = None; sys.argv[0] = 'serve';"
    "runpy.run_module('serve', run_name='__main__', alter_sys=True)"
)


@pytest.fixture
def refusal(monkeypatch) -> Iterator[Callable[..., str]]:
    """Runs the entry point with arguments that it refuses: its message."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["serve", *map(str, arguments)])
        with pytest.raises(UserError) as refused:
            main()
        assert "\n" not in str(refused.value)
        return str(refused.value)

    yield run
    signal.signal(signal.SIGTERM, handler)


def assert_exits_with_2(command: list[str], *texts: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    for text in texts:
        assert text in done.stderr


def test_a_tampered_bundle_ends_in_one_line_and_exit_code_2(bundle, tmp_path):
    tampered = shutil.copytree(bundle, tmp_path / "bundle")
    with (tampered / "model.onnx").open("ab") as file:
        file.write(b"\0")
    assert_exits_with_2([sys.executable, "-m", "serve", str(tampered)], "model.onnx", "sha256")


def test_a_missing_extra_is_named(bundle):
    command = [sys.executable, "-c", WITHOUT_ONNXRUNTIME, str(bundle)]
    assert_exits_with_2(
        command, "onnxruntime is not installed", "pip install 'segdistill[serve,cpu]'", "segdistill[serve,gpu]"
    )


def test_no_bundle(refusal, tmp_path):
    assert "absent: no bundle here" in refusal(tmp_path / "absent")


def test_a_used_port(refusal, bundle):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port} (Address already in use): choose another" in refusal(bundle, "--port", port)


def test_a_port_that_is_none(refusal, bundle):
    assert "--port: Input should be less than or equal to 65535" in refusal(bundle, "--port", 65536)


def test_cuda_that_is_not_there_is_no_silent_cpu(refusal, bundle):
    message = refusal(bundle, "--engine", "onnxruntime-cuda")
    assert "export" not in message, "the bundle is not at fault"
    assert "cannot use 'cuda' here" in message
    assert "segdistill[serve,gpu]" in message


@pytest.mark.parametrize(
    "option", ["--max-pixels", "--max-upload-bytes", "--max-concurrency", "--workers", "--threads"]
)
def test_a_limit_out_of_range(refusal, bundle, option):
    assert refusal(bundle, option, 0) == f"{option}: Input should be greater than 0 (given: 0)"


def test_a_limit_of_the_environment_out_of_range(refusal, bundle, monkeypatch):
    monkeypatch.setenv("SEGDISTILL_SERVE_WORKERS", "none")
    assert refusal(bundle).startswith("SEGDISTILL_SERVE_WORKERS: ")


def test_help_states_every_default(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["serve", "--help"])
    with pytest.raises(SystemExit):
        main()
    text = " ".join(capsys.readouterr().out.split())
    for default in ("127.0.0.1", "8000", "16777216", "64000000", "30.0"):
        assert f"(default: {default})" in text


def test_a_bundle_that_was_not_verified_is_served_and_says_so(server_process, bundle):
    running = server_process(bundle)
    code, errors = running.stop()
    assert code == 0
    assert f"not verified: {bundle} (python -m export.verify" in errors
