"""A device that is lost: the version before is taken, or the server stops being ready."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from serve.app import create_app
from serve.engines.protocol import DeviceError, NoMemory, Outputs
from serve.metrics import Metrics
from serve.service import Service
from serve.settings import Settings


@pytest.fixture
def service(bundle):
    service = Service({"streets": bundle}, Settings(threads=1, workers=4, parallel=4), Metrics())
    asyncio.run(service.warm_up())
    yield service
    service.close()


def failing(service: Service, error: Exception, monkeypatch, at_once: int = 1) -> None:
    """The network fails with ``error`` from now on, when so many images are in it."""
    barrier = threading.Barrier(at_once)

    def infer(images, confidence=False) -> Outputs:
        assert images.shape[0] == 1
        assert not confidence
        barrier.wait(10)
        raise error

    monkeypatch.setattr(service.models["streets"].choice.engine, "infer", infer, raising=False)


def post(service: Service, data: bytes, count: int = 1) -> list[httpx.Response]:
    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(*(client.post("/segment", content=data) for _ in range(count)))

    return asyncio.run(all_of_them())


def test_a_lost_device_ends_readiness(service, image, encode, monkeypatch):
    failing(service, DeviceError("the GPU is lost"), monkeypatch)
    (answer,) = post(service, encode(image))
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("not-ready")
    assert not service.ready
    assert service.device_lost
    assert "the GPU is lost" in (service.unready or "")
    assert post(service, encode(image))[0].status_code == 503


def test_after_a_roll_back_all_threads_of_the_failed_batch_find_the_server_ready(service, image, encode, monkeypatch):
    new = service._load("streets", service.models["streets"].bundle.root)
    service.reloader._former["streets"] = service.models.replace(new)
    failing(service, DeviceError("the GPU is lost"), monkeypatch, at_once=4)
    assert {answer.status_code for answer in post(service, encode(image), 4)} == {503}
    assert service.ready
    assert service.models["streets"] is not new
    assert post(service, encode(image))[0].status_code == 200


def test_two_threads_roll_back_once(service):
    for _ in range(20):
        new = service._load("streets", service.models["streets"].bundle.root)
        service.reloader._former["streets"] = service.models.replace(new)
        barrier = threading.Barrier(4)

        def fail(model=new, barrier=barrier) -> bool:
            barrier.wait(10)
            return service.reloader.failed(model, RuntimeError("x"))

        with ThreadPoolExecutor(4) as threads:
            assert [future.result(10) for future in [threads.submit(fail) for _ in range(4)]] == [True] * 4


@pytest.mark.parametrize("error", [NoMemory("no memory left on the GPU"), MemoryError()])
def test_no_memory_is_the_servers_fault_and_passes(service, image, encode, monkeypatch, error):
    with monkeypatch.context() as failure:
        failing(service, error, failure)
        (answer,) = post(service, encode(image))
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("overloaded")
    assert post(service, encode(image))[0].status_code == 200


def test_an_encoder_that_fails_does_not_roll_back(service, image, encode, monkeypatch):
    new = service._load("streets", service.models["streets"].bundle.root)
    service.reloader._former["streets"] = service.models.replace(new)
    monkeypatch.setattr("serve.pipeline.postprocess", lambda *_: 1 / 0)
    transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/segment", content=encode(image))

    assert asyncio.run(ask()).status_code == 500
    assert service.models["streets"] is new
