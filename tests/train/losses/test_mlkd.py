import math
from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.nn import functional as F

from tests.train.losses.views import HEIGHT, SHAPES, STRIDE, TEACHER, WIDTH, labels, views
from train.errors import UserError
from train.losses.contract import NOTHING, Needs, Neighbour, Views
from train.losses.mlkd import Mlkd, MlkdConfig
from train.losses.registry import AnyLossConfig, LossSum, combined_needs
from train.models.tap_shapes import TapShapes
from train.models.taps import Taps

LOGITS = frozenset({"logits"})
NONE = {"low_weight": 0, "mid_weight": 0, "high_weight": 0, "consistency_weight": 0}
STAGES = ("stride:4", "stride:8", "stride:16", "stride:32")


def build(config: MlkdConfig) -> Mlkd:
    torch.manual_seed(0)
    # Batch norm in training mode is the adapters' own business.
    return config.build(SHAPES).double().eval()


def only(level: str, **settings: object) -> MlkdConfig:
    return MlkdConfig.model_validate({**NONE, f"{level}_weight": 1, **settings})


def valid_at(ids: Tensor, height: int, width: int) -> Tensor:
    """True where the pixel at the centre of a cell has a label."""
    rows, columns = (
        [int((index + 0.5) * side / cells) for index in range(cells)]
        for side, cells in ((ids.shape[1], height), (ids.shape[2], width))
    )
    return ids[:, rows][:, :, columns] != 255


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def naive_mse(student: Tensor, teacher: Tensor, valid: Tensor) -> float:
    pixels = [(student[n, :, y, x], teacher[n, :, y, x]) for n, y, x in valid.nonzero().tolist()]
    return mean([mean([(a - b) ** 2 for a, b in zip(s.tolist(), t.tolist(), strict=True)]) for s, t in pixels])


def naive_attention(student: Tensor, teacher: Tensor, valid: Tensor) -> float:
    """Mean over the valid pixels of the squared difference of maps of length 1 an image."""
    squares = []
    for n in range(student.shape[0]):
        pixels = valid[n].nonzero().tolist()
        maps = []
        for of in (student, teacher):
            strength = [mean([value**2 for value in of[n, :, y, x].tolist()]) for y, x in pixels]
            maps.append([value / math.hypot(*strength) for value in strength])
        squares += [(a - b) ** 2 for a, b in zip(*maps, strict=True)]
    return mean(squares)


def naive_cwd(student: Tensor, teacher: Tensor, valid: Tensor, tau: float) -> float:
    divergences = []
    for n in (n for n in range(student.shape[0]) if valid[n].any()):
        pixels = valid[n].nonzero().tolist()
        for c in range(student.shape[1]):
            p, q = ([math.exp(of[n, c, y, x].item() / tau) for y, x in pixels] for of in (teacher, student))
            pairs = [(a / sum(p), b / sum(q)) for a, b in zip(p, q, strict=True)]
            divergences.append(tau**2 * sum(a * math.log(a / b) for a, b in pairs))
    return mean(divergences)


def naive_pairs(maps: list[Tensor], valid: Tensor, valid_other: Tensor) -> float:
    """1/P² Σ_ij (cos(x^S_i, y^S_j) - cos(x^T_i, y^T_j))² for maps x^S, y^S, x^T, y^T; mean over the images."""

    def cosine(a: list[float], b: list[float]) -> float:
        return sum(u * v for u, v in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))

    images = []
    for n in range(len(valid)):
        x_s, y_s, x_t, y_t = (
            [of[n, :, y, x].tolist() for y, x in mask[n].nonzero().tolist()]
            for of, mask in zip(maps, (valid, valid_other) * 2, strict=True)
        )
        squares = [
            (cosine(x_s[i], y_s[j]) - cosine(x_t[i], y_t[j])) ** 2 for i in range(len(x_s)) for j in range(len(y_s))
        ]
        images.append(mean(squares))
    return mean(images)


def low(loss: Mlkd, seen: Views, ids: Tensor) -> float:
    """Mean over the stages, by the naive forms."""
    assert seen.teacher is not None
    values = []
    for index, tap in enumerate(loss.config.stage_taps):
        student, teacher = seen.student[tap], seen.teacher[tap]
        valid = valid_at(ids, *student.shape[2:])
        if loss.config.low == "attention":
            values.append(naive_attention(student, teacher, valid))
            continue
        adapted = loss.adapters[index](student)
        assert adapted.shape[1] == TEACHER[tap]
        form = naive_mse(adapted, teacher, valid) if loss.config.low == "mse" else None
        values.append(naive_cwd(adapted, teacher, valid, loss.config.cwd_temperature) if form is None else form)
    return mean(values)


@pytest.mark.parametrize("stages", [(4, 8, 16, 32), (8,)])
@pytest.mark.parametrize("form", ["mse", "attention", "cwd"])
def test_the_low_level_is_the_mean_over_the_stages(form: str, stages: tuple[int, ...]) -> None:
    loss, seen, ids = build(only("low", low=form, stages=stages)), views(), labels()
    assert loss(seen)["mlkd.low"].item() == pytest.approx(low(loss, seen, ids), rel=1e-8)


def test_the_mid_level() -> None:
    seen, ids = views(), labels()
    assert seen.teacher is not None
    valid = valid_at(ids, HEIGHT, WIDTH)
    maps = [seen.student.fused, seen.student.fused, seen.teacher.fused, seen.teacher.fused]
    assert build(only("mid"))(seen)["mlkd.mid"].item() == pytest.approx(naive_pairs(maps, valid, valid), rel=1e-8)


def test_the_high_level_goes_from_frame_to_frame() -> None:
    seen, ids = views(), labels()
    assert seen.teacher is not None
    assert seen.neighbour is not None
    assert seen.neighbour.teacher is not None
    maps = [of.logits for of in (seen.student, seen.neighbour.student, seen.teacher, seen.neighbour.teacher)]
    valid = valid_at(ids, HEIGHT, WIDTH)
    expected = naive_pairs(maps, valid, torch.ones_like(valid))
    assert build(only("high"))(seen)["mlkd.high"].item() == pytest.approx(expected, rel=1e-8)


def test_consistency_by_hand() -> None:
    """The second frame is the first, moved by one cell: o by its formula, and the rest a cell at a time."""
    seen, ids = views(), labels()
    assert seen.neighbour is not None
    assert seen.image is not None
    flow = torch.zeros(*ids.shape).double()[:, None].repeat(1, 2, 1, 1)
    flow[:, 0] = STRIDE
    image = seen.image.roll(STRIDE, 3) + 0.05
    visible = torch.rand(ids.shape, generator=torch.Generator().manual_seed(1)) < 0.9
    moved = replace(seen.neighbour, image=image, flow=flow, visible=visible)
    visible = visible.clone()
    visible[:, :, -STRIDE:] = False
    weight = F.avg_pool2d(math.exp(-0.15) * visible.double(), STRIDE) * valid_at(ids, HEIGHT, WIDTH)
    total = norm = 0.0
    for n, y, x in weight.nonzero().tolist():
        p = seen.student.logits[n, :, y, x].softmax(0)
        q = moved.student.logits[n, :, y, x + 1].softmax(0)
        total += weight[n, y, x].item() * sum((a - b) ** 2 for a, b in zip(p.tolist(), q.tolist(), strict=True))
        norm += weight[n, y, x].item()
    term = build(only("consistency"))(replace(seen, neighbour=moved))["mlkd.consistency"]
    assert term.item() == pytest.approx(total / norm, rel=1e-8)


def test_the_start_weights() -> None:
    seen = views()
    alone = {level: build(only(level))(seen)[f"mlkd.{level}"] for level in ("low", "mid", "high", "consistency")}
    terms = build(MlkdConfig())(seen)
    assert list(terms) == ["mlkd.low", "mlkd.mid", "mlkd.high", "mlkd.consistency"]
    for level, weight in (("low", 10), ("mid", 10), ("high", 1), ("consistency", 0.1)):
        torch.testing.assert_close(terms[f"mlkd.{level}"], weight * alone[level])


@pytest.mark.parametrize(
    ("level", "needs"),
    [
        ("low", Needs(frozenset(STAGES), frozenset(STAGES), adapter=True)),
        ("mid", Needs(frozenset({"fused"}), frozenset({"fused"}))),
        ("high", Needs(LOGITS, LOGITS, neighbour_student=LOGITS, neighbour_teacher=LOGITS)),
        ("consistency", Needs(LOGITS, neighbour_student=LOGITS, flow=True)),
    ],
)
def test_a_level_of_weight_0_is_not_computed_and_needs_nothing(level: str, needs: Needs) -> None:
    config = only(level)
    assert config.needs == needs
    assert list(build(config)(views())) == [f"mlkd.{level}"]
    assert bool(list(build(config).parameters())) == needs.adapter


def test_attention_transfer_has_no_adapter() -> None:
    config = only("low", low="attention", stages=(16,))
    assert config.needs == Needs(frozenset({"stride:16"}), frozenset({"stride:16"}))
    assert not list(build(config).parameters())


def test_consistency_needs_no_teacher() -> None:
    seen, config = views(), only("consistency")
    assert seen.neighbour is not None
    without = replace(seen, teacher=None, label=None, neighbour=replace(seen.neighbour, teacher=None))
    assert not config.needs.teacher
    assert config.build(TapShapes(4, SHAPES.student, {}))(without)["mlkd.consistency"] > 0


def test_a_student_that_follows_the_movement_is_consistent() -> None:
    """Frames of the same scene, and a predictor that moves with it."""
    torch.manual_seed(0)
    scene = torch.randn(2, 3, 40, 56)
    first, second = scene[:, :, 8:], scene[:, :, :32]
    predictor = torch.nn.Conv2d(3, 4, kernel_size=STRIDE, stride=STRIDE)
    flow = torch.zeros(2, 2, 32, 56)
    flow[:, 1] = 8
    shown = [Taps({"logits": 5 * predictor(frame)}) for frame in (first, second)]
    visible = torch.ones(2, 32, 56, dtype=torch.bool)
    neighbour = Neighbour(shown[1], None, second, flow, visible)
    loss = build(only("consistency")).float()
    moved = loss(Views(shown[0], None, None, first, neighbour))["mlkd.consistency"]
    still = loss(Views(shown[0], None, None, first, replace(neighbour, flow=0 * flow)))["mlkd.consistency"]
    assert moved < 1e-9
    assert still > 0.05


def test_all_weights_0_is_refused() -> None:
    with pytest.raises(ValidationError, match="all four weights are 0"):
        TypeAdapter(AnyLossConfig).validate_python({"name": "mlkd", **NONE})


def test_on_both_frames_the_levels_of_one_frame_are_an_entry_of_their_own() -> None:
    with pytest.raises(UserError, match=r"mlkd: frames: both: it compares two frames"):
        combined_needs([MlkdConfig(frames="both")])
    pair = {"high_weight": 0, "consistency_weight": 0, "frames": "both"}
    configs = [MlkdConfig(low_weight=0, mid_weight=0), MlkdConfig.model_validate(pair)]
    needs, seen = combined_needs(configs), replace(views(), label=None)
    assert needs.neighbour_student == {"logits", "fused", *STAGES}
    _, terms = LossSum(configs, SHAPES).double()(seen, 0, 1)
    assert list(terms) == ["mlkd.high", "mlkd.consistency", "mlkd_2.low", "mlkd_2.mid"]


@pytest.mark.parametrize("level", ["high", "consistency"])
def test_a_second_frame_is_asked_for(level: str) -> None:
    with pytest.raises(UserError, match="mlkd needs a second frame"):
        build(only(level))(replace(views(), neighbour=None))


def test_flow_is_asked_for() -> None:
    seen = views()
    assert seen.neighbour is not None
    with pytest.raises(UserError, match="mlkd needs optical flow"):
        build(only("consistency"))(replace(seen, neighbour=replace(seen.neighbour, flow=None)))


def test_a_teacher_is_asked_for() -> None:
    seen = views()
    assert seen.neighbour is not None
    alone = replace(seen, teacher=None, neighbour=replace(seen.neighbour, teacher=None))
    for level in ("low", "mid", "high"):
        with pytest.raises(UserError, match="mlkd needs a teacher"):
            build(only(level))(alone)


def test_nothing_is_needed_of_the_student_but_what_the_levels_need() -> None:
    assert only("mid").needs.student.isdisjoint(LOGITS)
    assert only("mid").needs.neighbour_student == NOTHING
