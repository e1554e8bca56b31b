"""What no request can make a server do: open a connection, start a process, unpickle, touch a path."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.serve.conftest import ROOT, ServerProcess
from tests.serve.video.clips import clip, sound_only
from tests.serve.waiting import wait_until

CLIENTS = (
    "serve.benchmark",
    "serve.client",
    "serve.demo",
    "serve.engines.kserve",
    "serve.kserve",
    "serve.live.benchmark",
    "serve.prepare",
    "serve.stream",
    "serve.telemetry",
)
"""What makes connections or processes because its user asked for it; no server imports them by itself."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


SERVING = sorted(path for path in (ROOT / "serve").rglob("*.py") if not module_of(path).startswith(CLIENTS))
REACHING_OUT = {
    "pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "subprocess", "pty",
    "httpx", "requests", "urllib", "urllib3", "aiohttp", "http.client", "ftplib", "smtplib", "telnetlib", "xmlrpc",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "Popen", "create_connection", "open_connection"}

AUDITED = """
import json, os, runpy, sys
EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.system", "os.exec",
          "os.posix_spawn", "os.fork", "pickle.find_class", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "exec",
          "compile", "import", "open", "os.listdir", "os.scandir", "ctypes.dlopen")
events = os.open(os.environ["EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def watch(event, arguments):
    if event in EVENTS:
        os.write(events, (json.dumps([event, [repr(argument)[:200] for argument in arguments]]) + "\\n").encode())
sys.addaudithook(watch)
runpy.run_module("serve", run_name="__main__", alter_sys=True)
"""


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name):
                    yield name
                case ast.Attribute(attr=name, value=ast.Name(id="re")) if name == "compile":
                    continue
                case ast.Attribute(attr=name):
                    yield name


@pytest.mark.parametrize("path", SERVING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_of_the_server_could_reach_out(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reaching = {name for name in imported(tree) if {name, name.split(".")[0]} & REACHING_OUT} - {"urllib.parse"}
    assert not reaching
    assert not CALLS & set(called(tree))


def test_no_module_of_the_server_imports_a_client() -> None:
    at_top = [
        f"{module_of(path)} imports {name}"
        for path in SERVING
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [*imported(node), *(f"serve.{part}" for part in parts_of(node))]
        if name.startswith(CLIENTS)
    ]
    assert at_top == []


def parts_of(node: ast.stmt) -> list[str]:
    """The names in ``from serve import …``."""
    return [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) and node.module == "serve" else []


class Audit:
    """A server whose every event of the interpreter is written to a file."""

    def __init__(self, bundle: Path, events: Path) -> None:
        self.server = ServerProcess(bundle, "--log-level", "error", "--reload-s", "0", launch=("-c", AUDITED))
        self._events = events

    def during(self, requests: Callable[[], None]) -> list[tuple[str, list[str]]]:
        """What happens while the server answers."""
        before = self._events.stat().st_size
        requests()
        with self._events.open("rb") as file:
            file.seek(before)
            return [tuple(json.loads(line)) for line in file]


@pytest.fixture(scope="module")
def audit(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    events = tmp_path_factory.mktemp("audit") / "events"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENTS", str(events))
        audit = Audit(bundle, events)
    yield audit
    audit.server.stop()


def test_requests_of_every_kind_touch_nothing(audit: Audit, encode: Callable[..., bytes], image: np.ndarray) -> None:
    client = audit.server.client
    forms = ["image/png", "application/json", "application/geo+json", "application/octet-stream", "application/x-npy"]
    files = [encode(image, kind) for kind in ("PNG", "JPEG", "WEBP", "BMP")]

    def ask() -> None:
        for data in [*files, b"https://example.org/a.png", b"file:///etc/passwd", b"\x80\x04\x95pickle."]:
            for form in forms:
                client.post("/segment", content=data, headers={"Accept": form})
            client.post("/segment?overlay=true", content=data, headers={"Accept": "image/jpeg"})
            client.post("/segment", files={"image": ("../../etc/passwd", data), "url": ("http://example.org", b"x")})
        for data in (
            clip(3),
            sound_only(),
            b"#EXTM3U\nfile:///etc/passwd",
            b"ffconcat version 1.0\nfile '/etc/passwd'",
        ):
            for form in ("application/x-ndjson", "multipart/mixed", "video/mp4"):
                client.post("/segment/video", content=data, headers={"Accept": form})
            client.post("/segment/video", files={"video": ("../../etc/passwd", data)})
        for path in ("/model", "/models", "/metrics", "/openapi.json", "/healthz", "/readyz", "/absent"):
            assert client.get(path).status_code in (200, 404)
        for name in ("../../../etc/passwd", "/etc/passwd", "http://example.org/"):
            assert client.get("/model", params={"model": name}).status_code == 404
            client.post("/segment", params={"model": name, "classes": name}, content=files[0])

    ask()  # the first time, modules are loaded
    happened = audit.during(ask)
    assert [event for event in happened if not (event[0] == "open" and "/proc/self/statm" in event[1][0])] == []


def test_what_is_audited_is_seen(audit: Audit) -> None:
    """Or the test above could not fail: reading the metrics opens a file that tells the memory."""
    opened = audit.during(lambda: audit.server.client.get("/metrics").raise_for_status())
    assert [event for event, arguments in opened if re.search("statm", arguments[0])] == ["open"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/model/../etc/passwd", "/etc/passwd%00.png"],
)
def test_no_path_leads_to_a_file(audit: Audit, method: str, path: str) -> None:
    answer = audit.server.client.request(method, path)
    assert answer.status_code == 404
    assert b"root:" not in answer.content
    assert "access-control-allow-origin" not in answer.headers


def test_cross_origin_requests_get_no_permission(audit: Audit) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    answer = audit.server.client.options("/segment", headers=headers)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    wait_until(lambda: audit.server.client.get("/healthz").is_success)
