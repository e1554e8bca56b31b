"""Several teachers that see the same pixels and speak as one."""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.loading import load_teacher
from train.teachers.normalisation import NONE


class Several(SegmentationNetwork):
    """Shows ``logits`` alone, and ``module:members.K.PATH``; a subclass says how they become one.

    Args:
        members: networks of the same classes; each normalises the pixels itself.
    """

    def __init__(self, members: Sequence[SegmentationNetwork]) -> None:
        super().__init__(members[0].classes, math.lcm(*(member.multiple for member in members)), *NONE)
        self.members = nn.ModuleList(members)

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:  # noqa: ARG002  # there are only logits
        """See `SegmentationNetwork`; ``image`` is in 0..255."""
        all_logits = [member(image).logits.float() for member in self.members]
        largest = max((logits.shape[-2:] for logits in all_logits), key=lambda size: size[0] * size[1])
        same = [
            logits
            if logits.shape[-2:] == largest
            else interpolate(logits, largest, mode="bilinear", align_corners=False)
            for logits in all_logits
        ]
        return {"logits": self.combined(same)}

    def combined(self, logits: list[Tensor]) -> Tensor:
        """One map of logits of those of all members, ``(N, C, h, w)`` each."""
        raise NotImplementedError


def load_members(settings: Sequence[TeacherSettings], classes: list[str]) -> list[LoadedTeacher]:
    """Each with the classes of the data; notes say whose they are.

    Raises:
        UserError: what `load_teacher` says, or one has a setting that only all of them together can have.
    """
    for one in settings:
        for key in {"precision", "cache"} & one.model_fields_set:
            raise UserError(f"teacher: {one.title}: {key}: holds for all teachers together: set it as teacher.{key}")
    loaded = [load_teacher(one, classes, "the data") for one in settings]
    return [
        one._replace(notes=tuple(f"{own.title}: {note}" for note in one.notes))
        for own, one in zip(settings, loaded, strict=True)
    ]
