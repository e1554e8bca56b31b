"""Images without a label among labelled ones: what each loss sees of them."""

from dataclasses import replace

import pytest
import torch

from tests.train.losses.cases import CASES, named
from tests.train.losses.views import SHAPES, assert_same, each_tensor, total_and_gradients, views
from train.errors import UserError
from train.losses.contract import Views
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.cskd import CskdConfig
from train.losses.kd import KdConfig
from train.losses.registry import LossSum
from train.models.taps import Taps


def mixed(labelled: int, images: int) -> Views:
    """Views of which only the first images have a label; every pixel of the others may count."""
    seen = views(images)
    assert seen.label is not None
    has_label = torch.arange(images) < labelled
    label = torch.where(has_label[:, None, None], seen.label, 255)
    valid = (seen.label != 255) | ~has_label[:, None, None]
    return replace(seen, label=label, valid=valid, labelled=has_label)


def first(images: int, seen: Views) -> Views:
    return replace(each_tensor(seen, lambda tensor: tensor[:images]), valid=None, labelled=None)


@pytest.mark.parametrize("name", CASES)
def test_an_image_of_which_nothing_counts_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    config = CASES[name].config
    loss, images = config.build(SHAPES).double().eval(), max(2, config.least_images)
    seen = mixed(images, images + 1)
    total, gradients = total_and_gradients(loss, seen)
    assert not any(gradient[images:].any() for gradient in gradients[: len(seen.student.maps)])
    expected = total_and_gradients(loss, first(images, seen))
    assert_same((total, [gradient[:images] for gradient in gradients]), expected)


@pytest.mark.parametrize("mode", ["released", "debiased"])
def test_too_few_images_of_a_batch_have_no_alignment(mode: str) -> None:
    config = CskdConfig(mode=mode, cwd_weight=0)  # type: ignore[arg-type]
    total, gradients = total_and_gradients(config.build(SHAPES).double().eval(), mixed(1, config.least_images))
    assert total == 0
    assert not any(gradient.any() for gradient in gradients)


def test_labels_teach_on_labelled_images_and_the_teacher_on_all() -> None:
    losses = LossSum([CrossEntropyConfig(), KdConfig()], SHAPES).double()
    seen = mixed(2, 4)
    _, terms = losses(seen, 0, 1)
    _, of_labelled = losses(first(2, seen), 0, 1)
    torch.testing.assert_close(terms["cross_entropy"], of_labelled["cross_entropy"])
    _, alone = LossSum([KdConfig()], SHAPES).double()(replace(seen, label=None, labelled=None), 0, 1)
    torch.testing.assert_close(terms["kd"], alone["kd"])
    assert not torch.allclose(terms["kd"], of_labelled["kd"])


def test_a_loss_may_count_on_either_part_alone() -> None:
    configs = [KdConfig(images="labelled"), KdConfig(images="unlabelled", weight=3), KdConfig()]
    seen = mixed(2, 4)
    _, terms = LossSum(configs, SHAPES).double()(seen, 0, 1)
    _, of_labelled = LossSum([KdConfig()], SHAPES).double()(first(2, seen), 0, 1)
    torch.testing.assert_close(terms["kd"], of_labelled["kd"])
    assert seen.valid is not None
    labelled, unlabelled = ((seen.valid[part][:, 2::4, 2::4]).sum() for part in (slice(0, 2), slice(2, 4)))
    mean = (labelled * terms["kd"] + unlabelled * terms["kd_2"] / 3) / (labelled + unlabelled)
    torch.testing.assert_close(terms["kd_3"], mean)


def test_a_loss_that_needs_labels_cannot_count_on_images_without() -> None:
    with pytest.raises(UserError, match="losses: cross_entropy: images: unlabelled: it needs labels"):
        LossSum([CrossEntropyConfig(images="unlabelled")], SHAPES)


def test_what_the_teacher_is_not_sure_of_does_not_count_where_there_is_no_label() -> None:
    seen = mixed(2, 4)
    assert seen.teacher is not None
    losses = LossSum([KdConfig()], SHAPES, confidence=0.9).double()
    assert "logits" in losses.needs.teacher
    leaf = seen.student.logits.clone().requires_grad_()
    total, _ = losses(replace(seen, student=Taps({**seen.student.maps, "logits": leaf})), 0, 1)
    (gradient,) = torch.autograd.grad(total, leaf)
    sure = seen.teacher.logits.softmax(1).amax(1) >= 0.9
    counts = gradient.abs().sum(1) > 0
    assert 0 < sure[2:].sum() < sure[2:].numel()
    # A cell's centre lies between the pixels that its confidence was interpolated to: near the floor either may hold.
    differs = counts[2:] != sure[2:]
    assert differs.float().mean() < 0.1
    assert counts[:2].float().mean() > sure[:2].float().mean() + 0.1


def test_every_loss_that_needs_no_label_counts_images_without_one() -> None:
    for name in named(no_valid_is_zero=True):
        config = CASES[name].config
        if not config.needs.labels:
            torch.manual_seed(0)
            loss = LossSum([config], SHAPES).double().eval()
            total, terms = loss(mixed(0, max(2, config.least_images)), 0, 1)
            assert total > 0, name
            assert all(term.isfinite() for term in terms.values())
