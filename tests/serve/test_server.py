"""The process: what it prints, how it ends, what it never imports."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import onnx
import pytest
from onnx import TensorProto, helper

from export.bundle import BundleError
from serve.metrics import Metrics
from serve.server import Server, listen, url_of
from serve.service import Service
from serve.settings import Settings
from train.errors import UserError

LISTING_MODULES = (
    "import atexit, runpy, sys;"
    "atexit.register(lambda: print('modules:', *sys.modules, file=sys.stderr));"
    "runpy.run_module('serve', run_name='__main__', alter_sys=True)"
)


@pytest.fixture(scope="module")
def ended(bundle, server_process, slow_post, image, encode):
    """A server that got SIGTERM in the middle of an upload: (the upload's answer, exit code, stderr)."""
    running = server_process(bundle, launch=("-c", LISTING_MODULES))
    data = encode(image)
    with slow_post(running, len(data)) as upload:
        upload.send(data[:100])
        for _ in range(2):  # by then it is admitted
            running.client.get("/healthz")
        running.process.send_signal(signal.SIGTERM)
        while answers(running):
            pass
        upload.send(data[100:])
        answer = upload.answer()
    return answer, *running.stop()


def answers(running) -> bool:
    try:
        return running.client.get("/healthz").is_success
    except httpx.TransportError:
        return False


def test_sigterm_finishes_running_requests_and_exits_with_0(ended):
    answer, code, errors = ended
    assert answer.status_code == 200
    assert code == 0
    assert "Traceback" not in errors


def test_a_serving_process_has_no_torch(ended):
    modules = ended[2].split("modules: ")[1].split()
    assert {"serve.app", "onnxruntime", "uvicorn"} <= set(modules)
    assert not [name for name in modules if name.split(".")[0] in ("torch", "torchvision", "timm", "onnx")]


def test_no_module_of_serve_imports_torch():
    root = Path(__file__).parents[2]
    names = [".".join(path.relative_to(root).with_suffix("").parts) for path in (root / "serve").rglob("*.py")]
    assert "serve.benchmark.__main__" in names
    check = f"import sys, {', '.join(names)}; assert 'torch' not in sys.modules; print('clean')"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False, cwd=root)
    assert done.stdout == "clean\n", done.stderr


def test_the_first_line_says_what_is_served_where(server):
    assert server.banner.startswith("serving bundle (fp32 on cpu, 1 threads, onnxruntime ")
    assert server.url.startswith("http://127.0.0.1:")


def test_a_free_port_is_found_and_a_used_one_is_named():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port} \(Address already in use\): choose another --port"):
            listen("127.0.0.1", port)


@pytest.fixture
def failing_graph() -> onnx.ModelProto:
    """Reshapes every image to 7 x 7 x 7: loads, and cannot run."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, ["n", "h", "w"])
    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [7, 7, 7])
    nodes = [helper.make_node("Reshape", ["image", "shape"], ["mask"])]
    graph = helper.make_graph(nodes, "wrong_shape", [image], [mask], [shape])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_a_graph_that_does_not_run_ends_the_server(tmp_path, make_bundle, failing_graph):
    service = Service({"only": make_bundle(tmp_path / "bundle", failing_graph)}, Settings(), Metrics())
    server = Server(service, listen("127.0.0.1", 0))
    with pytest.raises(BundleError, match="the first inference failed"):
        server.run()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_named(host):
    with pytest.raises(UserError, match=host):
        listen(host, 0)


def test_ipv6_urls_have_brackets():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        listener = listen("::1", 0)
    except UserError:
        pytest.skip("no IPv6 here")
    with listener:
        assert url_of(listener).startswith("http://[::1]:")
