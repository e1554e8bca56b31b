"""A plan is loaded where it was built for, and refused elsewhere in one line."""

import importlib.util
from pathlib import Path

import pytest

from export.bundle import Bundle, BundleError, add_file, file_record, load_bundle, new_file
from export.manifest import DEFAULT_ROLE, PlanTarget
from export.tensorrt import target as target_module
from export.tensorrt.flavour import TensorRt
from export.tensorrt.gpu import Gpu
from export.tensorrt.profile import default_profile
from export.tensorrt.target import check_plan, plan_target, runs_on
from train.errors import UserError

ORIN = Gpu(name="Orin", sm="87", cuda="12.6", driver="540.4.0")
ADA = Gpu(name="NVIDIA L4", sm="89", cuda="13.0", driver="580.65.06")


def bundle_with(root: Path, target: PlanTarget) -> Bundle:
    with new_file(root / "model.plan") as plan:
        plan.write_bytes(b"a plan")
        options = {"flavour": "rtx", "precision": "fp16", "profile": ["1:1:1", "1:4:8"], "sm": ["86"]}
        add_file(root, "plan", plan, file_record(plan, built_for=target, options=options))
    return load_bundle(root)


def test_tensorrt_builds_for_the_gpu_it_is_on(rtx: TensorRt, root: Path) -> None:
    profiles = [default_profile(load_bundle(root).manifest.input)]
    target = plan_target(rtx, "tensorrt", ORIN, [], profiles)
    assert (target.gpu, target.sm, target.cuda, target.driver) == ("Orin", ["87"], "12.6", "540.4.0")
    assert (target.tensorrt, target.profiles) == (rtx.__version__, profiles)
    assert plan_target(rtx, "tensorrt", ORIN, ["87"], profiles) == target
    with pytest.raises(UserError, match=r"--sm 86: this is Orin \(sm_87\).*start this there"):
        plan_target(rtx, "tensorrt", ORIN, ["86"], profiles)
    with pytest.raises(UserError, match=r"no NVIDIA GPU here.*--flavour rtx"):
        plan_target(rtx, "tensorrt", None, [], profiles)


def test_a_plan_for_rtx_is_bound_to_no_single_gpu(rtx: TensorRt) -> None:
    portable = plan_target(rtx, "tensorrt_rtx", None, [], [])
    assert portable == plan_target(rtx, "tensorrt_rtx", ADA, [], [])
    assert portable.gpu is None
    assert runs_on(portable, ADA)
    assert not runs_on(portable, ORIN)
    assert not runs_on(portable, None)
    assert plan_target(rtx, "tensorrt_rtx", None, ["86"], []).sm == ["86"]


@pytest.mark.parametrize(
    ("gpu", "version", "here"),
    [
        (ORIN, "1.7", r"Orin \(sm_87\) with tensorrt_rtx "),
        (None, "1.7", "a machine with no NVIDIA GPU with tensorrt_rtx "),
        (ADA, "1.6.0", r"NVIDIA L4 \(sm_89\) with tensorrt_rtx 1\.7"),
    ],
)
def test_another_gpu_and_another_version_end_in_one_line(
    root: Path, rtx: TensorRt, monkeypatch: pytest.MonkeyPatch, gpu: Gpu | None, version: str, here: str
) -> None:
    target = plan_target(rtx, "tensorrt_rtx", None, ["86", "89"], []).model_copy(update={"tensorrt": version})
    bundle = bundle_with(root, target)
    monkeypatch.setattr(target_module, "this_gpu", lambda: gpu)
    with pytest.raises(BundleError) as error:
        check_plan(bundle, "plan")
    assert "\n" not in str(error.value)
    assert error.match(rf"model\.plan: built for sm_86 sm_89 with tensorrt_rtx {version}, but this is {here}")
    command = f"python -m export.trt {root} --flavour rtx --precision fp16 --profile 1:1:1 --profile 1:4:8"
    assert str(error.value).endswith(f"`{command}`")


def test_the_right_machine_is_let_through(root: Path, rtx: TensorRt, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_with(root, plan_target(rtx, "tensorrt_rtx", None, [], []))
    monkeypatch.setattr(target_module, "this_gpu", lambda: ADA)
    check_plan(bundle, "plan")


def test_another_gpu_of_the_same_kind_is_another_gpu(rtx: TensorRt) -> None:
    target = plan_target(rtx, "tensorrt", ADA, [], [])
    assert runs_on(target, ADA)
    assert not runs_on(target, Gpu(name="NVIDIA RTX 4090", sm="89", cuda="13.0", driver=None))


def test_a_graph_is_no_plan(root: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: no TensorRT plan: build one with `python -m export\.trt"):
        check_plan(load_bundle(root), DEFAULT_ROLE)


def test_tensorrt_itself_is_missing(root: Path, rtx: TensorRt) -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed here")
    bundle = bundle_with(root, plan_target(rtx, "tensorrt", ORIN, [], []))
    with pytest.raises(UserError, match=r"tensorrt is not installed here \(.*\): on a host with an NVIDIA driver: pip"):
        check_plan(bundle, "plan")


def test_a_plan_cut_short_is_refused(root: Path, rtx: TensorRt) -> None:
    bundle_with(root, plan_target(rtx, "tensorrt_rtx", None, [], []))
    (root / "model.plan").write_bytes(b"a pl")
    with pytest.raises(BundleError, match=r"model\.plan: its content is not what the manifest's sha256 says"):
        load_bundle(root)
