"""Losses are counted against the fp32 graph, and against labels where there are any."""

import numpy as np
import onnx
import pytest

from export.int8.score import Loss, Scorer
from export.manifest import Manifest
from export.pictures import Picture, Pictures
from tests.export.int8.conftest import SIZE, photograph


def test_the_same_graph_loses_nothing(model: onnx.ModelProto, manifest: Manifest, pictures: Pictures) -> None:
    scorer = Scorer.of(model, manifest, pictures, 128, 1)
    assert len(scorer) == 6
    assert scorer.loss(model) == Loss(agreement=0.0, miou=None)


def test_points_are_agreement_without_labels_and_miou_with_them() -> None:
    assert Loss(agreement=3.0, miou=None).points == 3.0
    assert Loss(agreement=3.0, miou=-0.5).points == -0.5
    assert str(Loss(agreement=3.0, miou=0.25)) == "0.25 points of mIoU"
    assert str(Loss(agreement=3.0, miou=None)) == "3.00 points of agreement"


def test_miou_is_lost_where_the_fp32_graph_was_right(
    model: onnx.ModelProto, manifest: Manifest, pictures: Pictures, with_int8, layers
) -> None:
    right = Scorer.of(model, manifest, pictures, 128, 1)
    masks = [scored.reference for scored in right._pictures]
    labelled = Pictures("random", "all", 6, lambda i: Picture(str(i), photograph(100 + i), masks[i]))
    damaged = with_int8(layers)
    loss = Scorer.of(model, manifest, labelled, 128, 1).loss(damaged)
    assert loss.miou is not None
    assert loss.miou > 10
    assert loss.agreement == pytest.approx(right.loss(damaged).agreement)
    # Labels that the damaged graph hits: the loss is a gain.
    wrong = Scorer.of(damaged, manifest, pictures, 128, 1)
    turned = Pictures("r", "all", 6, lambda i: Picture(str(i), photograph(100 + i), wrong._pictures[i].reference))
    gain = Scorer.of(model, manifest, turned, 128, 1).loss(damaged).miou
    assert gain is not None
    assert gain < -10


def test_ignored_labels_are_none(model: onnx.ModelProto, manifest: Manifest) -> None:
    void = np.full(SIZE, 255, np.uint8)
    pictures = Pictures("void", "all", 2, lambda index: Picture(str(index), photograph(index), void))
    assert Scorer.of(model, manifest, pictures, 2, 1).loss(model).miou is None


def test_fewer_pictures_are_spread_evenly(model: onnx.ModelProto, manifest: Manifest) -> None:
    seen: list[int] = []

    def read(index: int) -> Picture:
        seen.append(index)
        return Picture(str(index), photograph(index))

    scorer = Scorer.of(model, manifest, Pictures("random", "all", 12, read), 4, 1)
    assert seen == [0, 3, 6, 9]
    assert len(scorer.part(2)) == 2
    assert len(scorer.part(50)) == 4
