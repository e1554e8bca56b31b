import math

import pytest
import torch

from tests.train.teachers.tables import Table
from train.data.batches import Batch
from train.errors import UserError
from train.losses.contract import LossConfig, Views
from train.losses.counted import counted
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.dkd import DkdConfig
from train.losses.kd import KdConfig
from train.models.taps import Taps
from train.teachers.class_map import ClassMap, ClassMapped, left_out, resolve_class_map, without_unknown

THEIRS = ["road", "lane", "person", "rider", "moon"]
OURS = ["road", "human", "tram"]
MAP = {"lane": "road", "person": "human", "rider": "human", "moon": None}


def test_probabilities_of_merged_classes_add_up() -> None:
    class_map = resolve_class_map(MAP, THEIRS, OURS, "it")
    assert class_map == ClassMap(((0, 1), (2, 3), ()))
    logits = torch.randn(2, 5, 3, 4)
    merged = class_map.merge(logits)
    theirs = logits[:, :4].softmax(dim=1)  # without the moon
    ours = merged[:, :2].softmax(dim=1)
    torch.testing.assert_close(ours[:, 0], theirs[:, 0] + theirs[:, 1])
    torch.testing.assert_close(ours[:, 1], theirs[:, 2] + theirs[:, 3])


def test_a_class_that_it_does_not_know_is_never_its_choice() -> None:
    merged = resolve_class_map(MAP, THEIRS, OURS, "it").merge(100 * torch.randn(2, 5, 3, 4))
    assert (merged[:, :2].amin(dim=1) - merged[:, 2] > math.log(1000)).all()
    assert torch.isfinite(merged).all()
    assert merged.argmax(dim=1).max() < 2


def test_a_network_shows_the_mapped_logits_and_its_own_features() -> None:
    inner = Table(torch.randn(1, 5, 4, 4))
    outer = ClassMapped(inner, resolve_class_map(MAP, THEIRS, OURS, "it"))
    shown = outer(torch.zeros(1, 3, 8, 8), frozenset({"fused", "module:identity"}))
    assert outer.classes == 3
    assert shown.logits.shape == (1, 3, 4, 4)
    assert torch.equal(shown.fused, inner.table)
    assert torch.equal(shown["module:identity"], inner.table)


def test_what_is_left_out_is_said() -> None:
    class_map = resolve_class_map(MAP, THEIRS, OURS, "it")
    unused, unknown = left_out(class_map, THEIRS, OURS)
    assert unused == "teacher: left out, for the data has no such class: moon"
    assert "knows nothing of tram" in unknown
    assert class_map.unknown == {2}
    alone = resolve_class_map({**MAP, "person": None, "rider": None}, THEIRS, OURS, "it")
    assert "with one class alone its logits decide nothing" in left_out(alone, THEIRS, OURS)[-1]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"rod": "road"}, "'rod' is no class of it: did you mean 'road'?"),
        ({"moon": "treem"}, "'treem' is no class of the data: "),
        (dict.fromkeys(THEIRS), "no class of it becomes one of the data's"),
    ],
)
def test_a_map_that_cannot_be(given: dict[str, str | None], reason: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_class_map(given, THEIRS, OURS, "it")
    assert reason in str(caught.value)


def test_pixels_of_an_unknown_class_do_not_count_for_the_teacher() -> None:
    label = torch.tensor([[[0, 2, 255, 1]]], dtype=torch.uint8)
    batch = Batch(image=torch.zeros(1, 3, 1, 4, dtype=torch.uint8), label=label, valid=label != 255)
    changed = without_unknown(batch, frozenset({2}))
    assert changed.valid is not None
    assert changed.valid.tolist() == [[[True, False, False, True]]]
    assert changed.label is label
    assert without_unknown(batch, frozenset()) is batch


@pytest.mark.parametrize("loss", [KdConfig(), DkdConfig(), CrossEntropyConfig()], ids=lambda loss: loss.name)
def test_losses_that_listen_to_a_teacher_do_not_look_there(loss: LossConfig) -> None:
    label = torch.tensor([[[0, 2], [255, 1]]], dtype=torch.uint8)
    valid = (label != 255) & (label != 2)
    seen = counted(Views(student=Taps({}), label=label, valid=valid), loss, 0.0).label
    assert seen is not None
    listens = loss.needs.teacher
    assert ((seen != 255) == (valid if listens else label != 255)).all()
