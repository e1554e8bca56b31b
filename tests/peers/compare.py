"""Our server against its peers: ``python -m tests.peers.compare BUNDLE --images DIR --out DIR``."""

import argparse
import dataclasses
import json
import shlex
from importlib.metadata import version
from pathlib import Path

from serve.benchmark.report import machine
from serve.settings import Settings, available_cores
from tests.peers.chart import write_chart
from tests.peers.comparison import Setup, compare
from tests.peers.table import markdown
from train.command import command

DESCRIPTION = """Measure our server, LitServe and plain FastAPI with ONNX Runtime, all started together and asked in
turn, at 1, 8 and 32 clients; the server's stages in a bare loop; and our server at twice its capacity for a minute.
Writes peers.md, peers.json and peers.png."""


def main() -> None:
    options = _parser().parse_args()
    settings = Settings()
    loops = [Setup("bare loop", available_cores(), settings.threads), Setup("bare loop", available_cores(), 1)]
    found = compare(
        options.bundle,
        options.images,
        options.peers,
        options.ours,
        list(dict.fromkeys(loops)),
        options.rounds,
        options.seconds,
        options.overload,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    text = markdown(found, settings.deadline_s)
    (options.out / "peers.md").write_text(text, encoding="utf-8")
    packages = ("fastapi", "uvicorn", "litserve", "onnxruntime")
    record = {
        "machine": machine(),
        "ours": options.ours,
        "versions": {package: version(package) for package in packages},
        **dataclasses.asdict(found),
    }
    (options.out / "peers.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    write_chart(found, options.out / "peers.png")
    print(text)


def _parser() -> argparse.ArgumentParser:
    cores = available_cores()
    peers = [
        Setup("LitServe", cores, 1, 4),
        Setup("LitServe", cores, 1),
        Setup("plain", cores, 1),
        Setup("plain", 1, cores),
    ]
    parser = argparse.ArgumentParser(
        prog="python -m tests.peers.compare",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="JPEG files, sent in turn")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder for what is written")
    parser.add_argument(
        "--peers",
        type=_setup,
        nargs="*",
        default=peers,
        metavar="NAME:WORKERS:THREADS[:BATCH]",
        help="LitServe or plain, requests worked on at once, threads of one inference, LitServe's largest batch",
    )
    parser.add_argument("--ours", type=shlex.split, default=[], metavar="OPTIONS", help="options of our server")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="each has everything once")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="of one window, in seconds")
    parser.add_argument("--overload", type=float, default=60.0, metavar="S", help="in seconds; 0: leave it out")
    return parser


def _setup(text: str) -> Setup:
    name, *numbers = text.split(":")
    return Setup(name, *map(int, numbers))


if __name__ == "__main__":
    command(main)
