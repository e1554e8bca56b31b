"""The network on another server, which speaks KServe v2: NVIDIA Triton Inference Server behind our API and page."""

import httpx
import numpy as np
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.manifest import DEFAULT_ROLE
from serve.engines.protocol import Logits, NotNow, Outputs, no_confidence
from serve.kserve import TIMEOUT_S, KServeError, infer, kserve_model

_CONNECTIONS = 64


class KServeEngine:
    """The model of the bundle's name on the server at ``url``, as `export.triton_server` writes it.

    It is held against the bundle's own fp32 graph on the samples before anybody is served, as every engine is.

    Raises:
        KServeError: the server does not answer, or has no such model.
        BundleError: its model is of another size than the bundle.
    """

    name = "kserve"
    threads = 1
    prepares_shapes = False
    logits: Logits | None = None

    def __init__(self, bundle: Bundle, url: str) -> None:
        self.role, self.precision = DEFAULT_ROLE, bundle.record(DEFAULT_ROLE).precision
        self.device, self.runtime = url, f"KServe v2 at {url}"
        self.largest_batch: int | None = None
        self._root = bundle.root
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, limits=limits)
        try:
            self._model = kserve_model(self._client, bundle.manifest.name)
            self._check_size(bundle)
        except BaseException:
            self.close()
            raise

    def _check_size(self, bundle: Bundle) -> None:
        spec, model = bundle.manifest.input, self._model
        if (model.height, model.width) != (spec.height, spec.width):
            raise BundleError(
                f"{self.device}: its model '{model.name}' takes {model.height}x{model.width}, the bundle {spec.height}x"
                f"{spec.width}: write it anew with `python -m export.triton_server {bundle.root}`"
            )

    def infer(self, images: NDArray[np.uint8], confidence: bool = False) -> Outputs:
        """RGB ``(N, h, w, 3)`` to class ids."""
        if confidence:
            raise no_confidence(self._root)
        try:
            return Outputs(infer(self._client, self._model, images), None)
        except KServeError as error:
            if error.passing:
                raise NotNow(str(error)) from None
            raise RuntimeError(str(error)) from error  # nothing that the sender of an image could change

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
