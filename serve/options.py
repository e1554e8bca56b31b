"""Command line options that serving and its benchmark share."""

import argparse
import os
from pathlib import Path

from pydantic import ValidationError

from serve.limits import Limits
from train.errors import UserError

ENVIRONMENT_PREFIX = "SEGDISTILL_SERVE_"


def argument_parser(program: str, description: str) -> argparse.ArgumentParser:
    """A parser whose help shows each option's default."""
    return argparse.ArgumentParser(
        prog=program, description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """``--device`` and ``--threads``."""
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what computes the network")
    parser.add_argument(
        "--threads", type=int, default=available_cores(), metavar="N", help="CPU threads of one inference"
    )


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    """One option for each of `Limits`, with the environment's defaults."""
    defaults = environment_limits()
    group = parser.add_argument_group("limits", f"Other defaults from the environment: {ENVIRONMENT_PREFIX}<NAME>.")
    for name, field in Limits.model_fields.items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(getattr(defaults, name)),
            default=getattr(defaults, name),
            metavar="N",
            help=field.description,
        )


def environment_limits() -> Limits:
    """The limits that the environment sets, and the defaults of the others; `UserError` if one is out of range."""
    try:
        return Limits()
    except ValidationError as error:
        raise _explained(error, ENVIRONMENT_PREFIX) from None


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limits_of(options: argparse.Namespace) -> Limits:
    """The limits among parsed options; `UserError` if one is out of range."""
    if options.threads < 1:
        raise UserError(f"--threads: Input should be greater than 0 (given: {options.threads})")
    try:
        return Limits(**{name: getattr(options, name) for name in Limits.model_fields})
    except ValidationError as error:
        raise _explained(error, "--") from None


def _explained(error: ValidationError, prefix: str) -> UserError:
    first = error.errors()[0]
    name = str(first["loc"][0])
    name = name.replace("_", "-") if prefix == "--" else name.upper().removeprefix(prefix)
    return UserError(f"{prefix}{name}: {first['msg']} (given: {first['input']})")


def add_bundle_argument(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The positional ``BUNDLE``."""
    text = "folder with manifest.json, made by `python -m export.onnx`"
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", nargs=None if required else "?", help=text)
