"""The benchmark's command line."""

import argparse
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from serve.benchmark.fail_over import Bound
from serve.benchmark.load import ClosedLoop, Load, OpenLoop
from serve.benchmark.observation import Windows
from serve.engines.protocol import EngineName
from serve.settings import available_cores
from train.errors import UserError

DESCRIPTION = """Time the stages of a request one image after the other, without HTTP; then whole requests to a server
of the bundle, which is started as a process of its own. With --concurrency and --rate: also under load. With --url: a
server that runs already; or, with --protocol kserve, one like NVIDIA Triton Inference Server, which takes and gives
tensors."""

_BUNDLE = "folder with manifest.json, made by `python -m export.onnx`"
_LEAST = {"warmup": 0, "samples": 1, "batch": 1, "threads": 1, "windows": 1}


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(
        prog="python -m serve.benchmark",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("bundle", type=Path, metavar="BUNDLE", nargs="?", help=_BUNDLE)
    _add_target(made)
    _add_samples(made)
    _add_load(made)
    _add_answers(made)
    return made


def check(options: argparse.Namespace) -> None:
    """`UserError` where options do not go together or are out of range."""
    if options.bundle is None and options.url is None:
        raise UserError("nothing to time: give a BUNDLE or --url URL")
    if options.url is not None and (options.write or options.batch > 1 or options.server):
        raise UserError("--write, --batch and --server are for a BUNDLE in this process: leave out --url")
    if options.protocol == "kserve" and (options.url is None or options.model is None):
        raise UserError("--protocol kserve needs --url URL and --model NAME")
    if options.url is None and options.model is not None:
        raise UserError(f"--model {options.model}: for a server at --url; a BUNDLE has one model")
    for name, least in _LEAST.items():
        if getattr(options, name) < least:
            raise UserError(f"--{name} {getattr(options, name)}: at least {least}")
    if options.window <= 0:
        raise UserError(f"--window {options.window:g}: more than 0 seconds")
    _check_files(options)


def _check_files(options: argparse.Namespace) -> None:
    """Before minutes of measuring, not after."""
    for name in ("json", "plot"):
        path = getattr(options, name)
        if path is not None and not path.parent.is_dir():
            raise UserError(f"--{name} {path}: there is no folder {path.parent}")
    if options.plot is None:
        return
    if not (options.concurrency or options.rate):
        raise UserError("--plot shows levels of load: add --concurrency 1,8,32 or --rate 10,20,40")
    if find_spec("matplotlib") is None:
        raise UserError("--plot needs matplotlib: pip install 'segdistill[benchmark]'")


def loads(options: argparse.Namespace) -> list[Load]:
    """The closed loops, then the open ones, each in the order given."""
    closed: list[Load] = [ClosedLoop(round(clients)) for clients in options.concurrency]
    return closed + [OpenLoop(rate, options.seed) for rate in options.rate]


def windows(options: argparse.Namespace) -> Windows:
    """The rule of the steady state."""
    return Windows(seconds=options.window, most=options.windows, warmup_s=min(1.0, options.window))


def _add_target(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("what is timed")
    group.add_argument("--url", help="time this running server instead, e.g. http://127.0.0.1:8000")
    group.add_argument(
        "--protocol", choices=("segment", "kserve"), default="segment", help="what the server at --url speaks"
    )
    group.add_argument(
        "--model", metavar="NAME", help="the model of a server at --url that has several; None: its first"
    )
    group.add_argument(
        "--server",
        type=shlex.split,
        default=[],
        metavar="OPTIONS",
        help="further options of `python -m serve` for the server of the bundle, as one word: --server='--workers 2'",
    )
    source = group.add_mutually_exclusive_group()
    source.add_argument("--image", type=Path, metavar="FILE", help="the image to send; None: the bundle's samples")
    source.add_argument("--images", type=Path, metavar="DIR", help="a folder of images to send in turn")
    group.add_argument(
        "--engine", choices=get_args(EngineName), default="auto", help="what runs the network; auto: the best here"
    )
    group.add_argument(
        "--threads", type=int, default=available_cores(), metavar="N", help="CPU threads of one inference"
    )


def _add_samples(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("one image after the other")
    group.add_argument("--batch", type=int, default=1, metavar="N", help="images in one inference; requests have one")
    group.add_argument("--warmup", type=int, default=10, metavar="N", help="samples thrown away first")
    group.add_argument("--samples", type=int, default=100, metavar="N", help="samples that count")


def _add_load(made: argparse.ArgumentParser) -> None:
    rule = Windows()
    steady = f"{rule.consecutive} windows in a row within {rule.tolerance:.0%} of their mean in throughput and p99"
    group = made.add_argument_group("under load", f"Each level lasts until {steady}.")
    group.add_argument(
        "--concurrency",
        type=_numbers,
        default=[],
        metavar="N,N",
        help="closed loop: clients that wait for their answer",
    )
    group.add_argument(
        "--rate", type=_numbers, default=[], metavar="R,R", help="open loop: requests a second at random moments"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of those moments")
    group.add_argument("--window", type=float, default=rule.seconds, metavar="S", help="length of a window, in seconds")
    group.add_argument("--windows", type=int, default=rule.most, metavar="N", help="windows of one level at most")


def _add_answers(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("what comes of it")
    group.add_argument("--json", type=Path, metavar="FILE", help="write the measurements there too, as JSON")
    group.add_argument("--plot", type=Path, metavar="FILE", help="write the curves of the load there, as PNG")
    group.add_argument("--write", action="store_true", help="record the inference latency in the bundle's manifest")
    group.add_argument(
        "--fail-over",
        type=Bound.parse,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="exit with 1 where a whole request or a level of load breaks this: p50, p90, p99 or max=50ms, errors=1%%, "
        "throughput=60/s; can be given several times",
    )


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) <= 0:
        raise argparse.ArgumentTypeError(f"'{text}': give numbers above 0 with commas between them, such as 1,8,32")
    return numbers
