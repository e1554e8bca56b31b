"""The benchmark as a command, and a picture for it."""

import sys
from collections.abc import Callable

import pytest

from serve.benchmark.__main__ import main


@pytest.fixture
def benchmark(monkeypatch) -> Callable[..., None]:
    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["serve.benchmark", *map(str, arguments)])
        main()

    return run


@pytest.fixture
def street(tmp_path, encode, image):
    path = tmp_path / "street.png"
    path.write_bytes(encode(image))
    return path
