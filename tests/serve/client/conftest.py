"""Both clients behind one interface, and a server with a key and a model that tells its confidence."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from export.bundle import load_bundle, save_manifest
from export.manifest import OutputSpec
from serve.client import AsyncClient, Client
from tests.serve.conftest import ServerProcess
from tests.serve.test_parameters import sure

KEY = "a-key-of-sixteen-characters"

Ask = Callable[..., Any]


def ask_client(url: str, method: str, *arguments: Any, options: dict[str, Any] | None = None, **keywords: Any) -> Any:
    with Client(url, **(options or {})) as client:
        return getattr(client, method)(*arguments, **keywords)


def ask_async_client(
    url: str, method: str, *arguments: Any, options: dict[str, Any] | None = None, **keywords: Any
) -> Any:
    async def ask() -> Any:
        async with AsyncClient(url, **(options or {})) as client:
            return await getattr(client, method)(*arguments, **keywords)

    return asyncio.run(ask())


@pytest.fixture(params=[ask_client, ask_async_client], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Call a method of a client of either kind; ``options`` are for the client itself."""
    return request.param


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory,
    bundle: Path,
    make_bundle: Callable[..., Path],
    server_process: type[ServerProcess],
) -> Iterator[ServerProcess]:
    """Asks for `KEY`, and has a second model, ``sure``, which tells its confidence."""
    folder = tmp_path_factory.mktemp("guarded")
    root = make_bundle(folder / "sure", sure())
    manifest = load_bundle(root).manifest
    save_manifest(root, manifest.model_copy(update={"output": OutputSpec(confidence="confidence")}))
    (folder / "keys").write_text(KEY, encoding="utf-8")
    running = server_process(bundle, f"sure={root}", "--api-key-file", str(folder / "keys"))
    yield running
    assert running.stop()[0] == 0


@pytest.fixture
def unused_address() -> str:
    """At which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
