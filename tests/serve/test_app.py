"""The other paths: health, readiness, the manifest, the OpenAPI description."""

import json
import re
from pathlib import Path

from export.bundle import MANIFEST


def test_health_and_readiness(server):
    assert server.client.get("/healthz").json() == {"status": "ok"}
    assert server.client.get("/readyz").json() == {"status": "ready"}


def test_model_tells_what_runs_it_and_has_the_manifest(server, bundle: Path):
    card = server.client.get("/model").json()
    assert card["manifest"] == json.loads((bundle / MANIFEST).read_text())
    assert (card["name"], card["verified"], card["reload_error"]) == ("bundle", False, None)
    engine = card["engine"]
    assert [engine[key] for key in ("name", "role", "precision", "threads")] == ["onnxruntime", "onnx", "fp32", 1]
    better = [re.split("[:,]", line)[0] for line in engine["passed_over"]]
    assert better == ["tensorrt", "onnxruntime-cuda", "openvino"]


def test_metrics_count_requests_by_outcome(server):
    server.client.post("/segment", content=b"no image")
    text = server.client.get("/metrics").text
    assert 'segdistill_requests_total{model="bundle",status="415"}' in text
    assert "segdistill_ready_processes 1.0" in text
    assert 'segdistill_model_info{device="cpu",engine="onnxruntime",model="bundle"' in text


def test_no_page_that_loads_from_another_host(server):
    for path in ("/", "/docs"):
        page = server.client.get(path)
        assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert not re.search(r"""(src|href)=["'](https?:)?//""", page.text)
    assert server.client.get("/redoc").status_code == 404


def test_openapi_describes_what_is_sent_and_answered(server):
    description = server.client.get("/openapi.json").json()
    post = description["paths"]["/segment"]["post"]
    assert {"image/*", "multipart/form-data"} == set(post["requestBody"]["content"])
    kinds = {"image/png", "image/jpeg", "image/webp", "application/json", "application/geo+json", "application/x-npy"}
    assert kinds | {"application/octet-stream", "application/zip"} == set(post["responses"]["200"]["content"])
    assert {"400", "401", "404", "406", "408", "413", "415", "422", "429", "503"} < set(post["responses"])
    names = {"overlay", "size", "confidence", "classes", "tolerance", "model", "accept"}
    assert names == {parameter["name"] for parameter in post["parameters"]}
