"""The files that people start containers with: valid, hardened, and of one mind with the code."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.board.jetson import JetsonBoard
from serve.metrics import Metrics
from serve.timing import StageTimes
from tests.serve.board.test_board import ORIN_NX, documented_tree
from tests.serve.conftest import ROOT

DOCKER = ROOT / "docker"
COMPOSE_FILES = sorted(DOCKER.glob("compose*.yaml"))
BIN = Path(sys.executable).parent


class WithTags(yaml.SafeLoader):
    """YAML in which ``!reset`` says what an override takes away."""


WithTags.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))


def compose(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(), WithTags)  # a SafeLoader
    return content


SERVICES = [(path.name, name) for path in COMPOSE_FILES for name in compose(path)["services"]]


def test_dockerfiles_are_clean() -> None:
    paths = [path for path in DOCKER.glob("Dockerfile.*") if path.suffix != ".dockerignore"]
    assert len(paths) == 2
    done = subprocess.run([BIN / "hadolint", *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_compose_files_keep_to_the_specification(tmp_path: Path) -> None:
    plain = [tmp_path / f"{path.stem}.json" for path in COMPOSE_FILES]
    for path, copy in zip(COMPOSE_FILES, plain, strict=True):
        copy.write_text(json.dumps(compose(path)))
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *plain]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("file", "name"), SERVICES)
def test_every_service_is_hardened_and_named_in_a_profile(file: str, name: str) -> None:
    service = compose(DOCKER / file)["services"][name]
    if "image" not in service:
        return  # an override
    assert service["profiles"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert all(str(port).startswith(("127.0.0.1:", "${LISTEN:-127.0.0.1}:")) for port in service.get("ports", []))
    assert "privileged" not in service


@pytest.mark.parametrize(("file", "name"), SERVICES)
def test_what_a_service_mounts_from_here_is_here(file: str, name: str) -> None:
    volumes = compose(DOCKER / file)["services"][name].get("volumes", [])
    sources = [volume["source"] for volume in volumes if isinstance(volume, dict)]
    ours = [source for source in sources if not source.startswith(("/", "$"))]
    assert all((DOCKER / source).exists() for source in ours), ours


def metric_names(tmp_path: Path) -> set[str]:
    metrics = Metrics(JetsonBoard(documented_tree(tmp_path, ORIN_NX)))
    metrics.request("streets", 200, 0.1)
    metrics.stages("streets", StageTimes(decode=1.0))
    metrics.batch("streets", 1, 0.1)
    metrics.refused("overloaded")
    metrics.model("streets", "onnxruntime", "cpu", "fp32", "abc")
    return set(re.findall(r"^(segdistill_\w+)", metrics.exposition()[0].decode(), re.MULTILINE))


@pytest.mark.parametrize("path", ["grafana/dashboards/segdistill.json", "alerts.yml"])
def test_what_is_plotted_and_watched_is_measured(path: str, tmp_path: Path) -> None:
    asked = set(re.findall(r"segdistill_[a-z_]+", (DOCKER / "monitoring" / path).read_text()))
    assert len(asked) > 3
    assert asked <= metric_names(tmp_path)


def test_no_option_of_the_server_is_misspelt() -> None:
    from serve.settings import ENVIRONMENT_PREFIX, Settings

    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in (*Settings.model_fields, "api_keys")}
    texts = [path.read_text() for path in DOCKER.rglob("*") if path.is_file()]
    asked = {name for text in texts for name in re.findall(rf"{ENVIRONMENT_PREFIX}[A-Z_]+", text)}
    assert asked <= known
