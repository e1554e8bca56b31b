"""All losses by name, and the sum of those of a run."""

from collections.abc import Sequence
from typing import Annotated, get_args

from pydantic import Field
from torch import Tensor, nn

from train.errors import UserError
from train.losses.afd import AfdConfig
from train.losses.at import AtConfig
from train.losses.boundary import BoundaryConfig
from train.losses.bpkd import BpkdConfig
from train.losses.cirkd import CirkdConfig
from train.losses.contract import LOGITS, NOTHING, LossConfig, Needs, Views, label_of
from train.losses.counted import counted
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.cskd import CskdConfig
from train.losses.cwd import CwdConfig
from train.losses.dist import DistConfig
from train.losses.dkd import DkdConfig
from train.losses.fckd import FckdConfig
from train.losses.fitnet import FitnetConfig
from train.losses.ifvd import IfvdConfig
from train.losses.kd import KdConfig
from train.losses.mgd import MgdConfig
from train.losses.mlkd import MlkdConfig
from train.losses.pfs import PfsConfig
from train.losses.skd_pair import SkdPairConfig
from train.losses.wkd import WkdConfig
from train.models.tap_shapes import TapShapes

AnyLossConfig = Annotated[
    CrossEntropyConfig
    | KdConfig
    | FckdConfig
    | PfsConfig
    | WkdConfig
    | CskdConfig
    | MlkdConfig
    | FitnetConfig
    | AtConfig
    | SkdPairConfig
    | IfvdConfig
    | CwdConfig
    | CirkdConfig
    | DistConfig
    | DkdConfig
    | BpkdConfig
    | MgdConfig
    | AfdConfig
    | BoundaryConfig,
    Field(discriminator="name"),
]

LOSSES: tuple[type[LossConfig], ...] = get_args(get_args(AnyLossConfig)[0])


def combined_needs(configs: Sequence[AnyLossConfig]) -> Needs:
    """What all these losses need together."""
    needs = Needs(student=frozenset())
    for config in configs:
        own = config.needs
        if config.images == "unlabelled" and own.labels:
            raise UserError(
                f"losses: {config.name}: images: unlabelled: it needs labels: use another loss, or all images"
            )
        if config.frames == "both":
            if own.labels:
                raise UserError(f"losses: {config.name}: frames: both: the second frame has no label: use frames: key")
            if own.neighbour:
                raise UserError(
                    f"losses: {config.name}: frames: both: it compares two frames as it is: use frames: key, and an "
                    "entry of its own for what is to be taken on both"
                )
            own |= Needs(student=frozenset(), neighbour_student=own.student, neighbour_teacher=own.teacher)
        needs |= own
    return needs


class LossSum(nn.Module):
    """The losses of a run, each with its weight and schedule.

    Args:
        configs: one a loss; the second of the same name is called ``name_2``, and so on.
        shapes: of the maps that they need.
        confidence: what `counted` asks of the teacher where an image has no label.
    """

    def __init__(self, configs: Sequence[AnyLossConfig], shapes: TapShapes, confidence: float = 0.0) -> None:
        super().__init__()
        if not configs:
            raise UserError("losses: the list is empty, nothing would be learnt: add cross_entropy")
        self.configs = dict(zip(_keys(configs), configs, strict=True))
        self.confidence = confidence
        self.needs = combined_needs(configs)
        if confidence:
            self.needs |= Needs(NOTHING, LOGITS, neighbour_teacher=LOGITS if self.needs.neighbour_teacher else NOTHING)
        self.losses = nn.ModuleDict({key: config.build(shapes) for key, config in self.configs.items()})

    def forward(self, views: Views, step: int, total_steps: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The total and its weighted terms by name, all scalars; the gradient flows through the total.

        Args:
            views: what the losses asked for.
            step: of the optimizer, counted from 0, for the schedules.
            total_steps: of the run.
        """
        terms: dict[str, Tensor] = {}
        for key in self.configs:
            terms |= self.terms(key, views, step, total_steps)
        return sum(terms.values(), next(iter(terms.values())).new_zeros(())), terms

    def terms(self, key: str, views: Views, step: int, total_steps: int) -> dict[str, Tensor]:
        """The weighted terms of one of the losses."""
        config, loss = self.configs[key], self.losses[key]
        factor = config.weight * config.schedule.factor(step, total_steps)
        views = counted(views, config, self.confidence)
        terms: dict[str, Tensor] = loss(views)
        if config.frames == "both":
            terms = _mean(terms, loss(_other_frame(key, views)))
        return {key + term.removeprefix(config.name): factor * value for term, value in terms.items()}


def _other_frame(loss: str, views: Views) -> Views:
    if views.neighbour is None:
        raise UserError(f"loss {loss} with frames: both needs a second frame, and the batch has none")
    return Views(views.neighbour.student, views.neighbour.teacher, label_of(views.neighbour.valid))


def _mean(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, Tensor]:
    return {term: (value + other[term]) / 2 for term, value in one.items()}


def _keys(configs: Sequence[AnyLossConfig]) -> list[str]:
    names = [config.name for config in configs]
    counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [name if count == 1 else f"{name}_{count}" for name, count in zip(names, counts, strict=True)]
