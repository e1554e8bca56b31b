from pathlib import Path

from export.student import describe_teacher
from train.checkpoint import TrainedNetwork
from train.config import RunConfig
from train.models.build import build_model
from train.models.config import ModelConfig


def test_a_teacher_of_any_kind_is_on_record() -> None:
    network = build_model(ModelConfig(encoder="lcnet_035"), 2)

    def described(**teacher: object) -> object:
        config = RunConfig.model_validate({"name": "a", "teacher": teacher or None})
        return describe_teacher(TrainedNetwork(network, config, 1))

    assert described(kind="onnx", path=Path("t.onnx"), flip=True) == {"kind": "onnx", "path": "t.onnx", "flip": True}
    assert described(run="runs/gone") == {"run": "runs/gone", "checkpoint": "best", "model": None}
    assert described() is None
