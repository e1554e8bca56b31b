"""``python docker/bill_of_materials.py IMAGE --out FILE``: what an image holds, as CycloneDX JSON.

Python packages with their licences, and Debian or Ubuntu packages, asked of the image itself.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_PYTHON = """
import importlib.metadata, json
packages = [(found.metadata["Name"], found.version, found.metadata.get("License-Expression"))
            for found in importlib.metadata.distributions()]
print(json.dumps(packages))
"""
_SYSTEM = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n"]


def main() -> None:
    options = _options()
    bom = Bom()
    bom.metadata.component = Component(name=options.image, type=ComponentType.CONTAINER)
    inside = _Inside(options.image)
    try:
        for component in (*_python_packages(inside), *_system_packages(inside)):
            bom.components.add(component)
    finally:
        inside.close()
    for component in bom.components:
        bom.register_dependency(bom.metadata.component, [component])
    JsonV1Dot6(bom).output_to_file(str(options.out), allow_overwrite=True, indent=1)
    kinds = [component.purl.type for component in bom.components if component.purl]
    print(f"{options.out}: {kinds.count('pypi')} Python packages, {kinds.count('deb')} system packages")


class _Inside:
    """Runs commands in an image, by Docker or by buildah."""

    def __init__(self, image: str) -> None:
        self._image, self._container = image, None
        if shutil.which("buildah"):
            made = subprocess.run(
                ["buildah", "from", "--pull-never", image], capture_output=True, text=True, check=False
            )
            self._container = made.stdout.strip() or None
        if self._container is None and subprocess.run(["docker", "inspect", image], capture_output=True).returncode:
            sys.exit(f"error: {image}: no such image of Docker or buildah here: build it first (make docker-cpu)")

    def run(self, command: list[str]) -> str:
        if self._container is None:
            whole = ["docker", "run", "--rm", "--entrypoint", command[0], self._image, *command[1:]]
        else:
            whole = ["buildah", "run", "--isolation", "chroot", self._container, "--", *command]
        return subprocess.run(whole, capture_output=True, text=True, check=True).stdout

    def close(self) -> None:
        if self._container is not None:
            subprocess.run(["buildah", "rm", self._container], capture_output=True, check=True)


def _docker_has(image: str) -> bool:
    docker = shutil.which("docker")
    return (
        docker is not None
        and not subprocess.run([docker, "inspect", image], capture_output=True, check=False).returncode
    )


def _python_packages(inside: _Inside) -> Iterator[Component]:
    for name, version, licence in json.loads(inside.run(["python", "-c", _PYTHON])):
        known = [LicenseFactory().make_from_string(licence)] if licence else []
        purl = PackageURL("pypi", name=name.lower(), version=version)
        yield Component(name=name, version=version, purl=purl, bom_ref=str(purl), licenses=known)


def _system_packages(inside: _Inside) -> Iterator[Component]:
    for line in inside.run(_SYSTEM).splitlines():
        name, version, architecture = line.split()
        purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
        yield Component(name=name, version=version, purl=purl, bom_ref=str(purl))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What an image holds, as CycloneDX 1.6 in JSON.")
    parser.add_argument("image", help="its name, e.g. segdistill-serve:cpu")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
