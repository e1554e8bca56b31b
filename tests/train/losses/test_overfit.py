"""Each loss alone, for sixty steps on one batch of real networks: it must fall."""

import pytest
import torch

from tests.train.models.test_smp import small
from train.data.batches import Batch
from train.losses.contract import LossConfig
from train.losses.registry import LOSSES, LossSum
from train.models.network import SegmentationNetwork
from train.models.tap_shapes import TapShapes, tap_shapes
from train.views import views

STEPS, SIDE, IMAGES = 60, 32, 4
# (at the end) / (at the start), means of five steps: where another minimum than 0 is documented, it falls less far.
REACHES = {"cross_entropy": 0.5}
SETTINGS = {
    # The published memory is most of the time, and no pixel of this batch more.
    "cirkd": {"pixel_memory": 200, "region_memory": 50, "pixel_contrast": 100, "region_contrast": 50},
    # Classes change every eight pixels: a map of stride 8 cannot show where.
    "boundary": {"student_tap": "stride:2"},
}


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, IMAGES, 3, SIDE // 8, SIDE // 8), generator=generator, dtype=torch.uint8)
    image, neighbour = frames.repeat_interleave(8, -2).repeat_interleave(8, -1)
    label = torch.randint(0, 5, (IMAGES, SIDE // 8, SIDE // 8), generator=generator, dtype=torch.uint8)
    label = label.repeat_interleave(8, -2).repeat_interleave(8, -1)
    label[:, :2] = 255
    flow, visible = torch.zeros(IMAGES, 2, SIDE, SIDE), torch.ones(IMAGES, SIDE, SIDE, dtype=torch.bool)
    return Batch(image, label, neighbour, flow, visible)


@pytest.fixture(scope="module")
def teacher() -> SegmentationNetwork:
    torch.manual_seed(1)
    network = small("fpn")
    network.train()
    for _ in range(5):  # running statistics that suit its weights
        network(batch().image)
    # A teacher that has learnt nothing is unsure of everything: sharper logits teach.
    torch.nn.init.normal_(network.classifier.weight, std=1.0)  # type: ignore[arg-type]
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.model_fields["name"].default)
def test_each_loss_alone_falls(loss: type[LossConfig], teacher: SegmentationNetwork) -> None:
    torch.manual_seed(0)
    name = str(loss.model_fields["name"].default)
    student, config = small("deeplabv3plus"), loss.model_validate(SETTINGS.get(name, {}))
    needs = config.needs
    shapes = TapShapes(
        classes=5,
        student=tap_shapes(student, needs.student | needs.neighbour_student),
        teacher=tap_shapes(teacher, needs.teacher | needs.neighbour_teacher),
    )
    losses = LossSum([config], shapes)  # type: ignore[list-item]
    optimizer = torch.optim.AdamW([*student.parameters(), *losses.parameters()], lr=3e-3)
    values = []
    for step in range(STEPS):
        total, _ = losses(views(batch(), student, teacher, needs), step, STEPS)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        values.append(total.item())
    first, last = sum(values[:5]) / 5, sum(values[-5:]) / 5
    assert last < REACHES.get(name, 0.8) * first, (first, last)
