"""The command line of ``python -m serve.client``."""

import argparse
from pathlib import Path
from typing import NamedTuple, get_args

from serve.client.call import API_KEY, Size
from serve.client.retries import Retries
from train.errors import UserError

DESCRIPTION = f"""Have a server segment images, a few at once, and write its answers to a folder. An answer that is
there already is not asked for again, so the same command goes on after Ctrl-C. A key for the server is taken from the
environment, {API_KEY}. Exit code: 0 all done, 1 some images failed, 2 what concerns all of them."""


class Form(NamedTuple):
    """What an answer is on the wire and on disk."""

    media_type: str
    suffix: str
    overlay: bool = False


FORMS = {
    "png": Form("image/png", ".png"),
    "overlay": Form("image/jpeg", ".jpg", overlay=True),
    "json": Form("application/json", ".json"),
}


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(
        prog="python -m serve.client",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("url", metavar="URL", help="the server, e.g. http://127.0.0.1:8000")
    made.add_argument("images", metavar="DIR|FILE", nargs="+", type=Path, help="images, or folders of them")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the answers, named as the images are")
    made.add_argument("--overwrite", action="store_true", help="ask for those answers too that are there already")
    made.add_argument("--concurrency", type=int, default=4, metavar="N", help="images at once")
    made.add_argument("--json", type=Path, metavar="FILE", help="write what became of each image there, as JSON")
    _add_answer(made)
    _add_bounds(made)
    return made


def check(options: argparse.Namespace) -> None:
    """`UserError` where options do not go together or are out of range."""
    if options.concurrency < 1:
        raise UserError(f"--concurrency {options.concurrency}: at least 1")
    for name in ("timeout", "deadline"):
        if getattr(options, name) <= 0:
            raise UserError(f"--{name} {getattr(options, name):g}: more than 0 seconds")
    if options.confidence and options.answer != "json":
        raise UserError(f"--confidence with --answer {options.answer}: only JSON tells it: add --answer json")


def _add_answer(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("the answer")
    group.add_argument(
        "--answer",
        choices=tuple(FORMS),
        default="png",
        help="png: class ids as a palette PNG; overlay: the classes' colours over the image, JPEG; json: classes "
        "present, their shares and run-length masks",
    )
    group.add_argument("--model", metavar="NAME", help="one of the server's models; None: its first")
    group.add_argument(
        "--size", choices=get_args(Size), default="source", help="of the answer: the image's own, or the network's"
    )
    group.add_argument(
        "--classes",
        type=lambda text: text.split(","),
        metavar="NAME,ID",
        help="only these, by name or id; all other pixels get the ignored id; None: all",
    )
    group.add_argument("--confidence", action="store_true", help="of --answer json: how sure the network is of a class")


def _add_bounds(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group(
        "patience", "What the server refuses for now is asked again when it says so, and lost connections too."
    )
    group.add_argument("--timeout", type=float, default=30.0, metavar="S", help="the longest silence, in seconds")
    group.add_argument(
        "--deadline",
        type=float,
        default=2 * Retries().deadline_s,
        metavar="S",
        help="for one image, all attempts and waits together, in seconds",
    )
