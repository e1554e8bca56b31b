"""A network, a device or a memory that fails under a viewer, on a real socket."""

import asyncio
import contextlib
import dataclasses
import gc
import time

import pytest
from websockets.sync.client import connect

from serve.app import create_app
from serve.connections import ConnectionLimits, connection_class
from serve.engines.protocol import DeviceError, NotNow
from serve.live.connection import LiveConnection
from serve.live.endpoint import PATH
from serve.metrics import Metrics
from serve.service import Service
from serve.settings import Settings
from tests.serve.asgi_server import serving
from tests.serve.live.conftest import Viewer


@pytest.fixture
def service(bundle):
    service = Service({"streets": bundle}, Settings(threads=1, deadline_s=1), Metrics())
    asyncio.run(service.warm_up())
    yield service
    service.close()


@pytest.fixture
def viewer(service):
    http = connection_class(ConnectionLimits(), None, PATH)
    with serving(create_app(service), http=http, ws=LiveConnection) as client:
        url = f"ws://{client.base_url.host}:{client.base_url.port}{PATH}"
        with connect(url, compression=None) as socket:
            yield Viewer(socket)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (DeviceError("the GPU is lost"), 1011, "the GPU is lost"),
        (NotNow("http://triton:8000: no room"), 1013, "overloaded: http://triton:8000: no room"),
        (MemoryError(), 1013, "overloaded: there is no memory left"),
    ],
)
def test_what_is_not_about_one_frame_ends_it(service, viewer, picture, monkeypatch, error, code, says):
    def infer(*_):
        raise error

    monkeypatch.setattr(service.models["streets"].choice.engine, "infer", infer, raising=False)
    viewer.send(picture)
    assert viewer.closed() == (code, says)
    assert service.device_lost is (code == 1011)


def test_a_frame_on_which_the_network_fails_is_a_problem(service, viewer, picture, monkeypatch):
    engine = service.models["streets"].choice.engine
    infer = engine.infer

    def fail(*_):
        raise RuntimeError("not this one")

    monkeypatch.setattr(engine, "infer", fail, raising=False)
    viewer.send(picture)
    problem = viewer.problem()
    assert (problem["frame"], problem["status"], problem["kind"]) == (0, 500, "about:blank")
    assert "not this one" not in problem["detail"]
    monkeypatch.setattr(engine, "infer", infer, raising=False)
    viewer.send(picture)
    assert viewer.header()[0]["frame"] == 1


def test_a_mask_that_takes_too_long_ends_it(service, viewer, picture, monkeypatch):
    batcher = service.models["streets"].pipeline.batcher
    monkeypatch.setattr(batcher, "_free", 0)  # the network never comes free
    viewer.send(picture)
    assert viewer.closed() == (1013, "overloaded: no mask within 1 s")
    batcher._hand_over()  # or its thread would wait for ever


def test_a_network_that_is_retired_between_two_frames_is_not_asked(service, viewer, picture, monkeypatch):
    """A thread in which it failed may put the former one in its place, and close it, at any moment."""
    viewer.send(picture)
    viewer.header()
    failed, on_frame = service.models["streets"], service.on_frame
    closed: list[bool] = []
    monkeypatch.setattr(failed.choice.engine, "close", lambda: closed.append(True), raising=False)

    async def at_the_worst_moment(model, work):
        service.models.retire(service.models.replace(dataclasses.replace(model, users=0)))
        assert not closed
        return await on_frame(model, work)

    monkeypatch.setattr(service, "on_frame", at_the_worst_moment)
    viewer.send(picture)
    assert viewer.header()[0]["frame"] == 1
    viewer.socket.close()
    assert closed == [True]


def test_a_mask_that_is_ready_just_when_the_server_ends_is_no_failure(service, viewer, picture, monkeypatch, caplog):
    @contextlib.contextmanager
    def end_first(_):
        (connection,) = [
            made for made in gc.get_objects() if isinstance(made, LiveConnection) and not made.disconnected
        ]
        connection.shutdown()
        yield

    monkeypatch.setattr(service.admission, "unsent", end_first)
    viewer.send(picture)
    assert viewer.closed() == (1001, "the server ends: connect again")
    while service.admission.streams:
        time.sleep(0.01)
    assert not [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
