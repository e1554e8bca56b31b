"""A whole run of `python -m serve.stream`: from its options to the last line it prints."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from serve.answers.png import encode_png
from serve.class_choice import chosen_classes
from serve.models import Model, load_model
from serve.pipeline import Order
from serve.problem import ProblemError
from serve.segmentation import AnswerOptions
from serve.settings import Settings
from serve.smoothing import Smoothing
from serve.stream.output import Output, check_outputs, open_outputs
from serve.stream.progress import StreamProgress
from serve.stream.run import Stream
from serve.stream.source import Wanted, open_source
from serve.stream.watch import watched
from train.errors import UserError
from train.interruption import Interrupted, Interruption


def segment_stream(options: argparse.Namespace) -> None:
    """Open everything, segment until the end or a signal, say what was written.

    Raises:
        UserError: an option that cannot be, a source or an output that cannot be opened, a stream that broke off.
        Interrupted: a signal has come; what was segmented is written.
    """
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
        _watched(options, model, outputs, progress),
    ):
        engine = model.choice.engine
        progress.say(f"{source.name}: {engine.precision} on {engine.device}, {engine.threads} threads")
        summary = stream.run(source, outputs, stop, options.frames)
        for output in outputs:
            output.finish(summary)
    written = ", ".join(map(str, options.out)) or "no file"
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
    if not options.out and options.watch is None:
        raise UserError("nothing would come of it: give --out PATH, --watch HOST:PORT, or both")
    check_outputs(options.out)


@contextmanager
def _watched(
    options: argparse.Namespace, model: Model, outputs: list[Output], progress: StreamProgress
) -> Iterator[None]:
    if options.watch is None:
        yield
        return
    with watched(options.watch, model.manifest) as (watch, url):
        outputs.append(watch)
        progress.say(f"to be seen at {url}")
        yield


def _order(model: Model, options: argparse.Namespace) -> Order:
    try:
        classes = chosen_classes(options.classes, model.manifest)
    except ProblemError as error:
        raise UserError(f"--classes: {error.detail}") from None
    return Order("image/png", encode_png, AnswerOptions(classes=classes), options.size)


def _nothing(*_: object) -> None:
    """Inferences are counted by nobody here."""
