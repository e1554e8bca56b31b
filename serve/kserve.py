"""A model of a server that speaks KServe v2 over HTTP, as NVIDIA Triton Inference Server does.

Tensors travel as bytes behind the JSON: the binary tensor data extension
(https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
"""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from train.errors import UserError

TIMEOUT_S = 30.0
"""Longest silence of the server."""

JSON_LENGTH = "Inference-Header-Content-Length"


class KServeError(UserError):
    """The server does not answer, or with something else than class ids."""

    def __init__(self, reason: str, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing
        """Whether it may go well the next time: no connection, or no room for now."""


@dataclass(frozen=True)
class Model:
    """A model of the server: one uint8 image in, its class ids out."""

    name: str
    input: str
    output: str
    height: int
    width: int


def kserve_model(client: httpx.Client, name: str) -> Model:
    """What the server says of a model.

    Raises:
        KServeError: it does not answer, has no such model, or the model takes something else.
    """
    answer = _ask(client, "GET", f"/v2/models/{name}")
    try:
        metadata = answer.json()
        (image,) = metadata["inputs"]
        mask = metadata["outputs"][0]
        height, width, channels = image["shape"][-3:]
    except (KeyError, IndexError, TypeError, ValueError):
        raise KServeError(
            f"{answer.request.url}: no metadata of a model with one image as input: check --url"
        ) from None
    if (image["datatype"], mask["datatype"], channels) != ("UINT8", "UINT8", 3) or min(height, width) < 1:
        raise KServeError(
            f"{answer.request.url}: takes {image['datatype']} {image['shape']}, not uint8 RGB of one size: write the "
            "model with `python -m export.triton_server`"
        )
    return Model(name, image["name"], mask["name"], height, width)


def infer(client: httpx.Client, model: Model, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB ``(N, height, width, 3)`` to class ids ``(N, height, width)``; `KServeError` if the server refuses."""
    headers, body = infer_request(model, image)
    answer = _ask(client, "POST", infer_path(model), content=body, headers=headers)
    try:
        length = int(answer.headers[JSON_LENGTH])
        return np.frombuffer(answer.content, np.uint8, offset=length).reshape(image.shape[:3])
    except (KeyError, ValueError):
        raise KServeError(
            f"{answer.request.url}: no class ids of {model.height}x{model.width} as bytes in the answer: the server "
            "needs the binary tensor data extension"
        ) from None


def infer_request(model: Model, image: NDArray[np.uint8]) -> tuple[dict[str, str], bytes]:
    """Headers and body of the request that brings these images."""
    request = {
        "inputs": [
            {
                "name": model.input,
                "shape": list(image.shape),
                "datatype": "UINT8",
                "parameters": {"binary_data_size": image.nbytes},
            }
        ],
        "outputs": [{"name": model.output, "parameters": {"binary_data": True}}],
    }
    head = json.dumps(request).encode()
    headers = {JSON_LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
    return headers, head + image.tobytes()


def infer_path(model: Model) -> str:
    """Where the request goes."""
    return f"/v2/models/{model.name}/infer"


def _ask(client: httpx.Client, method: str, path: str, **content: Any) -> httpx.Response:
    try:
        answer = client.request(method, path, **content)
    except httpx.HTTPError as error:
        raise KServeError(f"{client.base_url}: {error}: is a KServe v2 server running there?", passing=True) from None
    if answer.status_code != 200:
        reason = f"{answer.request.url}: status {answer.status_code}: {' '.join(answer.text.split())[:200]}"
        raise KServeError(reason, passing=answer.status_code in (429, 503))
    return answer
