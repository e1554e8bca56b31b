import io
import math
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from tests.train.losses.views import CLASSES, SHAPES, views
from train.errors import UserError
from train.losses.cirkd import Cirkd, CirkdConfig
from train.losses.contract import Needs, Views
from train.models.taps import Taps

FUSED = frozenset({"fused"})
SMALL = CirkdConfig(pixel_memory=6, region_memory=5)
Vectors = list[list[float]]


def built(config: CirkdConfig) -> Cirkd:
    torch.manual_seed(0)
    return config.build(SHAPES).double()


def unit(features: Tensor, valid: Tensor) -> Vectors:
    """The features ``(D, H, W)`` of the valid pixels, at length 1; a ReLU may leave nothing of one."""
    pixels: Vectors = [features[:, y, x].tolist() for y, x in valid.nonzero().tolist()]
    return [[v / max(math.hypot(*pixel), 1e-12) for v in pixel] for pixel in pixels]


def rows_kl(
    teacher: Vectors, student: Vectors, teacher_keys: Vectors, student_keys: Vectors, tau: float
) -> list[float]:
    """KL of the softmax over keys of each pixel."""

    def softmax(query: list[float], keys: Vectors) -> list[float]:
        scores = [math.exp(sum(a * b for a, b in zip(query, key, strict=True)) / tau) for key in keys]
        return [score / sum(scores) for score in scores]

    divergences = []
    for t, s in zip(teacher, student, strict=True):
        pairs = zip(softmax(t, teacher_keys), softmax(s, student_keys), strict=True)
        divergences.append(sum(p * math.log(p / q) for p, q in pairs))
    return divergences


def seen_and_valid() -> tuple[Views, Tensor]:
    seen = views()
    assert seen.label is not None
    return seen, seen.label[:, 2::4, 2::4] != 255


@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_value_in_the_batch_is_that_of_the_formula(tau: float) -> None:
    seen, valid = seen_and_valid()
    assert seen.teacher is not None
    s, t = ([unit(m, v) for m, v in zip(of["fused"], valid, strict=True)] for of in (seen.student, seen.teacher))
    images = range(len(valid))
    # A step further around the batch at a time: all queries have the same share in it.
    means = []
    for step in images:
        found = [rows_kl(t[n], s[n], t[(n - step) % len(t)], s[(n - step) % len(s)], tau) for n in images]
        means.append(sum(map(sum, found)) / sum(map(len, found)))
    loss = built(CirkdConfig(temperature=tau, batch_weight=0.5, pixel_weight=0, region_weight=0))
    assert loss(seen)["cirkd.batch"].item() == pytest.approx(0.5 * sum(means) / len(means), rel=1e-9)


def test_pooled_cells_are_the_means_of_their_valid_pixels() -> None:
    (seen, valid), config = seen_and_valid(), CirkdConfig(pixel_weight=0, region_weight=0)
    assert seen.teacher is not None
    valid[0, :3, :3] = False

    def pooled(features: Tensor) -> Tensor:
        cells = torch.zeros(*features.shape[:2], 3, 2, dtype=features.dtype)
        for n, y, x in valid.nonzero().tolist():
            count = valid[n, y // 3 * 3 : y // 3 * 3 + 3, x // 3 * 3 : x // 3 * 3 + 3].sum()
            cells[n, :, y // 3, x // 3] += features[n, :, y, x] / count
        return cells

    label = torch.where(valid, 0, 255).repeat_interleave(4, 1).repeat_interleave(4, 2)
    found = built(config.model_copy(update={"pool": 3}))(replace(seen, label=label))["cirkd.batch"]
    empty = torch.zeros(4, 3, 2, dtype=torch.uint8)
    empty[0, 0, 0] = 255
    expected = built(config)(
        Views(Taps({"fused": pooled(seen.student["fused"])}), Taps({"fused": pooled(seen.teacher["fused"])}), empty)
    )
    torch.testing.assert_close(found, expected["cirkd.batch"])


def test_value_of_the_memory_is_that_of_the_formula() -> None:
    (seen, valid), loss = seen_and_valid(), built(SMALL).eval()
    assert seen.teacher is not None
    assert loss.projection is not None
    assert loss.pixels is not None
    assert loss.regions is not None
    shown, terms = loss.projection(seen.student["fused"]), loss(seen)
    for name, bank in (("cirkd.pixel", loss.pixels), ("cirkd.region", loss.regions)):
        keys, found = bank.embeddings.flatten(0, 1).tolist(), []
        for n in range(len(valid)):
            found += rows_kl(unit(seen.teacher["fused"][n], valid[n]), unit(shown[n], valid[n]), keys, keys, 0.1)
        assert terms[name].item() == pytest.approx(0.1 * sum(found) / len(found), rel=1e-9)


def test_regions_are_the_means_of_the_classes_of_each_image() -> None:
    (seen, _), loss = seen_and_valid(), built(CirkdConfig(region_memory=4, pixel_weight=0)).train()
    assert seen.teacher is not None
    assert seen.label is not None
    assert loss.regions is not None
    loss(seen)
    for n, label in enumerate(seen.label[:, 2::4, 2::4]):
        for k in range(CLASSES):
            pixels = unit(seen.teacher["fused"][n], label == k)
            mean = [sum(values) for values in zip(*pixels, strict=True)]
            expected = torch.tensor(mean, dtype=torch.float64) / math.hypot(*mean)
            torch.testing.assert_close(loss.regions.embeddings[k, n], expected)


def test_pixels_are_some_of_their_class_and_not_always_the_same() -> None:
    (seen, _), config = seen_and_valid(), CirkdConfig(pixel_memory=8, pixels_per_image=2, region_weight=0)
    assert seen.teacher is not None
    assert seen.label is not None
    ids, held = seen.label[:, 2::4, 2::4], []
    for seed in (0, 1):
        loss = built(config.model_copy(update={"seed": seed})).train()
        assert loss.pixels is not None
        loss(seen)
        held.append(loss.pixels.embeddings)
        for k in range(CLASSES):
            images = [unit(m, label == k) for m, label in zip(seen.teacher["fused"], ids, strict=True)]
            found = {tuple(round(v, 9) for v in pixel) for pixel in loss.pixels.embeddings[k].tolist()}
            assert len(found) == 8
            for pixels in images:
                assert len(found & {tuple(round(v, 9) for v in pixel) for pixel in pixels}) == 2
    assert not torch.equal(*held)


def test_a_resumed_run_remembers_what_the_uninterrupted_one_would_have() -> None:
    (seen, _), loss, file = seen_and_valid(), built(SMALL).train(), io.BytesIO()
    loss(seen)
    torch.save(loss.state_dict(), file)
    resumed = SMALL.build(SHAPES).double().train()
    resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    for _ in range(2):
        uninterrupted, again = loss(seen), resumed(seen)
        assert all(torch.equal(again[name], value) for name, value in uninterrupted.items())
    assert all(torch.equal(resumed.state_dict()[key], v) for key, v in loss.state_dict().items() if "bank" in key)


def test_evaluation_remembers_nothing() -> None:
    (seen, _), loss = seen_and_valid(), built(SMALL).eval()
    assert loss.pixels is not None
    before = loss.pixels.embeddings.clone()
    first, second = loss(seen), loss(seen)
    assert all(torch.equal(second[name], value) for name, value in first.items())
    assert torch.equal(loss.pixels.embeddings, before)


def test_an_unlabelled_batch_is_left_out_of_the_memory() -> None:
    (seen, _), loss = seen_and_valid(), built(SMALL).train()
    assert seen.label is not None
    assert loss.pixels is not None
    before = loss.pixels.embeddings.clone()
    terms = loss(replace(seen, label=torch.full_like(seen.label, 255)))
    assert not any(terms.values())
    assert torch.equal(loss.pixels.embeddings, before)


def test_needs_follow_the_memory() -> None:
    assert SMALL.needs == Needs(FUSED, FUSED, labels=True, adapter=True, memory_bank=True)
    assert CirkdConfig(pixel_weight=0, region_weight=0).needs == Needs(FUSED, FUSED)


def test_the_batch_alone_needs_no_labels_and_the_memory_does() -> None:
    seen = replace(seen_and_valid()[0], label=None)
    assert built(CirkdConfig(pixel_weight=0, region_weight=0))(seen)["cirkd.batch"] > 0
    with pytest.raises(UserError, match="cirkd needs labels"):
        built(SMALL)(seen)


def test_no_term_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="all three weights are 0"):
        CirkdConfig(batch_weight=0, pixel_weight=0, region_weight=0)
