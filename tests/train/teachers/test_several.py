import pytest
import torch
from pydantic import ValidationError

from tests.train.teachers.tables import Table
from train.errors import UserError
from train.models.taps import Tap
from train.teachers.average import Average, AverageTeacher
from train.teachers.class_groups import ClassGroups, ClassGroupsTeacher

IMAGE = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
ONE, OTHER = Table(torch.randn(1, 3, 4, 4)), Table(torch.randn(1, 3, 4, 4))


def test_probabilities_are_averaged_by_weight() -> None:
    logits = Average([ONE, OTHER], [3.0, 1.0], "probabilities")(IMAGE).logits
    expected = 0.75 * ONE.table.softmax(dim=1) + 0.25 * OTHER.table.softmax(dim=1)
    torch.testing.assert_close(logits.softmax(dim=1), expected.expand(2, -1, -1, -1))


def test_logits_are_averaged_by_weight() -> None:
    logits = Average([ONE, OTHER], [3.0, 1.0], "logits")(IMAGE).logits
    torch.testing.assert_close(logits, (0.75 * ONE.table + 0.25 * OTHER.table).expand(2, -1, -1, -1))


def test_maps_meet_at_the_largest() -> None:
    small = Table(torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2).contiguous())
    logits = Average([small, ONE], [1.0, 1.0], "logits")(IMAGE).logits
    expected = (small.table[:, :, :1, :1] + ONE.table) / 2
    torch.testing.assert_close(logits, expected.expand(2, -1, -1, -1))


def test_each_teacher_speaks_for_its_classes() -> None:
    logits = ClassGroups([ONE, OTHER], [0, 1, 1])(IMAGE).logits
    said = torch.cat([ONE.table.softmax(dim=1)[:, :1], OTHER.table.softmax(dim=1)[:, 1:]], dim=1)
    expected = said / said.sum(dim=1, keepdim=True)
    torch.testing.assert_close(logits.softmax(dim=1), expected.expand(2, -1, -1, -1))


def test_a_class_that_nobody_speaks_for_is_hardly_possible() -> None:
    probabilities = ClassGroups([ONE, OTHER], [0, -1, 1])(IMAGE).logits.softmax(dim=1)
    assert (probabilities[:, 1] < 0.001 * probabilities[:, [0, 2]].amin(dim=1)).all()


def test_they_show_logits_and_their_members_modules() -> None:
    network = Average([ONE, OTHER], [1.0, 1.0], "logits")
    inner: Tap = "module:members.1.identity"
    shown = network(IMAGE, frozenset({inner}))
    assert torch.equal(shown[inner], OTHER.table.expand(2, -1, -1, -1))
    with pytest.raises(UserError, match="the network does not show it: it shows logits"):
        network(IMAGE, frozenset({"fused"}))["fused"]


def test_settings_that_contradict_themselves() -> None:
    members = [{"run": "a"}, {"run": "b"}]
    with pytest.raises(ValidationError, match="2 members need as many weights, all above 0"):
        AverageTeacher.model_validate({"kind": "average", "members": members, "member_weights": [1.0]})
    groups = [{"speaks_for": ["sky"], "teacher": member} for member in members]
    with pytest.raises(ValidationError, match="several teachers speak for sky"):
        ClassGroupsTeacher.model_validate({"kind": "class_groups", "groups": groups})
    groups[1]["speaks_for"] = ["moon"]
    settings = ClassGroupsTeacher.model_validate({"kind": "class_groups", "groups": groups})
    with pytest.raises(UserError, match="the data has no class 'moon'"):
        settings.load(["sky"])


def test_a_setting_that_only_all_together_can_have() -> None:
    members = [{"run": "a"}, {"run": "b", "precision": "fp16"}]
    settings = AverageTeacher.model_validate({"kind": "average", "members": members})
    with pytest.raises(UserError, match=r"b: precision: holds for all teachers together: set it as teacher\.precision"):
        settings.load(["sky"])
