"""The bundle behind FastAPI and ONNX Runtime alone, as one writes it who has done so before.

One session for all requests, the work in as many threads as cores and not on the event loop, uvicorn with uvloop and
httptools, no access log.
"""

import argparse
import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

from tests.peers.bundle import Bundle
from tests.peers.picture import class_map, decode, fit


def create_app(root: Path, workers: int, threads: int) -> FastAPI:
    cv2.setNumThreads(1)
    bundle = Bundle.read(root)
    session = bundle.session(threads)
    pool = ThreadPoolExecutor(workers)
    app = FastAPI()

    def work(data: bytes) -> bytes:
        pixels = decode(data)
        height, width = pixels.shape[:2]
        tensor = fit(pixels, bundle.height, bundle.width)[None]
        (masks,) = session.run(["mask"], {"image": tensor})
        return class_map(masks[0], height, width, bundle.palette)

    @app.post("/segment")
    async def segment(request: Request) -> Response:
        data = await request.body()
        try:
            png = await asyncio.get_running_loop().run_in_executor(pool, work, data)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        return Response(png, media_type="image/png")

    @app.get("/health")
    async def health() -> str:
        return "ok"

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2, help="threads that work on requests")
    parser.add_argument("--threads", type=int, default=1, help="of one inference")
    options = parser.parse_args()
    app = create_app(options.bundle, options.workers, options.threads)
    uvicorn.run(app, port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
