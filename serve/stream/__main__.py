"""Segment a camera, a network stream or a file on this machine: ``python -m serve.stream BUNDLE --source …``."""

import argparse
from pathlib import Path
from typing import get_args

from serve.engines.protocol import EngineName
from serve.extras import installed
from serve.settings import available_cores
from train.command import command

DESCRIPTION = """Segment a camera, a network stream or a video file with a bundle, on this machine and without HTTP. Of
a live source the newest frame is taken, of a file each. A camera or stream that is lost is opened again. Ctrl-C ends
the files properly."""


def main() -> None:
    """Read the options, then do it all."""
    options = _parser().parse_args()
    with installed():
        from serve.stream.program import segment_stream
    segment_stream(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve.stream", description=DESCRIPTION, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("bundle", type=Path, help="folder with manifest.json, made by `python -m export.onnx`")
    parser.add_argument(
        "--source",
        required=True,
        help="camera[:N], a camera of this machine; rtsp://…; gst:PIPELINE, of GStreamer, that ends in appsink, where "
        "OpenCV has it; or a video file",
    )
    parser.add_argument(
        "--out",
        default=[],
        nargs="+",
        type=Path,
        metavar="PATH",
        help="one or several: FILE.mp4, the classes' colours over the frames; FILE.jsonl, a line a frame with shares "
        "and run lengths; a folder, for masks as palette PNGs",
    )
    parser.add_argument(
        "--watch",
        metavar="HOST:PORT",
        help="show the colours over the frames to every browser that opens this address (motion JPEG)",
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each n-th frame")
    parser.add_argument("--frames", type=int, metavar="N", help="end after so many; None: with the source, or a signal")
    parser.add_argument("--size", choices=("source", "network"), default="source", help="of what is written")
    parser.add_argument(
        "--classes", metavar="NAME,ID", help="only these; all other pixels get the ignored id; None: all"
    )
    parser.add_argument("--smoothing", type=float, default=0.0, help="against flicker, 0 (off) to 1")
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto", help="what runs the network")
    parser.add_argument(
        "--threads", type=int, default=available_cores(), metavar="N", help="CPU threads of an inference"
    )
    return parser


if __name__ == "__main__":
    command(main)
