"""All losses by name, and the sum of those of a run."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from train.errors import UserError
from train.losses.contract import FusedChannels, Loss
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.fckd import FckdConfig
from train.losses.kd import KdConfig
from train.models.taps import Taps

AnyLossConfig = Annotated[CrossEntropyConfig | KdConfig | FckdConfig, Field(discriminator="name")]


class LossSum(nn.Module):
    """The losses of a run, each with its weight and schedule.

    Args:
        configs: one a loss; the second of the same name is called ``name_2``, and so on.
        channels: of the fused maps; None where there is no teacher.
    """

    def __init__(self, configs: Sequence[AnyLossConfig], channels: FusedChannels | None) -> None:
        super().__init__()
        if not configs:
            raise UserError("losses: the list is empty, nothing would be learnt: add cross_entropy")
        self.configs = dict(zip(_keys(configs), configs, strict=True))
        self.losses = nn.ModuleDict({key: config.build(channels) for key, config in self.configs.items()})

    @property
    def needs_teacher(self) -> bool:
        """Whether any loss listens to the teacher."""
        return any(loss.needs.teacher for loss in self.losses.values() if isinstance(loss, Loss))

    def forward(
        self, student: Taps, teacher: Taps | None, label: Tensor | None, step: int, total_steps: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The total and its weighted terms by name, all scalars; the gradient flows through the total.

        Args:
            student: what the student shows.
            teacher: what the teacher shows; None only where `needs_teacher` is False.
            label: ``(N, H, W)`` at the resolution of the images, 255 = ignore; None: no pixel is known to be labelled.
            step: of the optimizer, counted from 0, for the schedules.
            total_steps: of the run.
        """
        terms: dict[str, Tensor] = {}
        for key, config in self.configs.items():
            factor = config.weight * config.schedule.factor(step, total_steps)
            for term, value in self.losses[key](student, teacher, label).items():
                terms[key + term.removeprefix(config.name)] = factor * value
        return sum(terms.values(), next(iter(terms.values())).new_zeros(())), terms


def _keys(configs: Sequence[AnyLossConfig]) -> list[str]:
    names = [config.name for config in configs]
    counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [name if count == 1 else f"{name}_{count}" for name, count in zip(names, counts, strict=True)]
