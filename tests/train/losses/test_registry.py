from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from tests.train.losses.views import SHAPES, views
from train.errors import UserError
from train.losses.contract import Needs, Schedule, Views
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.fckd import FckdConfig
from train.losses.kd import KdConfig
from train.losses.mlkd import MlkdConfig
from train.losses.registry import AnyLossConfig, LossSum, combined_needs

LOGITS = frozenset({"logits"})


def test_losses_are_chosen_by_name() -> None:
    configs = TypeAdapter(list[AnyLossConfig]).validate_python(
        [{"name": "cross_entropy"}, {"name": "fckd", "polarity": "uncertain", "weight": 0.5}]
    )
    assert configs == [CrossEntropyConfig(), FckdConfig(polarity="uncertain", weight=0.5)]


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "kd", "temprature": 2},
        {"name": "kdd"},
        {"name": "kd", "temperature": 0},
        {"name": "fckd", "student_tap": "stride"},
    ],
)
def test_a_bad_setting_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnyLossConfig).validate_python(bad)


def test_the_total_is_the_sum_of_the_weighted_terms() -> None:
    losses = LossSum([CrossEntropyConfig(weight=2), KdConfig(weight=0.5), FckdConfig()], SHAPES)
    total, terms = losses(views(), 0, 10)
    assert list(terms) == ["cross_entropy", "kd", "fckd.spatial", "fckd.channel"]
    torch.testing.assert_close(total, torch.stack(list(terms.values())).sum())
    torch.testing.assert_close(terms["kd"], 0.5 * KdConfig().build(SHAPES)(views())["kd"])


def test_a_schedule_scales_the_weight() -> None:
    losses = LossSum([KdConfig(schedule=Schedule(kind="warmup", steps=4))], SHAPES)
    values = [losses(views(), step, 100)[0].item() for step in (0, 1, 4, 50)]
    assert values == pytest.approx([0, values[3] / 4, values[3], values[3]])
    assert values[3] > 0


def test_the_second_loss_of_a_name_is_numbered() -> None:
    losses = LossSum([FckdConfig(), KdConfig(), FckdConfig(kappa=0), FckdConfig(kappa=2)], SHAPES)
    _, terms = losses(views(), 0, 10)
    assert list(terms) == [
        "fckd.spatial",
        "fckd.channel",
        "kd",
        "fckd_2.spatial",
        "fckd_2.channel",
        "fckd_3.spatial",
        "fckd_3.channel",
    ]


def test_adapters_are_its_parameters() -> None:
    losses = LossSum([CrossEntropyConfig(), FckdConfig(on="features")], SHAPES)
    student, teacher = SHAPES.student["fused"].channels, SHAPES.teacher["fused"].channels
    assert sum(parameter.numel() for parameter in losses.parameters()) == student * teacher + 2 * teacher
    assert not list(LossSum([FckdConfig()], SHAPES).parameters())


def test_needs_are_those_of_all_losses_together() -> None:
    assert combined_needs([CrossEntropyConfig()]) == Needs(student=LOGITS, labels=True)
    together = combined_needs([CrossEntropyConfig(), KdConfig(), FckdConfig(on="features", teacher_tap="stride:8")])
    fused = LOGITS | {"fused"}
    assert together == Needs(student=fused, teacher=LOGITS | {"stride:8"}, labels=True, adapter=True)


def test_on_both_frames_a_loss_is_the_mean_of_the_two() -> None:
    seen = views()
    assert seen.neighbour is not None
    second = Views(seen.neighbour.student, seen.neighbour.teacher)
    one, other, both = (
        LossSum([KdConfig(frames=frames)], SHAPES)(of, 0, 1)[0]
        for frames, of in (("key", replace(seen, label=None)), ("key", second), ("both", replace(seen, label=None)))
    )
    torch.testing.assert_close(both, (one + other) / 2)
    assert one != other
    needs = combined_needs([KdConfig(frames="both")])
    assert needs == Needs(student=LOGITS, teacher=LOGITS, neighbour_student=LOGITS, neighbour_teacher=LOGITS)
    assert needs.neighbour


def test_an_image_without_a_label_teaches_losses_that_need_none() -> None:
    seen = views()
    assert seen.label is not None
    losses = LossSum([CrossEntropyConfig(), KdConfig()], SHAPES)
    counts = torch.rand(seen.label.shape) < 0.7
    nothing = replace(seen, label=torch.full_like(seen.label, 255), valid=counts)
    _, terms = losses(nothing, 0, 1)
    assert terms["cross_entropy"] == 0
    _, expected = losses(replace(seen, label=torch.where(counts, 0, 255)), 0, 1)
    torch.testing.assert_close(terms["kd"], expected["kd"])
    assert terms["kd"] > 0


def test_padding_of_the_second_frame_does_not_count() -> None:
    seen = views()
    assert seen.neighbour is not None
    assert seen.neighbour.teacher is not None
    valid = torch.ones(seen.neighbour.visible.shape, dtype=torch.bool)  # type: ignore[union-attr]
    valid[:, :, 12:] = False
    teacher = seen.neighbour.teacher.map(torch.clone)
    teacher.logits[..., 3:] *= -50
    high = MlkdConfig(low_weight=0, mid_weight=0, consistency_weight=0)
    for config in (KdConfig(frames="both"), high):
        one, other, whole = (
            LossSum([config], SHAPES)(replace(seen, neighbour=replace(seen.neighbour, **changes)), 0, 1)[0]
            for changes in ({"valid": valid}, {"valid": valid, "teacher": teacher}, {"teacher": teacher})
        )
        torch.testing.assert_close(one, other)
        assert one != whole


def test_on_both_frames_a_loss_of_labels_is_refused() -> None:
    with pytest.raises(UserError, match=r"cross_entropy: frames: both"):
        combined_needs([CrossEntropyConfig(frames="both")])


def test_no_loss_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="losses"):
        LossSum([], SHAPES)
