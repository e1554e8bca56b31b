"""``python docker/aarch64_wheels.py``: whether all that a server on a Jetson installs is there as wheels for it.

JetPack 6 has Python 3.10 on aarch64 with glibc 2.35. What has no wheel is named: it must be built on the device.
"""

import argparse
import json
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

_CONSTRAINTS = Path(__file__).with_name("constraints-jetson.txt")
_BUILT_ON_THE_DEVICE = {"pycuda": "needs CUDA's headers: the build stage compiles it"}


def main() -> None:
    options = _options()
    requirements = _requirements(options.extras.split(","))
    wanted = [f"{line.name}{line.specifier}" for line in requirements if line.name not in _BUILT_ON_THE_DEVICE]
    platforms = [f"--platform=manylinux_2_{glibc}_aarch64" for glibc in range(17, options.glibc + 1)]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command += ["--only-binary=:all:", "--target=unused", "--implementation=cp", "--platform=manylinux2014_aarch64"]
    command += ["--python-version", options.python, *platforms, "--constraint", str(options.constraints)]
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("error: " + "; ".join(line for line in done.stderr.splitlines() if line.startswith("ERROR")))
    for entry in json.loads(done.stdout)["install"]:
        wheel = entry["download_info"]["url"].rsplit("/", 1)[-1]
        print(f"{entry['metadata']['name']:28} {wheel}")
    for line in requirements:
        if line.name in _BUILT_ON_THE_DEVICE:
            print(f"{line.name:28} {_BUILT_ON_THE_DEVICE[line.name]}")


def _requirements(extras: list[str]) -> list[Requirement]:
    """Those of the project, without any of its extras and with each of these."""
    found = map(Requirement, requires("segdistill") or [])
    return [line for line in found if line.marker is None or any(line.marker.evaluate({"extra": e}) for e in extras)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="serve,video,cpu,jetson", help="of pyproject.toml (default: %(default)s)")
    parser.add_argument("--python", default="3.10", help="version on the device (default: %(default)s, JetPack 6)")
    parser.add_argument("--glibc", type=int, default=35, metavar="MINOR", help="2.MINOR (default: 35, JetPack 6)")
    parser.add_argument(
        "--constraints",
        type=Path,
        default=_CONSTRAINTS,
        metavar="FILE",
        help="versions (default: constraints-jetson.txt)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
