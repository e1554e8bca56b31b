"""Time requests to a server that speaks KServe v2 over HTTP, as NVIDIA Triton Inference Server does.

Tensors travel as bytes behind the JSON: the binary tensor data extension
(https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
"""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from export.preprocess import postprocess
from serve.benchmark.connection import Target, post_message
from serve.benchmark.measurement import WHOLE_REQUEST, Measurement, Plan, repeat
from serve.benchmark.requests import TIMEOUT_S
from serve.timing import StageTimes
from train.data.image import decode_image
from train.data.resize import resize_image
from train.errors import UserError

JSON_LENGTH = "Inference-Header-Content-Length"

_HTTP = "HTTP infer"


@dataclass(frozen=True)
class Model:
    """A model of the server: one uint8 image in, its class ids out."""

    name: str
    input: str
    output: str
    height: int
    width: int


def measure_kserve(url: str, name: str, images: list[bytes], plan: Plan, where: str) -> list[Measurement]:
    """The whole way from an image to its class ids, and its stages.

    Raises:
        UserError: the server cannot be reached, has no such model, or refuses an image.
    """
    samples: list[StageTimes] = []
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        model = _model(client, name)
        repeat("requests", plan, lambda index: samples.append(_sample(client, model, images[index % len(images)])))
    scopes = _scopes(model, where)
    return [
        Measurement.of(stage, scope, [sample[stage] for sample in samples], plan, threads=None)
        for stage, scope in scopes.items()
    ]


def infer(client: httpx.Client, model: Model, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB ``(1, height, width, 3)`` to class ids ``(1, height, width)``; `UserError` if the server refuses."""
    headers, body = _request(model, image)
    answer = _ask(client, "POST", _path(model), content=body, headers=headers)
    try:
        length = int(answer.headers[JSON_LENGTH])
        return np.frombuffer(answer.content, np.uint8, offset=length).reshape(image.shape[:3])
    except (KeyError, ValueError):
        raise UserError(
            f"{answer.request.url}: no class ids of {model.height}x{model.width} as bytes in the answer: the server "
            "needs the binary tensor data extension"
        ) from None


def infer_target(url: str, name: str, images: list[bytes]) -> Target:
    """Requests that bring the images as tensors of the network's size, made beforehand.

    Raises:
        UserError: as `measure_kserve`.
    """
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        model = _model(client, name)
    messages = []
    for image in images:
        headers, body = _request(model, _tensor(model, decode_image(image).pixels))
        messages.append(post_message(url, _path(model), body, headers))
    return Target(url, messages, TIMEOUT_S)


def _path(model: Model) -> str:
    return f"/v2/models/{model.name}/infer"


def _tensor(model: Model, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(resize_image(pixels, (model.height, model.width))[None])


def _request(model: Model, image: NDArray[np.uint8]) -> tuple[dict[str, str], bytes]:
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


def _scopes(model: Model, where: str) -> dict[str, str]:
    return {
        "decode": "in the client: the bytes of one image to upright RGB",
        "preprocess": f"in the client: one image to the network's {model.height}x{model.width} (height x width)",
        _HTTP: "one client, one kept-open connection: from the POST of one image's pixels to the last class id",
        "postprocess": "in the client: the class ids to the image's own size",
        WHOLE_REQUEST: f"all of this: from the bytes of one image to its class ids at its own size; {where}",
    }


def _sample(client: httpx.Client, model: Model, image: bytes) -> StageTimes:
    times = StageTimes()
    with times.measure(WHOLE_REQUEST):
        with times.measure("decode"):
            pixels = decode_image(image).pixels
        with times.measure("preprocess"):
            tensor = _tensor(model, pixels)
        with times.measure(_HTTP):
            ids = infer(client, model, tensor)
        with times.measure("postprocess"):
            postprocess(ids[0], pixels.shape[:2])
    return times


def _model(client: httpx.Client, name: str) -> Model:
    answer = _ask(client, "GET", f"/v2/models/{name}")
    try:
        metadata = answer.json()
        (image,) = metadata["inputs"]
        mask = metadata["outputs"][0]
        height, width, channels = image["shape"][-3:]
    except (KeyError, IndexError, TypeError, ValueError):
        raise UserError(f"{answer.request.url}: no metadata of a model with one image as input: check --url") from None
    if (image["datatype"], mask["datatype"], channels) != ("UINT8", "UINT8", 3) or min(height, width) < 1:
        raise UserError(
            f"{answer.request.url}: takes {image['datatype']} {image['shape']}, not uint8 RGB of one size: write the "
            "model with `python -m export.triton_server`"
        )
    return Model(name, image["name"], mask["name"], height, width)


def _ask(client: httpx.Client, method: str, path: str, **content: Any) -> httpx.Response:
    try:
        answer = client.request(method, path, **content)
    except httpx.HTTPError as error:
        raise UserError(f"{client.base_url}: {error}: is a KServe v2 server running there?") from None
    if answer.status_code != 200:
        raise UserError(f"{answer.request.url}: status {answer.status_code}: {' '.join(answer.text.split())[:200]}")
    return answer
