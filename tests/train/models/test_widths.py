"""Channels in a config, as a person might have changed them."""

import pytest

from tests.train.models.test_smp import small
from train.errors import UserError
from train.models.widths import narrow, widths

LAYER = "decoder.aspp.0.convs.0.0"


def test_numbers_build_the_network_that_they_describe() -> None:
    network = small("deeplabv3plus")
    narrow(network, {LAYER: 8})
    assert widths(network, small("deeplabv3plus")) == {LAYER: 8}


@pytest.mark.parametrize(
    ("channels", "says"),
    [
        ({"encoder.nothing": 8}, "no layer 'encoder.nothing'"),
        ({LAYER: 4096}, f"'{LAYER}' has 32 channels, not 4096"),
    ],
)
def test_numbers_that_do_not_fit_are_said(channels: dict[str, int], says: str) -> None:
    with pytest.raises(UserError, match=says):
        narrow(small("deeplabv3plus"), channels)
