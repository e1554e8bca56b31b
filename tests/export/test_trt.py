"""`python -m export.trt`: a plan in the bundle, or one clear line and the bundle as it was."""

import importlib.util
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from export.bundle import add_file, file_record, load_bundle, new_file, sha256
from export.lock import locked
from export.tensorrt.target import rebuild_command
from export.trt import main
from tests.conftest import Cli
from tests.export.tensorrt.graphs import make_bundle, one_convolution, own_operation

pytest.importorskip("tensorrt_rtx")

ROOT = Path(__file__).parents[2]
RTX = ("--flavour", "rtx")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


def files(root: Path) -> dict[str, bytes]:
    """All that stands in the bundle and beside it."""
    return {path.name: path.read_bytes() for path in root.parent.rglob("*") if path.is_file()}


def test_a_plan_and_what_is_known_of_it(cli: Cli, root: Path, tmp_path: Path) -> None:
    entry = tmp_path / "entry.json"
    ended = cli(main, [str(root), *RTX, "--profile", "1:2:4", "--workspace", "64", "--json", str(entry)])
    assert ended.code == 0, ended.err
    assert "not verified: built, not run here: no GPU that it is for" in ended.out
    bundle = load_bundle(root)
    record = bundle.record("rtx_portable_fp32")
    assert bundle.file("rtx_portable_fp32").read_bytes().startswith(b"vtrt")
    assert record.source_sha256 == bundle.record("onnx").sha256
    assert (record.runtime, record.precision, record.verified) == ("tensorrt_rtx", "fp32", False)
    assert record.built_for is not None
    assert record.built_for.sm == ["80", "86", "89", "120", "121"]
    assert record.built_for.profiles[0].max == (4, 32, 64, 3)
    assert record.versions == {"tensorrt_rtx": record.built_for.tensorrt}
    assert json.loads(entry.read_text())["rtx_portable_fp32"] == record.model_dump(mode="json")
    layers = json.loads((root / "model.rtx_portable_fp32.layers.json").read_text())["Layers"]
    assert f"layers: {len(layers)} (" in ended.out
    assert "`model.rtx_portable_fp32.plan`" in (root / "README.md").read_text()
    assert len(list(root.iterdir())) == 5


def test_the_fp16_graph_of_an_export(cli: Cli, bundle_root: Path) -> None:
    ended = cli(main, [str(bundle_root), *RTX, "--precision", "fp16"])
    assert ended.code == 0, ended.err
    record = load_bundle(bundle_root).record("rtx_portable_fp16")
    assert record.precision == "fp16"
    assert record.source_sha256 == load_bundle(bundle_root).record("onnx_fp16").sha256
    assert re.search(r"layers: \d+ \(\d+ fp16, ", ended.out)


@pytest.fixture
def fatbins(tmp_path: Path) -> Path:
    folder = tmp_path / "cuda"
    folder.mkdir()
    (folder / "upsample_argmax.fatbin").write_bytes(b"a fatbin")
    return folder


def test_a_plan_of_bare_logits_brings_the_kernel_along(cli: Cli, root: Path, fatbins: Path) -> None:
    arguments = [str(root), *RTX, "--outputs", "logits", "--kernels", str(fatbins)]
    ended = cli(main, arguments)
    assert ended.code == 0, ended.err
    record = load_bundle(root).record("rtx_portable_fp32_logits")
    part = root / "model.rtx_portable_fp32_logits.upsample_argmax.fatbin"
    assert record.logits == "fp32"
    assert record.parts == {part.name: sha256(part)}
    assert part.read_bytes() == b"a fatbin"
    layers = json.loads((root / "model.rtx_portable_fp32_logits.layers.json").read_text())["Layers"]
    names = "".join(layer["Inputs"] + layer["Outputs"] for layer in layers)
    assert "Name: image," in names
    assert "Name: logits, Dimensions: [1,3,16,32]" in names
    assert "Name: mask," not in names
    assert "rtx_portable_fp32_logits" in (root / "README.md").read_text()
    before = files(root)
    assert "nothing changed since it was made: reused" in cli(main, arguments).out
    assert files(root) == before
    (fatbins / "upsample_argmax.fatbin").write_bytes(b"another fatbin")
    assert "built in" in cli(main, arguments).out
    assert part.read_bytes() == b"another fatbin"


def test_a_whole_plan_and_one_of_bare_logits_stand_side_by_side(cli: Cli, bundle_root: Path, fatbins: Path) -> None:
    for outputs in ("mask", "logits"):
        more = ["--precision", "fp16", "--outputs", outputs, "--kernels", str(fatbins)]
        assert cli(main, [str(bundle_root), *RTX, *more]).code == 0
    bundle = load_bundle(bundle_root)
    whole, bare = bundle.record("rtx_portable_fp16"), bundle.record("rtx_portable_fp16_logits")
    assert (whole.logits, bare.logits) == (None, "fp16")
    assert whole.source_sha256 == bare.source_sha256 == bundle.record("onnx_fp16").sha256
    assert rebuild_command(bundle, bare).endswith("--flavour rtx --precision fp16 --outputs logits")


def test_what_has_not_changed_is_kept(cli: Cli, root: Path) -> None:
    cli(main, [str(root), *RTX])
    before = files(root)
    assert "nothing changed since it was made: reused" in cli(main, [str(root), *RTX]).out
    assert files(root) == before
    onnx.save(one_convolution(seed=1), root / "model.onnx")
    with new_file(root / "model.onnx") as graph:
        onnx.save(one_convolution(seed=1), graph)
        add_file(root, "onnx", graph, file_record(graph))
    assert "built in" in cli(main, [str(root), *RTX]).out
    assert load_bundle(root).record("rtx_portable_fp32").source_sha256 == load_bundle(root).record("onnx").sha256


def test_plans_for_several_gpus_stand_side_by_side(cli: Cli, root: Path) -> None:
    for sm in ("86", "86,89"):
        assert cli(main, [str(root), *RTX, "--sm", sm]).code == 0
    assert set(load_bundle(root).manifest.files) == {"onnx", "rtx_86_fp32", "rtx_86-89_fp32"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*RTX, "--profile", "4:2:8"), "batch: min 4 is above opt 2"),
        ((*RTX, "--profile", "many"), "--profile many: not understood: give min:opt:max"),
        ((*RTX, "--sm", "87"), "builds no plan for sm_87 (it has: 75, 80, 86, 89, 120, 121): build on the machine"),
        ((*RTX, "--sm", "../.."), "give compute capabilities without a dot"),
        ((*RTX, "--workspace", "0"), "--workspace 0: at least 1 MiB"),
        ((*RTX, "--timing-cache", "cache"), "TensorRT for RTX has neither"),
        ((*RTX, "--dla", "0"), "TensorRT for RTX has neither"),
        ((*RTX, "--precision", "fp16"), "no fp16 graph to build from: make it with `python -m export.onnx RUN --out "),
        ((*RTX, "--precision", "int8"), "no int8 graph to build from: make it with `python -m export.quantize "),
        (("--dla", "0"), "a DLA has no fp32"),
        (
            (*RTX, "--outputs", "logits", "--kernels", "nowhere"),
            "nowhere/upsample_argmax.fatbin: not found: make it with `python -m kernels.cuda.build`",
        ),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    cli: Cli, root: Path, arguments: tuple[str, ...], message: str
) -> None:
    before = files(root)
    ended = cli(main, [str(root), *arguments])
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.strip().splitlines()[-1].count("error: ") == 1
    assert files(root) == before


def test_a_graph_that_the_parser_refuses(cli: Cli, tmp_path: Path) -> None:
    root = make_bundle(tmp_path / "bundle", own_operation())
    before = files(root)
    ended = cli(main, [str(root), *RTX])
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "node 'mine' (Segment): " in ended.err
    assert files(root) == before


def test_tensorrt_is_not_installed(cli: Cli, root: Path) -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed here")
    ended = cli(main, [str(root)])
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "pip install 'segdistill[trt]'" in ended.err
    assert "--flavour rtx" in ended.err


def test_a_full_disk_leaves_the_bundle_as_it_was(cli: Cli, root: Path) -> None:
    before = files(root)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        ended = cli(main, [str(root), *RTX])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "model.rtx_portable_fp32.plan: cannot be written (File too large): make room" in ended.err
    assert files(root) == before


def test_a_plan_that_was_cut_short_is_found(cli: Cli, root: Path) -> None:
    cli(main, [str(root), *RTX])
    plan = load_bundle(root).file("rtx_portable_fp32")
    plan.write_bytes(plan.read_bytes()[:1000])
    ended = cli(main, [str(root), *RTX])
    assert ended.code == 2
    assert "model.rtx_portable_fp32.plan: its content is not what the manifest's sha256 says" in ended.err


def test_two_builds_of_one_plan_at_once(root: Path) -> None:
    before = files(root)
    with locked(root, "rtx_portable_fp32"):
        command = [sys.executable, "-m", "export.trt", str(root), *RTX]
        other = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "another program is writing its rtx_portable_fp32" in other.stderr
    assert files(root) == before


def test_two_builds_of_different_plans_at_once(root: Path) -> None:
    commands = [[sys.executable, "-m", "export.trt", str(root), *RTX, "--sm", sm] for sm in ("86", "89", "120")]
    builds = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for command in commands]
    assert [build.wait() for build in builds] == [0, 0, 0]
    assert set(load_bundle(root).manifest.files) == {"onnx", "rtx_86_fp32", "rtx_89_fp32", "rtx_120_fp32"}
