"""The other paths: health, readiness, the manifest, the OpenAPI description."""

import json
from pathlib import Path

from export.bundle import MANIFEST


def test_health_and_readiness(server):
    assert server.client.get("/healthz").json() == {"status": "ok"}
    assert server.client.get("/readyz").json() == {"status": "ready"}


def test_model_is_the_manifest(server, bundle: Path):
    assert server.client.get("/model").json() == json.loads((bundle / MANIFEST).read_text())


def test_no_page_that_loads_from_another_host(server):
    for path in ("/docs", "/redoc"):
        assert server.client.get(path).status_code == 404


def test_openapi_describes_what_is_sent_and_answered(server):
    description = server.client.get("/openapi.json").json()
    post = description["paths"]["/segment"]["post"]
    assert {"image/*", "multipart/form-data"} == set(post["requestBody"]["content"])
    assert {"image/png", "image/jpeg", "application/json"} == set(post["responses"]["200"]["content"])
    assert {"400", "406", "408", "413", "415", "422", "503"} < set(post["responses"])
    assert "np.repeat" in description["components"]["schemas"]["RunLengthMask"]["description"]
