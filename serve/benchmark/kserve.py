"""Time requests to a server that speaks KServe v2 over HTTP, as NVIDIA Triton Inference Server does."""

import httpx
import numpy as np
from numpy.typing import NDArray

from export.preprocess import postprocess
from serve.benchmark.connection import Target, post_message
from serve.benchmark.measurement import WHOLE_REQUEST, Measurement, Plan, repeat
from serve.benchmark.requests import TIMEOUT_S
from serve.kserve import Model, infer, infer_path, infer_request, kserve_model
from serve.timing import StageTimes
from train.data.image import decode_image
from train.data.resize import resize_image

_HTTP = "HTTP infer"


def measure_kserve(url: str, name: str, images: list[bytes], plan: Plan, where: str) -> list[Measurement]:
    """The whole way from an image to its class ids, and its stages.

    Raises:
        UserError: the server cannot be reached, has no such model, or refuses an image.
    """
    samples: list[StageTimes] = []
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        model = kserve_model(client, name)
        repeat("requests", plan, lambda index: samples.append(_sample(client, model, images[index % len(images)])))
    scopes = _scopes(model, where)
    return [
        Measurement.of(stage, scope, [sample[stage] for sample in samples], plan, threads=None)
        for stage, scope in scopes.items()
    ]


def infer_target(url: str, name: str, images: list[bytes]) -> Target:
    """Requests that bring the images as tensors of the network's size, made beforehand.

    Raises:
        UserError: as `measure_kserve`.
    """
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        model = kserve_model(client, name)
    messages = []
    for image in images:
        headers, body = infer_request(model, _tensor(model, decode_image(image).pixels))
        messages.append(post_message(url, infer_path(model), body, headers))
    return Target(url, messages, TIMEOUT_S)


def _tensor(model: Model, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(resize_image(pixels, (model.height, model.width))[None])


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
