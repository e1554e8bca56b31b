"""Serve a bundle over HTTP: ``python -m serve BUNDLE``."""

import argparse
import signal
import sys

from export.bundle import load_bundle
from serve.extras import installed
from serve.options import add_bundle_argument, add_engine_options, add_limit_options, argument_parser, limits_of
from train.command import command

DESCRIPTION = """Serve a bundle over HTTP: POST /segment with an image gives its class map.
Also GET /model (the manifest), /healthz, /readyz and /openapi.json. SIGTERM finishes the running requests."""


def main() -> None:
    """Check the bundle and the port, load the network, serve until a signal."""
    signal.signal(signal.SIGTERM, _exit)
    options = _parser().parse_args()
    limits = limits_of(options)
    bundle = load_bundle(options.bundle)
    with installed():
        from serve.engine import OnnxRuntimeEngine
        from serve.pipeline import Pipeline
        from serve.server import Server, listen, url_of
        from serve.service import Service
    engine = OnnxRuntimeEngine(bundle, options.device, options.threads)
    service = Service(Pipeline(engine, bundle.manifest, limits.max_pixels), limits)
    listener = listen(options.host, options.port)
    if not bundle.manifest.verified:
        print(f"not verified: {options.bundle} (python -m export.verify {options.bundle})", file=sys.stderr, flush=True)
    on = f"{engine.device}, {engine.threads} threads, {engine.runtime}"
    print(f"serving {bundle.manifest.name} ({on}) on {url_of(listener)}", flush=True)
    server = Server(service, listener, options.log_level)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    server.run()


def _exit(*_: object) -> None:
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argument_parser("python -m serve", DESCRIPTION)
    add_bundle_argument(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0: every network of this host")
    parser.add_argument("--port", type=int, default=8000, help="TCP port; 0: a free one, printed at the start")
    add_engine_options(parser)
    levels = ("critical", "error", "warning", "info", "debug")
    parser.add_argument("--log-level", choices=levels, default="info", help="info: a line for each request")
    add_limit_options(parser)
    return parser


if __name__ == "__main__":
    command(main)
