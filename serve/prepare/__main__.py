"""``python -m serve.prepare BUNDLE --out DIR -- SERVER OPTIONS``: what a container on a GPU or a Jetson starts with."""

import argparse
import os
import sys
import time
from pathlib import Path

from export.bundle import Bundle, load_bundle
from export.lock import locked
from serve.prepare.copy import bring_up_to_date
from serve.prepare.plan import Wish, build_plan
from serve.prepare.proof import prove_here
from train.command import command
from train.errors import UserError

FALLBACK = "ALLOW_ONNX_FALLBACK"

_LONGEST_S = 3600.0  # that another process may take to build

DESCRIPTION = """Copy a bundle into a folder of this device, build a TensorRT plan there for this very GPU, prove it on
the bundle's samples, and start the server on it. A plan that is there and was built for this GPU, this TensorRT and
this graph is used again, so that later starts take seconds; a new driver image, GPU or bundle leads to a new one."""

EPILOG = f"""Without a plan the program ends with exit code 2, unless {FALLBACK}=1 is set in the environment: then
the server starts with ONNX Runtime, and says so."""


def main() -> None:
    options, server_options = _options()
    start = time.monotonic()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with locked(options.out, "preparation", wait_s=_LONGEST_S):  # replicas share a volume, and one of them builds
        prepared = bring_up_to_date(load_bundle(options.bundle), options.out)
        engine = "tensorrt" if _with_plan(prepared, _wish(options)) else "auto"
    print(f"prepared {options.out} in {time.monotonic() - start:.1f} s", flush=True)
    if options.no_server:
        return
    arguments = [sys.executable, "-m", "serve", str(options.out), "--engine", engine, *server_options]
    os.execv(sys.executable, arguments)


def _with_plan(bundle: Bundle, wish: Wish) -> bool:
    """Whether there is a proven plan now; `UserError` if there is none, and none is not allowed."""
    try:
        prove_here(bundle.root, build_plan(bundle, wish))
    except UserError as error:
        if os.environ.get(FALLBACK) != "1":
            raise UserError(
                f"no TensorRT plan for this device: {error}; to serve without one set {FALLBACK}=1"
            ) from None
        print(f"warning: {FALLBACK}=1: serving WITHOUT a TensorRT plan, by ONNX Runtime: {error}", file=sys.stderr)
        return False
    return True


def _wish(options: argparse.Namespace) -> Wish:
    return Wish(options.precision, options.dla, options.workspace, options.timing_cache)


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m serve.prepare",
        description=DESCRIPTION,
        epilog=EPILOG,
        usage="%(prog)s BUNDLE --out DIR [options] [-- options of python -m serve]",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder with manifest.json; it is only read")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the copy and its plan, on a lasting volume"
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="which of the bundle's graphs the plan is built from (default: fp32)",
    )
    parser.add_argument("--dla", type=int, metavar="CORE", help="DLA core of a Jetson to run on (default: the GPU)")
    parser.add_argument(
        "--workspace", type=int, metavar="MIB", help="scratch memory of a layer, MiB (default: no limit)"
    )
    parser.add_argument(
        "--timing-cache",
        type=Path,
        metavar="FILE",
        help="measured times of tactics, kept for the next build (default: DIR.timing-cache, beside DIR)",
    )
    parser.add_argument("--no-server", action="store_true", help="end when all is prepared (default: start the server)")
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:split])
    options.timing_cache = options.timing_cache or options.out.with_name(f"{options.out.name}.timing-cache")
    return options, arguments[split + 1 :]


if __name__ == "__main__":
    command(main)
