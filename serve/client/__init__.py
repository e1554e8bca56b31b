"""Ask a server of this project from Python: an image in, a NumPy class map out. It needs the extra `client` only."""

try:
    import httpx  # noqa: F401
    import websockets  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.name} is not installed: pip install 'segdistill[client]'", name=error.name
    ) from None

from serve.client.answer import Answer
from serve.client.async_client import AsyncClient
from serve.client.live_call import LiveMask
from serve.client.problem import LiveEnded, NoAnswer, ServerProblem
from serve.client.retries import Retries
from serve.client.segmentation import Segmentation
from serve.client.served_model import ServedModel
from serve.client.sync_client import Client
from serve.client.video import VideoFrame

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "LiveEnded",
    "LiveMask",
    "NoAnswer",
    "Retries",
    "Segmentation",
    "ServedModel",
    "ServerProblem",
    "VideoFrame",
]
