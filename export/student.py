"""The PyTorch student behind a bundle, and what a manifest says of it."""

from pathlib import Path
from typing import Any

from export.bundle import Bundle, BundleError, sha256
from train.checkpoint import TrainedNetwork, load_run
from train.models.build import cost
from train.models.config import ModelConfig
from train.run_directory import RunDirectory, Which
from train.teachers.run import RunTeacher


def describe_student(run: Path, which: Which, trained: TrainedNetwork) -> dict[str, Any]:
    """The manifest's record of the student: where it came from and how big it is."""
    size = cost(trained.network, trained.config.data.size)
    return {
        "run": str(run),
        "checkpoint": which,
        "step": trained.step,
        "weights_sha256": sha256(RunDirectory(run).checkpoint(which) / "model.safetensors"),
        "model": trained.config.model.model_dump(mode="json"),
        "parameters": size.parameters,
        "macs": size.macs,
    }


def describe_teacher(trained: TrainedNetwork) -> dict[str, Any] | None:
    """The manifest's record of the teacher, or None where the student had none."""
    teacher = trained.config.teacher
    if teacher is None:
        return None
    if not isinstance(teacher, RunTeacher):
        return teacher.model_dump(mode="json", exclude_unset=True)
    run = RunDirectory(Path(teacher.run))
    model: ModelConfig | None = run.config().model if run.root.is_dir() else None
    return {
        "run": teacher.run,
        "checkpoint": teacher.checkpoint,
        "model": model.model_dump(mode="json") if model else None,
    }


def load_student(bundle: Bundle, run: Path | None = None) -> TrainedNetwork:
    """The student that the bundle was exported from; ``run`` where its folder has moved.

    Raises:
        BundleError: the run's weights are not those of the export any more.
        UserError: no such run or checkpoint.
    """
    student = bundle.manifest.student
    root = run or Path(student["run"])
    which: Which = student["checkpoint"]
    weights = RunDirectory(root).checkpoint(which) / "model.safetensors"
    if sha256(weights) != student["weights_sha256"]:
        raise BundleError(f"{weights}: trained on since {bundle.root} was exported: export it again, or give --run")
    return load_run(root, which)
