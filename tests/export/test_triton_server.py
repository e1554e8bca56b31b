"""A model repository that Triton takes: its configuration is read back with the message that Triton reads it with."""

import importlib.util
import resource
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest
from google.protobuf import text_format

from export.bundle import add_file, file_record, load_bundle, new_file, save_manifest
from export.manifest import PlanTarget, Profile, Runtime
from export.triton_server import main
from tests.conftest import Cli
from tests.export.tensorrt.graphs import HEIGHT, WIDTH, make_bundle, one_convolution

pytest.importorskip("tritonclient")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture(scope="session")
def messages() -> ModuleType:
    """tritonclient's generated module; its package would import gRPC, which nothing here needs."""
    package = importlib.util.find_spec("tritonclient")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(messages: ModuleType, model: Path) -> Any:
    """``config.pbtxt`` as Triton parses it: an unknown field or a wrong type is an error."""
    return text_format.Parse((model / "config.pbtxt").read_text(encoding="utf-8"), messages.ModelConfig())


def add_plan(root: Path, runtime: Runtime, profiles: list[Profile], **fields: object) -> None:
    target = PlanTarget(flavour="tensorrt", tensorrt="10.3.0", gpu="Orin", sm=["87"], profiles=profiles)
    with new_file(root / "model.plan") as plan:
        plan.write_bytes(b"a plan")
        add_file(root, "plan", plan, file_record(plan, runtime=runtime, built_for=target, precision="fp16", **fields))


def profile(batch: int, height: int = HEIGHT, width: int = WIDTH) -> Profile:
    return Profile(min=(1, height, width, 3), opt=(1, height, width, 3), max=(batch, height, width, 3))


def test_a_graph_becomes_a_model(cli: Cli, root: Path, repository: Path, messages: ModuleType) -> None:
    arguments = ["--queue-delay", "500", "--instances", "2", "--threads", "3", "--device", "cpu"]
    ended = cli(main, [str(root), "--repository", str(repository), *arguments])
    assert ended.code == 0, ended.err
    assert "version 1: model.onnx" in ended.out
    assert "not verified" in ended.out
    model = repository / "one-convolution"
    config = read(messages, model)
    assert (config.name, config.backend, config.max_batch_size) == ("one-convolution", "onnxruntime", 8)
    (image,), (mask,) = config.input, config.output
    assert (image.name, image.data_type, list(image.dims)) == ("image", messages.TYPE_UINT8, [HEIGHT, WIDTH, 3])
    assert (mask.name, mask.data_type, list(mask.dims)) == ("mask", messages.TYPE_UINT8, [HEIGHT, WIDTH])
    assert config.dynamic_batching.max_queue_delay_microseconds == 500
    (group,) = config.instance_group
    assert (group.count, group.kind) == (2, messages.ModelInstanceGroup.KIND_CPU)
    assert config.parameters["intra_op_thread_count"].string_value == "3"
    assert [(each.batch_size, each.count) for each in config.model_warmup] == [(1, 2), (8, 2)]
    assert all(each.inputs["image"].zero_data for each in config.model_warmup)
    assert config.version_policy.latest.num_versions == 1
    assert (model / mask.label_filename).read_text() == "red\ngreen\nblue\n"
    assert (model / "1" / config.default_model_filename).read_bytes() == (root / "model.onnx").read_bytes()
    assert sorted(path.name for path in repository.iterdir()) == ["one-convolution"]


def test_a_changed_file_is_a_new_version(cli: Cli, root: Path, repository: Path) -> None:
    arguments = [str(root), "--repository", str(repository), "--name", "model"]
    assert "version 1" in cli(main, arguments).out
    assert "version 1" in cli(main, arguments).out
    with new_file(root / "model.onnx") as graph:
        onnx.save(one_convolution(seed=1), graph)
        add_file(root, "onnx", graph, file_record(graph))
    assert "version 2" in cli(main, arguments).out
    assert sorted(path.name for path in (repository / "model").iterdir()) == ["1", "2", "config.pbtxt", "labels.txt"]
    assert (repository / "model/2/model.onnx").read_bytes() == (root / "model.onnx").read_bytes()


def test_a_graph_of_one_picture_is_not_batched(
    cli: Cli, tmp_path: Path, repository: Path, messages: ModuleType
) -> None:
    root = make_bundle(tmp_path / "fixed", dynamic=False)
    assert cli(main, [str(root), "--repository", str(repository)]).code == 0
    config = read(messages, repository / "one-convolution")
    assert config.max_batch_size == 0
    assert not config.HasField("dynamic_batching")
    assert list(config.input[0].dims) == [1, HEIGHT, WIDTH, 3]
    assert list(config.output[0].dims) == [1, HEIGHT, WIDTH]
    (warm_up,) = config.model_warmup
    assert (warm_up.batch_size, list(warm_up.inputs["image"].dims)) == (1, [1, HEIGHT, WIDTH, 3])


def test_a_plan_runs_on_the_gpu_with_the_profile_that_fits(
    cli: Cli, root: Path, repository: Path, messages: ModuleType
) -> None:
    add_plan(root, "tensorrt", [profile(16, 64, 64), profile(1), profile(4)])
    ended = cli(main, [str(root), "--repository", str(repository), "--role", "plan"])
    assert "needs the Triton that comes with TensorRT 10.3.0, on Orin" in ended.out
    config = read(messages, repository / "one-convolution")
    assert (config.backend, config.default_model_filename, config.max_batch_size) == ("tensorrt", "model.plan", 4)
    (group,) = config.instance_group
    assert (group.kind, list(group.profile)) == (messages.ModelInstanceGroup.KIND_GPU, ["2"])


def test_more_outputs(cli: Cli, root: Path, repository: Path, messages: ModuleType) -> None:
    bundle = load_bundle(root)
    outputs = bundle.manifest.output.model_copy(update={"confidence": "confidence", "logits": "logits"})
    save_manifest(root, bundle.manifest.model_copy(update={"output": outputs}))
    assert cli(main, [str(root), "--repository", str(repository)]).code == 0
    _, confidence, logits = read(messages, repository / "one-convolution").output
    assert (confidence.name, confidence.data_type) == ("confidence", messages.TYPE_UINT8)
    assert (logits.name, logits.data_type, list(logits.dims)) == ("logits", messages.TYPE_FP32, [3, -1, -1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--role", "onnx_int8"), "no 'onnx_int8' file in the manifest"),
        (("--role", "plan"), "Triton has no backend for tensorrt_rtx: choose --role onnx"),
        (("--name", "a/b"), "--name a/b: it is part of a URL"),
        (("--name", ".."), "--name ..: it is part of a URL"),
        (("--max-batch", "0"), "--max-batch 0: at least 1"),
        (("--max-batch", "9999"), "--max-batch 9999: model.onnx takes up to 1024"),
        (("--instances", "0"), "--instances 0: at least 1"),
        (("--threads", "0"), "--threads 0: at least 1"),
        (("--queue-delay", "-1"), "--queue-delay -1: at least 0"),
    ],
)
def test_a_mistake_is_one_line(
    cli: Cli, root: Path, repository: Path, arguments: tuple[str, ...], message: str
) -> None:
    add_plan(root, "tensorrt_rtx", [profile(1)])
    ended = cli(main, [str(root), "--repository", str(repository), *arguments])
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert message in ended.err
    assert not repository.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-batch", "8"), "model.plan takes up to 4"),
        (("--device", "cpu"), "model.plan is for Orin"),
    ],
)
def test_what_a_plan_cannot_do(
    cli: Cli, root: Path, repository: Path, arguments: tuple[str, ...], message: str
) -> None:
    add_plan(root, "tensorrt", [profile(4)])
    ended = cli(main, [str(root), "--repository", str(repository), "--role", "plan", *arguments])
    assert ended.code == 2
    assert message in ended.err


def test_a_plan_of_bare_logits(cli: Cli, root: Path, repository: Path) -> None:
    add_plan(root, "tensorrt", [profile(4)], logits="fp16")
    ended = cli(main, [str(root), "--repository", str(repository), "--role", "plan"])
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "model.plan: gives bare logits" in ended.err
    assert not repository.exists()


def test_a_plan_of_another_size(cli: Cli, root: Path, repository: Path) -> None:
    add_plan(root, "tensorrt", [profile(4, 64, 64)])
    ended = cli(main, [str(root), "--repository", str(repository), "--role", "plan"])
    assert "the plan does not take 32x64: build it with --profile" in ended.err


def test_a_full_disk_leaves_the_repository_as_it_was(cli: Cli, root: Path, repository: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        ended = cli(main, [str(root), "--repository", str(repository)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "cannot be written (File too large)" in ended.err
    assert list(repository.iterdir()) == []
