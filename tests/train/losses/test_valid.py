import torch

from train.losses.valid import mean_over, valid_at


def test_a_cell_counts_where_the_label_at_its_centre_does() -> None:
    label = torch.zeros(1, 6, 9, dtype=torch.uint8)
    label[0, 1, 1] = 255  # a centre
    label[0, 3, 3] = 255  # a corner
    assert valid_at(label, torch.zeros(1, 7, 2, 3)).tolist() == [[[False, True, True], [True, True, True]]]


def test_without_labels_every_pixel_counts() -> None:
    assert valid_at(None, torch.zeros(2, 7, 3, 5)).sum() == 2 * 3 * 5


def test_the_mean_is_over_the_valid_pixels_of_the_batch_whatever_stands_at_the_others() -> None:
    values = torch.tensor([[[1.0, torch.inf]], [[5.0, 3.0]]])
    assert mean_over(torch.tensor([[[True, False]], [[True, True]]]), values) == 3


def test_the_mean_over_nothing_is_zero_and_so_is_its_gradient() -> None:
    values = torch.full((1, 2, 2), torch.inf, requires_grad=True)
    mean = mean_over(torch.zeros(1, 2, 2, dtype=torch.bool), values)
    mean.backward()
    assert mean == 0
    assert values.grad is not None
    assert not values.grad.any()
