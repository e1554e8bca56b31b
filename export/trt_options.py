"""The command line of ``python -m export.trt`` (no torch)."""

import argparse
import re
from pathlib import Path

from export.proof_options import add_proof_options, add_run_option
from export.tensorrt.flavour import Flavour
from export.tensorrt.profile import FORM
from kernels.cuda.build import DEFAULT_OUTPUT

DESCRIPTION = """Build a TensorRT plan from a graph of the bundle and enter it into the manifest. The plan is the bare
file that trtexec and Triton load too. Networks are strongly typed: the precision is the graph's. On the GPU that it
is for, the plan is verified against PyTorch."""

FLAVOURS: dict[str, Flavour] = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}
PRECISIONS = ("fp32", "fp16", "int8")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m export.trt", description=DESCRIPTION)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder with manifest.json, made by export.onnx")
    _add_network_options(parser)
    _add_target_options(parser)
    _add_build_options(parser)
    add_proof_options(parser)
    add_run_option(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the manifest's entry there too (default: no)")
    return parser.parse_args()


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    """What the plan computes, of which inputs."""
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32", help="which of the bundle's graphs (default: fp32)"
    )
    parser.add_argument(
        "--outputs",
        choices=("mask", "logits"),
        default="mask",
        help="mask: what the graph gives; logits: those alone, before the upsampling, of which the server makes the "
        "class ids by upsample_argmax.cu (default: mask)",
    )
    parser.add_argument(
        "--kernels",
        type=Path,
        metavar="DIR",
        default=DEFAULT_OUTPUT,
        help="with --outputs logits: where `python -m kernels.cuda.build` has left upsample_argmax.fatbin, which goes "
        f"into the bundle (default: {DEFAULT_OUTPUT})",
    )
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="MIN:OPT:MAX",
        help=f"input shapes that the plan takes; may be repeated: {FORM} (default: one picture of the bundle's size)",
    )


def _add_target_options(parser: argparse.ArgumentParser) -> None:
    """What it runs on."""
    parser.add_argument(
        "--flavour",
        choices=list(FLAVOURS),
        default="tensorrt",
        help="tensorrt: for the GPU of this machine; rtx: TensorRT for RTX, for many GPUs and without one "
        "(default: tensorrt)",
    )
    parser.add_argument(
        "--sm",
        type=_sm_list,
        default=[],
        metavar="SM",
        help="compute capabilities to build for, e.g. 86 or 86,89 (default: this GPU; with rtx all from 80 on)",
    )
    parser.add_argument("--dla", type=int, metavar="CORE", help="DLA core of a Jetson to run on (default: the GPU)")


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    """How TensorRT may look for it."""
    parser.add_argument(
        "--workspace", type=int, metavar="MIB", help="scratch memory of a layer, MiB (default: no limit)"
    )
    parser.add_argument(
        "--timing-cache", type=Path, metavar="FILE", help="keep measured times of tactics here (default: no)"
    )


def _sm_list(text: str) -> list[str]:
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"{text!r}: give compute capabilities without a dot, e.g. 86 or 86,89")
    return text.split(",")
