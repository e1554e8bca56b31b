"""Time a bundle, or a running server: ``python -m serve.benchmark BUNDLE`` or ``--url URL``."""

import argparse
from pathlib import Path

from serve.benchmark.images import load_images
from serve.extras import installed
from serve.options import add_bundle_argument, add_engine_options, argument_parser, environment_limits
from train.command import command
from train.errors import UserError

DESCRIPTION = """Time the stages of a request (decode, preprocess, inference, postprocess, encode), one image after the
other in this process, and the whole request over HTTP. With --url: requests to a running server, and the stages as it
timed them itself; or, with --protocol kserve, to a server like NVIDIA Triton Inference Server, which takes and gives
tensors, and the stages as this client timed them."""


def main() -> None:
    """Measure, show, and write what was asked for."""
    options = _parser().parse_args()
    _check(options)
    with installed():
        from serve.benchmark.measurement import Plan
        from serve.benchmark.report import show, write_json
        from serve.benchmark.run import time_bundle, time_kserve, time_server
    plan = Plan(options.warmup, options.samples, options.batch)
    images = load_images(options.image, options.images, options.bundle)
    if options.protocol == "kserve":
        report = time_kserve(options.url, options.model, images, plan)
    elif options.url is not None:
        report = time_server(options.url, images, plan)
    else:
        limits = environment_limits()
        report = time_bundle(options.bundle, images, plan, limits, options.device, options.threads, options.write)
    show(report)
    if options.json is not None:
        write_json(report, options.json)


def _check(options: argparse.Namespace) -> None:
    if options.bundle is None and options.url is None:
        raise UserError("nothing to time: give a BUNDLE or --url URL")
    if options.url is not None and (options.write or options.batch > 1):
        raise UserError("--write and --batch are for a BUNDLE in this process: leave out --url")
    if options.protocol == "kserve" and (options.url is None or options.model is None):
        raise UserError("--protocol kserve needs --url URL and --model NAME")
    if options.protocol != "kserve" and options.model is not None:
        raise UserError(f"--model {options.model}: a server of this project has one model: add --protocol kserve")
    for name, least in (("warmup", 0), ("samples", 1), ("batch", 1), ("threads", 1)):
        if getattr(options, name) < least:
            raise UserError(f"--{name} {getattr(options, name)}: at least {least}")


def _parser() -> argparse.ArgumentParser:
    parser = argument_parser("python -m serve.benchmark", DESCRIPTION)
    add_bundle_argument(parser, required=False)
    parser.add_argument("--url", help="time this running server instead, e.g. http://127.0.0.1:8000")
    parser.add_argument(
        "--protocol", choices=("segment", "kserve"), default="segment", help="what the server at --url speaks"
    )
    parser.add_argument(
        "--model", metavar="NAME", help="the model of a server that has several, with --protocol kserve"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--image", type=Path, metavar="FILE", help="the image to send; None: the bundle's samples")
    source.add_argument("--images", type=Path, metavar="DIR", help="a folder of images to send in turn")
    add_engine_options(parser)
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images in one inference; requests have one")
    parser.add_argument("--warmup", type=int, default=10, metavar="N", help="samples thrown away first")
    parser.add_argument("--samples", type=int, default=100, metavar="N", help="samples that count")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements there too, as JSON")
    parser.add_argument("--write", action="store_true", help="record the inference latency in the bundle's manifest")
    return parser


if __name__ == "__main__":
    command(main)
