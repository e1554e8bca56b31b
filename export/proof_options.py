"""What every command that compares with PyTorch asks for: on which pictures, of which run, or not at all (no torch)."""

import argparse
from pathlib import Path


def add_proof_options(parser: argparse.ArgumentParser) -> None:
    """``--no-verify``, and those of `add_picture_options`: for a command that makes a file."""
    add_picture_options(parser)
    parser.add_argument(
        "--no-verify", action="store_true", help="skip the proof; the manifest marks the file unverified (default: no)"
    )


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """``--images`` and ``--masks``."""
    parser.add_argument("--images", type=Path, help="folder of images to compare on (default: the run's val split)")
    parser.add_argument("--masks", type=Path, help="folder of label masks with the images' stems (default: no labels)")


def add_run_option(parser: argparse.ArgumentParser) -> None:
    """``--run``: for a command that starts from a bundle."""
    parser.add_argument("--run", type=Path, help="run directory of the student, if it has moved (default: as exported)")
