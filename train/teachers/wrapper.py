"""A network around another one: its taps, some of them changed."""

from torch import Tensor

from train.models.network import SegmentationNetwork


class Wrapper(SegmentationNetwork):
    """Shows what the network inside shows; a subclass changes some of it in ``forward``.

    Args:
        network: the one inside. Its modules keep their paths: ``module:PATH`` is asked of it.
        classes: how many there are outside; default: as inside.
    """

    def __init__(self, network: SegmentationNetwork, classes: int | None = None) -> None:
        mean, std = network.mean.flatten().tolist(), network.std.flatten().tolist()
        super().__init__(classes or network.classes, network.multiple, mean, std)
        self.network = network

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        """See `SegmentationNetwork`."""
        return self.network.maps(image, decoded)
