"""Segment a camera, a network stream or a file on this machine: ``python -m serve.stream BUNDLE --source …``."""

import argparse
from pathlib import Path
from typing import get_args

from serve.engines.protocol import EngineName
from serve.extras import installed
from serve.settings import available_cores
from train.command import command
from train.errors import UserError
from train.interruption import Interrupted, Interruption

with installed():
    from serve.answers.png import encode_png
    from serve.class_choice import chosen_classes
    from serve.models import Model, load_model
    from serve.pipeline import Order
    from serve.problem import ProblemError
    from serve.segmentation import AnswerOptions
    from serve.settings import Settings
    from serve.smoothing import Smoothing
    from serve.stream.output import check_outputs, open_outputs
    from serve.stream.progress import StreamProgress
    from serve.stream.run import Stream
    from serve.stream.source import Wanted, open_source

DESCRIPTION = """Segment a camera, a network stream or a video file with a bundle, on this machine and without HTTP. Of
a live source the newest frame is taken, of a file each. A camera or stream that is lost is opened again. Ctrl-C ends
the files properly."""


def main() -> None:
    """Open everything, segment until the end or a signal, say what was written."""
    options = _parser().parse_args()
    _check(options)
    progress = StreamProgress()
    model = load_model("stream", options.bundle, Settings(engine=options.engine, threads=options.threads), _nothing)
    stream = Stream(
        model, _order(model, options), Smoothing(options.smoothing) if options.smoothing else None, progress
    )
    with (
        Interruption() as stop,
        open_source(Wanted(options.source, options.every), lambda: stop.number is not None, progress.say) as source,
        open_outputs(options.out, model.manifest, options.every) as outputs,
    ):
        engine = model.choice.engine
        progress.say(f"{source.name}: {engine.precision} on {engine.device}, {engine.threads} threads")
        summary = stream.run(source, outputs, stop, options.frames)
        for output in outputs:
            output.finish(summary)
    written = ", ".join(map(str, options.out))
    line = f"{progress.line(None, source.dropped)}, {summary.broken} broken: written to {written}"
    if stop.number is not None:
        raise Interrupted(line, stop.number)
    print(line)
    if stream.failure is not None:
        raise UserError(f"{options.source}: {stream.failure} (the frames before are in {written})")


def _check(options: argparse.Namespace) -> None:
    for name, least in (("every", 1), ("threads", 1), ("frames", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise UserError(f"--{name} {value}: at least {least}")
    if not 0 <= options.smoothing <= 1:
        raise UserError(f"--smoothing {options.smoothing:g}: 0 to 1")
    check_outputs(options.out)


def _order(model: Model, options: argparse.Namespace) -> Order:
    try:
        classes = chosen_classes(options.classes, model.manifest)
    except ProblemError as error:
        raise UserError(f"--classes: {error.detail}") from None
    return Order("image/png", encode_png, AnswerOptions(classes=classes), options.size)


def _nothing(*_: object) -> None:
    """Inferences are counted by nobody here."""


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
        required=True,
        nargs="+",
        type=Path,
        metavar="PATH",
        help="one or several: FILE.mp4, the classes' colours over the frames; FILE.jsonl, a line a frame with shares "
        "and run lengths; a folder, for masks as palette PNGs",
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
