"""The bundle behind LitServe, with batching and workers as its documentation has them.

https://lightning.ai/docs/litserve
"""

import argparse
from pathlib import Path
from typing import Annotated

import cv2
import litserve as ls
import numpy as np
from fastapi import Body, HTTPException, Response

from tests.peers.bundle import Bundle
from tests.peers.picture import class_map, decode, fit


class Segment(ls.LitAPI):
    """Pictures are decoded and fitted one by one, the network sees a batch, each answer is encoded at its own size."""

    def __init__(self, root: Path, threads: int, max_batch_size: int, batch_timeout: float) -> None:
        super().__init__(max_batch_size=max_batch_size, batch_timeout=batch_timeout, api_path="/segment")
        self._root, self._threads = root, threads

    def setup(self, device: str) -> None:  # noqa: ARG002
        cv2.setNumThreads(1)
        self._bundle = Bundle.read(self._root)
        self._session = self._bundle.session(self._threads)

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> tuple:
        try:
            pixels = decode(request)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        return fit(pixels, self._bundle.height, self._bundle.width), pixels.shape[:2]

    def batch(self, inputs: list[tuple]) -> tuple:
        tensors, sizes = zip(*inputs, strict=True)
        return np.stack(tensors), sizes

    def predict(self, batch: tuple) -> list[tuple]:
        tensors, sizes = batch
        if tensors.ndim == 3:  # without batching there is no `batch`
            tensors, sizes = tensors[None], [sizes]
        (masks,) = self._session.run(["mask"], {"image": tensors})
        return list(zip(masks, sizes, strict=True))

    def encode_response(self, output: tuple) -> Response:
        mask, (height, width) = output[0] if isinstance(output, list) else output
        return Response(class_map(mask, height, width, self._bundle.palette), media_type="image/png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2, help="processes, each with a session")
    parser.add_argument("--threads", type=int, default=1, help="of one inference")
    parser.add_argument("--max-batch-size", type=int, default=4)
    parser.add_argument("--batch-timeout", type=float, default=0.001, help="seconds to wait for a batch to fill")
    options = parser.parse_args()
    timeout = options.batch_timeout if options.max_batch_size > 1 else 0.0
    api = Segment(options.bundle, options.threads, options.max_batch_size, timeout)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=options.workers, fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=options.port,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
