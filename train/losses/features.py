"""Where losses on features listen."""

from pydantic import Field

from train.losses.contract import LossConfig
from train.models.taps import Tap

_WHERE = "logits, fused, pre_classifier, stride:S (deepest encoder stage of at most that stride) or module:PATH"


class FeatureLossConfig(LossConfig):
    """Settings of losses between one map of the student and one of the teacher."""

    student_tap: Tap = Field(default="fused", description=f"which map of the student: {_WHERE}")
    teacher_tap: Tap = Field(default="fused", description=f"which map of the teacher: {_WHERE}")
