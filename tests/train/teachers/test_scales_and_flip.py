import torch

from tests.train.teachers.tables import Bright, Table
from train.teachers.scales_and_flip import ScalesAndFlip

IMAGE = torch.randint(0, 256, (2, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_what_is_the_same_at_every_size_stays() -> None:
    inner = Table(torch.randn(1, 3, 1, 1).expand(1, 3, 4, 6).contiguous())
    shown = ScalesAndFlip(inner, [0.5, 1.5], flip=True)(IMAGE)
    torch.testing.assert_close(shown.logits.softmax(dim=1), inner.table.expand(2, -1, -1, -1).softmax(dim=1))
    assert inner.seen == 2 * 3 * 2  # images, sizes, mirrored


def test_probabilities_of_both_views_are_averaged_where_they_belong() -> None:
    lopsided = Table(torch.randn(1, 3, 4, 6))  # says the same of a mirrored image
    shown = ScalesAndFlip(lopsided, [], flip=True)(IMAGE)
    probabilities = lopsided.table.softmax(dim=1)
    expected = (probabilities + probabilities.flip(-1)) / 2
    torch.testing.assert_close(shown.logits.softmax(dim=1), expected.expand(2, -1, -1, -1))
    right = Bright(torch.ones(1, 2, 1, 1))  # says of a mirrored image what it says of the image, mirrored
    torch.testing.assert_close(
        ScalesAndFlip(right, [], flip=True)(IMAGE).logits.softmax(dim=1), right(IMAGE).logits.softmax(dim=1)
    )


def test_other_taps_are_of_the_image_as_it_is() -> None:
    inner = Table(torch.randn(1, 3, 4, 6))
    network = ScalesAndFlip(inner, [2.0], flip=True)
    shown = network(IMAGE, frozenset({"fused", "stride:2", "module:identity"}))
    assert torch.equal(shown.fused, inner.table.expand(2, -1, -1, -1))
    assert shown["stride:2"].shape == (2, 3, 8, 12)
    assert shown["module:identity"].shape == (2, 3, 4, 6)
    assert inner.seen == 2  # once: nobody asked for logits
