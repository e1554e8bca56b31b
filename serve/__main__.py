"""Serve bundles over HTTP: ``python -m serve BUNDLE``."""

import argparse
import signal
import sys

from serve.extras import installed
from serve.settings import add_settings, settings_of
from train.command import command

DESCRIPTION = """Serve bundles over HTTP: POST /segment with an image gives its class map. Also GET /models, /model (the
manifest, and what runs it), /healthz, /readyz, /metrics (for Prometheus) and /openapi.json. A bundle that is made anew
in its folder takes over once it has proven itself. SIGTERM finishes the running requests."""


def main() -> None:
    """Check the bundles and the port, load the networks, serve until a signal."""
    signal.signal(signal.SIGTERM, _exit)
    options = _parser().parse_intermixed_args()
    settings = settings_of(options)
    with installed():
        from serve.run import serve
    serve(options.bundle, settings)


def _exit(*_: object) -> None:
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve", description=DESCRIPTION, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "bundle",
        nargs="+",
        metavar="[NAME=]BUNDLE",
        help="folder with manifest.json, made by `python -m export.onnx`; NAME: for ?model=NAME, else the folder's",
    )
    add_settings(parser)
    return parser


if __name__ == "__main__":
    command(main)
