"""A real server as its operator sets it up: keys, rates, logs, traces, several processes."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.otlp_collector import collector

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def picture(encode: Callable[..., bytes], image: object) -> bytes:
    return encode(image)


@pytest.fixture(scope="module")
def operated(
    bundle: Path, picture: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[httpx.Response], str, list[object]]]:
    """Answers of a server with everything on; its log; the spans that it sent."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY)
    with collector() as (endpoint, spans):
        options = f"--api-key-file {keys} --rate 4 --log-format json --telemetry {endpoint}"
        server = ServerProcess(bundle, *options.split())
        ask = server.client
        headers = {"Authorization": f"Bearer {KEY}", "X-Request-ID": "r1"}
        answers = [ask.post("/segment", content=picture, headers=headers), ask.post("/segment", content=picture)]
        for number in range(4):
            forwarded = {**headers, "X-Forwarded-For": f"10.0.0.{number}"}
            answers.append(ask.get("/model", headers=forwarded))
        code, log = server.stop()
    assert code == 0
    return answers, log, spans


def test_a_key_is_asked_for(operated: tuple[list[httpx.Response], str, list[object]]) -> None:
    answers, _, _ = operated
    assert [answer.status_code for answer in answers[:2]] == [200, 401]
    assert KEY not in operated[1]


def test_a_client_cannot_pretend_to_be_others(operated: tuple[list[httpx.Response], str, list[object]]) -> None:
    answers, _, _ = operated
    assert [answer.status_code for answer in answers[2:]].count(429) >= 1


def test_the_log_has_a_line_for_each_request(operated: tuple[list[httpx.Response], str, list[object]]) -> None:
    entries = [json.loads(line) for line in operated[1].splitlines()]
    line = next(entry for entry in entries if entry.get("request_id") == "r1" and entry["path"] == "/segment")
    assert (line["status"], line["model"], line["batch"]) == (200, "bundle", 1)
    assert {"decode_ms", "preprocess_ms", "queue_ms", "inference_ms", "postprocess_ms", "encode_ms"} <= set(line)
    assert Counter(entry["status"] for entry in entries if entry["logger"] == "serve.access_log")[401] == 1
    assert any("not verified" in entry["message"] for entry in entries)


def test_a_trace_has_the_request_and_its_stages(operated: tuple[list[httpx.Response], str, list[object]]) -> None:
    spans = [span for resource in operated[2] for scope in resource.scope_spans for span in scope.spans]  # type: ignore[attr-defined]
    segmented = next(span for span in spans if span.name == "POST /segment" and span.status.code == 0)
    children = {span.name for span in spans if span.parent_span_id == segmented.span_id}
    assert children == {"decode", "preprocess", "queue", "inference", "postprocess", "encode"}


def test_metrics_count_by_model_and_status(server: ServerProcess, picture: bytes) -> None:
    def count(status: int) -> float:
        name = f'segdistill_requests_total{{model="bundle",status="{status}"}}'
        lines = server.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    before = count(200), count(415)
    server.client.post("/segment", content=picture)
    server.client.post("/segment", content=b"no image")
    assert (count(200), count(415)) == (before[0] + 1, before[1] + 1)


def test_there_is_no_websocket(server: ServerProcess) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    assert server.client.get("/segment", headers=upgrade).status_code == 405
    assert server.client.get("/healthz").status_code == 200


def test_two_processes_end_on_one_signal_and_answer_all(bundle: Path, picture: bytes) -> None:
    server = ServerProcess(bundle, "--processes", "2", "--log-format", "json")
    assert "in 2 processes" in server.banner
    statuses = Counter(
        server.client.post("/segment", content=picture, headers={"Connection": "close"}).status_code for _ in range(20)
    )
    text = server.client.get("/metrics").text
    counts = [line for line in text.splitlines() if line.startswith("segdistill_requests_total")]
    code, log = server.stop()
    assert statuses == {200: 20}
    assert counts == ['segdistill_requests_total{model="bundle",status="200"} 20.0']
    assert code == 0
    assert all(json.loads(line) for line in log.splitlines())
