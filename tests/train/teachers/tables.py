"""A network whose logits are given."""

from torch import Tensor, nn

from train.models.network import SegmentationNetwork


class Table(SegmentationNetwork):
    """Says the same of every image, or ``say`` of it; counts how many it has seen."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(table.shape[1], 4, [0.0] * 3, [1.0] * 3)
        self.table = nn.Parameter(table, requires_grad=False)
        self.identity = nn.Identity()
        self.seen = 0

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:  # noqa: ARG002
        self.seen += len(image)
        logits = self.identity(self.say(image))
        return {"stride:2": image[:, :, ::2, ::2], "fused": logits, "logits": logits}

    def say(self, image: Tensor) -> Tensor:
        return self.table.expand(len(image), -1, -1, -1)


class Bright(Table):
    """Two classes: the brightness of its cell of 4 x 4 pixels, and the table's first number."""

    def say(self, image: Tensor) -> Tensor:
        cells = nn.functional.avg_pool2d(image, 4).mean(dim=1, keepdim=True) / 64
        return nn.functional.pad(cells, (0, 0, 0, 0, 0, 1), value=float(self.table.flatten()[0]))
