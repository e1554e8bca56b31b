"""How long and on how many threads a command times model files."""

import argparse

import torch

from train.errors import UserError


def add_timing_options(parser: argparse.ArgumentParser, samples: int) -> None:
    """``--samples``, by default ``samples``, and ``--threads``."""
    parser.add_argument(
        "--samples", type=int, default=samples, help=f"timed inferences of each file (default: {samples})"
    )
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads of one inference (default: all cores)"
    )


def check_timing(options: argparse.Namespace) -> None:
    """`UserError` if one of the two is below 1."""
    for name in ("samples", "threads"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name} {getattr(options, name)}: must be at least 1")
