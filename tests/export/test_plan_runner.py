"""A plan is run where it was built for, and nowhere else."""

import re
from pathlib import Path

import pytest
import torch

from export import logits_runner, plan_runner
from export.bundle import file_record, load_bundle
from export.manifest import PlanTarget
from export.plan_runner import check_torch
from export.runner import NotHere, open_runner

RTX = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")


@pytest.mark.parametrize("owner", ["IExecutionContext", "ICudaEngine", "Runtime"])
def test_what_it_calls_is_in_the_library(owner: str) -> None:
    called = {
        "IExecutionContext": r"_context\.(\w+)\(",
        "ICudaEngine": r" engine\.(\w+)\(",
        "Runtime": r"\)\.(deserialize\w+)\(",
    }[owner]
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in (plan_runner, logits_runner)]
    names = {name for source in sources for name in re.findall(called, source)}
    assert names
    assert [name for name in names if not hasattr(getattr(RTX, owner), name)] == []


def test_a_plan_for_another_machine_is_not_here(bundle_root: Path) -> None:
    plan = bundle_root / "model.plan"
    plan.write_bytes(b"a plan")
    target = PlanTarget(flavour="tensorrt_rtx", tensorrt=RTX.__version__, gpu="Orin", sm=["87"])
    record = file_record(plan, precision="fp16", runtime="tensorrt_rtx", built_for=target)
    with pytest.raises(NotHere, match=r"model\.plan: built for Orin \(sm_87\) with tensorrt_rtx .*but this is"):
        open_runner(plan, record, load_bundle(bundle_root).manifest, threads=1)


def test_without_the_library_it_says_what_to_install(bundle_root: Path) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        target = PlanTarget(flavour="tensorrt", tensorrt="10.3.0", gpu="Orin", sm=["87"])
        plan = bundle_root / "model.onnx"
        record = file_record(plan, precision="fp16", runtime="tensorrt", built_for=target)
        with pytest.raises(NotHere, match=r"tensorrt is not installed here .*segdistill\[trt\]"):
            open_runner(plan, record, load_bundle(bundle_root).manifest, threads=1)


def test_torch_without_a_gpu_is_said() -> None:
    if torch.cuda.is_available():
        pytest.skip("torch has a GPU here")
    with pytest.raises(NotHere, match="this PyTorch has no CUDA here"):
        check_torch()
