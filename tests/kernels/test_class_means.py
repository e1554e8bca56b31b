import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import class_means
from kernels.class_means import reference_class_means

CLASSES = 4


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def label() -> Tensor:
    label = torch.randint(0, CLASSES - 1, (2, 4, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    label[:, :1, :3] = 255
    return label


def test_means_are_those_of_the_pixels_of_a_class_in_an_image(label: Tensor) -> None:
    features = randn(1, 2, 3, 4, 5)
    mean, cosine = class_means(features, label, CLASSES)
    for n in range(2):
        for k in range(CLASSES):
            pixels = features[n][:, label[n] == k]
            expected = pixels.mean(1) if pixels.shape[1] else torch.zeros(3, dtype=torch.float64)
            torch.testing.assert_close(mean[n, k], expected)
            similarity = F.cosine_similarity(pixels, expected[:, None], dim=0)
            torch.testing.assert_close(cosine[n][label[n] == k], similarity)
    assert not cosine[label == 255].any()


def test_agrees_with_the_loop_over_classes(label: Tensor) -> None:
    student = randn(1, 2, 3, 4, 5).requires_grad_()
    found, expected = class_means(student, label, CLASSES), reference_class_means(student, label, CLASSES)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
        gradients = [torch.autograd.grad(m.square().sum(), student, retain_graph=True)[0] for m in (one, other)]
        torch.testing.assert_close(*gradients)


def test_gradient_is_that_of_the_value(label: Tensor) -> None:
    features = randn(1, 2, 3, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda features: tuple(class_means(features, label, CLASSES)), features)


def test_labels_of_another_size_are_refused(label: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 8, 10\).*\(2, 4, 5\)"):
        class_means(randn(1, 2, 3, 8, 10), label, CLASSES)
