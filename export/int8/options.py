"""The command line of `export.quantize`."""

import argparse
from pathlib import Path

from pydantic import ValidationError

from export.int8.ranges import METHODS
from export.int8.settings import Settings
from export.proof_options import add_proof_options, add_run_option
from export.timing_options import add_timing_options, check_timing
from train.errors import UserError


def parse_options() -> argparse.Namespace:
    """Of this process.

    Raises:
        UserError: a number is too small.
    """
    parser = argparse.ArgumentParser(
        prog="python -m export.quantize",
        description="Add an INT8 graph to a bundle: calibrated on a folder of images, with as few layers left in fp32 "
        "as the allowed loss asks for, verified against PyTorch, timed against fp32, and reported in words.",
    )
    parser.add_argument("bundle", type=Path, help="folder made by export.onnx")
    _add_calibration(parser)
    _add_search(parser)
    add_proof_options(parser)
    add_run_option(parser)
    add_timing_options(parser, samples=50)
    options = parser.parse_args()
    check_timing(options)
    if options.images_count < 1:
        raise UserError(f"--images-count {options.images_count}: must be at least 1")
    return options


def int8_settings(options: argparse.Namespace) -> Settings:
    """Those of the options that decide what the file is.

    Raises:
        UserError: a number out of its range.
    """
    try:
        return Settings(**{name: getattr(options, name) for name in Settings.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--{str(first['loc'][0]).replace('_', '-')} {first['input']}: {first['msg']}") from None


def _add_calibration(parser: argparse.ArgumentParser) -> None:
    defaults = Settings()
    parser.add_argument("--calibration", type=Path, required=True, help="folder of images to learn the ranges from")
    parser.add_argument("--images-count", type=int, default=32, help="of these, how many (default: 32)")
    parser.add_argument("--seed", type=int, default=0, help="chooses which of them (default: 0)")
    parser.add_argument(
        "--method", choices=METHODS, default=defaults.method, help="rule for the ranges (default: minmax)"
    )
    parser.add_argument(
        "--percentile",
        type=float,
        default=defaults.percentile,
        help="for percentile: of |x|, per cent (default: 99.99)",
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    defaults = Settings()
    parser.add_argument(
        "--max-drop",
        type=float,
        default=defaults.max_drop,
        help="largest loss, points of mIoU, or of agreement where there are no labels (default: 0.5)",
    )
    parser.add_argument(
        "--score-images",
        type=int,
        default=defaults.score_images,
        help="pictures the search is scored on (default: 128)",
    )
    parser.add_argument(
        "--layer-images", type=int, default=defaults.layer_images, help="pictures for each layer alone (default: 16)"
    )
    parser.add_argument(
        "--finetune",
        type=int,
        default=defaults.finetune,
        metavar="STEPS",
        help="train so many steps more first, with the run's losses and teacher and layers that round as in INT8 "
        "(default: 0)",
    )
