import pytest
import torch
from torch.nn import functional as F

from tests.train.losses.views import SHAPES
from train.errors import UserError
from train.losses.contract import Views
from train.losses.cross_entropy import CrossEntropyConfig
from train.models.taps import Taps

LABEL = torch.tensor([[[0, 2, 255], [1, 1, 0]]], dtype=torch.uint8)


def taps(aux: torch.Tensor | None = None) -> Taps:
    logits = torch.randn(1, 3, 2, 3, generator=torch.Generator().manual_seed(0))
    return Taps({"fused": logits, "logits": logits} | ({} if aux is None else {"aux": aux}))


def test_an_auxiliary_head_adds_a_term_with_its_own_factor() -> None:
    aux = torch.randn(1, 3, 2, 3, generator=torch.Generator().manual_seed(1))
    terms = CrossEntropyConfig(aux_weight=0.25).build(SHAPES)(Views(taps(aux), None, LABEL))
    expected = 0.25 * F.cross_entropy(aux, LABEL.long(), ignore_index=255)
    torch.testing.assert_close(terms["cross_entropy.aux"], expected)
    torch.testing.assert_close(terms["cross_entropy"], F.cross_entropy(taps().logits, LABEL.long(), ignore_index=255))


def test_without_an_auxiliary_head_there_is_one_term() -> None:
    assert list(CrossEntropyConfig().build(SHAPES)(Views(taps(), None, LABEL))) == ["cross_entropy"]


def test_labels_are_asked_for() -> None:
    with pytest.raises(UserError, match="cross_entropy needs labels"):
        CrossEntropyConfig().build(SHAPES)(Views(taps(), None, None))


def test_labels_of_another_batch_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(1, 3, 2, 3\).*\(2, 2, 3\)"):
        CrossEntropyConfig().build(SHAPES)(Views(taps(), None, LABEL.repeat(2, 1, 1)))
