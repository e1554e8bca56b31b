"""Cameras and network streams through OpenCV, and what to do where one is not to be had."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import cv2

from train.errors import UserError

_OPEN_MS = _READ_MS = 5000
_DEVICES = Path("/dev")


@dataclass(frozen=True)
class Device:
    """A source that can be opened again and again."""

    name: str
    """For messages, without a password."""
    open: Callable[[], cv2.VideoCapture]
    """`UserError` if it is not there; what is returned may be closed all the same."""


def camera(number: int) -> Device:
    """A camera of this machine: V4L2 on Linux, the system's own interface elsewhere."""
    name = f"camera:{number}"
    if not sys.platform.startswith("linux"):
        return Device(name, lambda: _opened(name, lambda: cv2.VideoCapture(number)))
    path = _DEVICES / f"video{number}"

    def open_camera() -> cv2.VideoCapture:
        _check_device(name, path)
        return _opened(name, lambda: cv2.VideoCapture(number, cv2.CAP_V4L2))

    return Device(name, open_camera)


def rtsp(url: str) -> Device:
    """An RTSP stream over TCP. Five seconds without an answer are the end of a connection."""
    parts = urlsplit(url)
    name = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    bounds = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_MS]
    return Device(name, lambda: _opened(name, lambda: cv2.VideoCapture(url, cv2.CAP_FFMPEG, bounds)))


def gstreamer(pipeline: str) -> Device:
    """A pipeline that ends in ``appsink``, such as that of a CSI camera; `UserError` where OpenCV knows none."""
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise UserError(
            f"--source gst: OpenCV {cv2.__version__} was built without GStreamer, as those of PyPI are: take that of "
            "JetPack or of the distribution, or give camera:N or rtsp://…"
        )
    if "appsink" not in pipeline:
        raise UserError("--source gst: the pipeline has no appsink: end it with `! videoconvert ! appsink drop=1`")
    return Device("gst", lambda: _opened("gst", lambda: cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)))


def _opened(name: str, open_capture: Callable[[], cv2.VideoCapture]) -> cv2.VideoCapture:
    """What is wrong is said by an error, in one line, and not by the libraries on stderr."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = open_capture()
        opened = capture.isOpened()
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where the driver knows it: what waits there is already old
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not opened:
        raise UserError(f"{name}: cannot be opened: check that it is on, not in use, and that the address is right")
    return capture


def _check_device(name: str, path: Path) -> None:
    if not path.exists():
        there = ", ".join(sorted(str(other) for other in path.parent.glob("video*"))) or "none"
        raise UserError(
            f"{name}: there is no {path} (there: {there}): plug it in, or give the container --device {path}"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise UserError(f"{name}: no permission for {path}: add this user to its group, as a rule 'video'")
