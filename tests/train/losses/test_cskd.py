import math

import pytest
import torch
from torch import Tensor

from tests.train.losses.views import SHAPES, views
from train.losses.contract import Loss, Views
from train.losses.cskd import Cskd, CskdConfig
from train.losses.kd import KdConfig
from train.losses.registry import LossSum
from train.models.tap_shapes import TapShape, TapShapes
from train.models.taps import Taps

STUDENT, TEACHER, CLASSES = 3, 9, 4
Matrix = list[list[float]]


def taps(seed: int, channels: int, batch: int = 4, height: int = 5, width: int = 7) -> Taps:
    generator = torch.Generator().manual_seed(seed)

    def randn(depth: int) -> Tensor:
        return torch.randn(batch, depth, height, width, generator=generator, dtype=torch.float64)

    return Taps({"pre_classifier": randn(channels), "logits": 3 * randn(CLASSES)})


def label(batch: int = 4, height: int = 5, width: int = 7) -> Tensor:
    return (255 * (torch.rand(batch, height, width, generator=torch.Generator().manual_seed(9)) < 0.3)).byte()


def build(config: CskdConfig) -> Cskd:
    shapes = TapShapes(CLASSES, {"pre_classifier": TapShape(STUDENT, 4)}, {"pre_classifier": TapShape(TEACHER, 4)})
    return config.build(shapes).double()


def softmax(values: list[float], tau: float) -> list[float]:
    exponentials = [math.exp((value - max(values)) / tau) for value in values]
    return [value / sum(exponentials) for value in exponentials]


def dot(x: list[float], y: list[float]) -> float:
    return sum(a * b for a, b in zip(x, y, strict=True))


def attend_channels(features: Tensor, gamma: float, tau: float) -> Tensor:
    """CAM of one image ``(D, H, W)``, a pair of channels at a time."""
    rows = features.flatten(1).tolist()
    out = torch.zeros_like(features).flatten(1)
    for a, x in enumerate(rows):
        energies = [dot(x, y) for y in rows]
        shares = softmax([max(energies) - energy for energy in energies], tau)
        mixed = [sum(share * y[i] for share, y in zip(shares, rows, strict=True)) for i in range(len(x))]
        out[a] += torch.tensor([gamma * m + value for m, value in zip(mixed, x, strict=True)], dtype=torch.float64)
    return out.view(features.shape)


def block_of(pixel: tuple[int, int], height: int, width: int, grid: int) -> tuple[int, int]:
    """The block whose first row and column are the last not behind the pixel."""

    def index(at: int, side: int) -> int:
        count = min(grid, side)
        return max(step for step in range(count) if side * step // count <= at)

    return index(pixel[0], height), index(pixel[1], width)


def blocks(height: int, width: int, grid: int) -> list[list[tuple[int, int]]]:
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for pixel in ((y, x) for y in range(height) for x in range(width)):
        found.setdefault(block_of(pixel, height, width, grid), []).append(pixel)
    return list(found.values())


def attend_positions(features: Tensor, kernels: Tensor, gamma: float, tau: float, grid: int) -> Tensor:
    """PAM of one image ``(D, H, W)``, a pair of pixels at a time; kernels: those of query, key and value."""
    query, key, value = (torch.einsum("ed,dhw->ehw", kernel[:, :, 0, 0], features) for kernel in kernels)
    out = features.clone()
    for block in blocks(*features.shape[1:], grid):
        for y, x in block:
            scores = [dot(query[:, y, x].tolist(), key[:, j, i].tolist()) for j, i in block]
            for share, (j, i) in zip(softmax(scores, tau), block, strict=True):
                out[:, y, x] += gamma * share * value[:, j, i]
    return out


def gram(samples: Matrix) -> Matrix:
    return [[dot(x, y) for y in samples] for x in samples]


def centred(samples: Matrix) -> Matrix:
    means = [sum(column) / len(samples) for column in zip(*samples, strict=True)]
    return [[value - mean for value, mean in zip(row, means, strict=True)] for row in samples]


def cka(student: Matrix, teacher: Matrix) -> float:
    """‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of samples with their means taken off."""

    def square(x: Matrix, y: Matrix) -> float:
        return sum(dot(list(a), list(b)) ** 2 for a in zip(*x, strict=True) for b in zip(*y, strict=True))

    x, y = centred(student), centred(teacher)
    return square(x, y) / math.sqrt(square(x, x) * square(y, y))


def debiased_cka(student: Matrix, teacher: Matrix) -> float:
    """With the unbiased HSIC: pairs of a sample with itself are left out."""

    def hsic(x: Matrix, y: Matrix) -> float:
        n, k, m = len(x), gram(x), gram(y)
        for i in range(n):
            k[i][i] = m[i][i] = 0.0
        trace = sum(k[i][j] * m[j][i] for i in range(n) for j in range(n))
        sums = sum(map(sum, k)) * sum(map(sum, m)) / ((n - 1) * (n - 2))
        mixed = sum(k[i][j] * m[j][q] for i in range(n) for j in range(n) for q in range(n))
        return trace + sums - 2 / (n - 2) * mixed

    return hsic(student, teacher) / math.sqrt(hsic(student, student) * hsic(teacher, teacher))


def samples(features: Tensor, pixels: list[tuple[int, int]], valid: Tensor, mode: str) -> Matrix:
    """Of maps ``(N, D, H, W)``: valid pixels, or images with ignored pixels at 0."""
    if mode == "token":
        return [
            image[:, y, x].tolist()
            for image, mask in zip(features, valid, strict=True)
            for y, x in pixels
            if mask[y, x]
        ]
    return [
        [value for y, x in pixels for value in (image[:, y, x] * mask[y, x]).tolist()]
        for image, mask in zip(features, valid, strict=True)
    ]


def distance(student: Tensor, teacher: Tensor, pixels: list[tuple[int, int]], valid: Tensor, mode: str) -> float:
    alignment = debiased_cka if mode == "debiased" else cka
    return -math.log(abs(alignment(*(samples(m, pixels, valid, mode) for m in (student, teacher)))) + 1e-8)


def naive_channel(config: CskdConfig, student: Tensor, teacher: Tensor, valid: Tensor) -> float:
    gamma, tau = config.gammas[0], config.attention_temperature
    masked = (features * valid[:, None] for features in (student, teacher))
    attended = [torch.stack([attend_channels(image, gamma, tau) for image in features]) for features in masked]
    everywhere = [(y, x) for y in range(student.shape[2]) for x in range(student.shape[3])]
    return config.channel_weight * distance(*attended, everywhere, valid, config.mode)


def naive_position(config: CskdConfig, loss: Loss, student: Tensor, teacher: Tensor, valid: Tensor) -> float:
    gamma, tau, state = config.gammas[1], config.attention_temperature, loss.state_dict()
    attended = []
    for network, features in (("student", student), ("teacher", teacher)):
        kernels = [state.get(f"projections.{network}.{name}") for name in ("query", "key", "value")]
        masked = features * valid[:, None]
        if gamma:
            masked = torch.stack([attend_positions(image, kernels, gamma, tau, config.grid) for image in masked])
        attended.append(masked)
    pixels = blocks(*student.shape[2:], config.grid)
    counted = [block for block in pixels if sum(int(mask[y, x]) for mask in valid for y, x in block) > 1]
    distances = [distance(*attended, block, valid, config.mode) for block in counted]
    return config.position_weight * sum(distances) / len(distances)


CONFIGS = {
    "token": CskdConfig(grid=2),
    "token, settings": CskdConfig(
        grid=3, channel_gamma=0.5, position_gamma=-2, attention_temperature=0.7, channel_weight=2, position_weight=3
    ),
    "released": CskdConfig(mode="released", grid=2),
    "debiased": CskdConfig(mode="debiased", grid=2),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_terms_are_those_of_the_formulas(name: str) -> None:
    config, student, teacher, ids = CONFIGS[name], taps(1, STUDENT), taps(2, TEACHER), label()
    loss = build(config)
    terms = loss(Views(student, teacher, ids))
    maps = student["pre_classifier"], teacher["pre_classifier"], ids != 255
    assert terms["cskd.channel"].item() == pytest.approx(naive_channel(config, *maps), rel=1e-8)
    assert terms["cskd.position"].item() == pytest.approx(naive_position(config, loss, *maps), rel=1e-8)


def test_the_channel_wise_term() -> None:
    student, teacher, ids = taps(1, STUDENT), taps(2, TEACHER), label()
    divergences = []
    for n in range(4):
        valid = (ids[n] != 255).nonzero().tolist()
        for c in range(CLASSES):
            p, q = (softmax([of.logits[n, c, y, x].item() for y, x in valid], 2.0) for of in (teacher, student))
            divergences.append(4 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    term = build(CskdConfig())(Views(student, teacher, ids))["cskd.cwd"]
    assert term.item() == pytest.approx(3 * sum(divergences) / len(divergences), rel=1e-10)


def test_the_start_weights_are_those_of_the_paper() -> None:
    config = CskdConfig()
    assert (config.channel_weight, config.position_weight, config.cwd_weight) == (0.3, 0.8, 3)
    assert (config.attention_temperature, config.cwd_temperature, config.grid) == (2, 2, 5)


def test_a_student_equal_to_its_teacher_is_aligned_where_no_projection_divides_them() -> None:
    same = taps(1, STUDENT)
    shapes = {"pre_classifier": TapShape(STUDENT, 4)}
    loss = CskdConfig(position_gamma=0).build(TapShapes(CLASSES, shapes, shapes)).double()
    student = Taps({tap: found.clone().requires_grad_() for tap, found in same.maps.items()})
    terms = loss(Views(student, same, label()))
    sum(terms.values()).backward()
    assert terms["cskd.channel"].item() == pytest.approx(-0.3e-8, abs=1e-12)
    assert terms["cskd.position"].item() == pytest.approx(-0.8e-8, abs=1e-12)
    gradient = student["pre_classifier"].grad
    assert gradient is not None
    assert gradient.abs().max() < 1e-12


def test_each_network_has_projections_of_its_own_and_the_checkpoint_has_them() -> None:
    config, seen = CskdConfig(), Views(taps(1, STUDENT), taps(2, TEACHER))
    loss, resumed = build(config), build(config.model_copy(update={"seed": 1}))
    expected = loss(seen)["cskd.position"]
    assert build(config)(seen)["cskd.position"] == expected
    assert resumed(seen)["cskd.position"] != expected
    resumed.load_state_dict(loss.state_dict())
    assert resumed(seen)["cskd.position"] == expected
    same = CskdConfig().build(TapShapes(4, {"pre_classifier": TapShape(8, 4)}, {"pre_classifier": TapShape(8, 4)}))
    assert not torch.equal(
        same.state_dict()["projections.student.value"], same.state_dict()["projections.teacher.value"]
    )


def test_in_released_mode_no_attention_has_a_part() -> None:
    seen = Views(taps(1, STUDENT), taps(2, TEACHER), label())
    released = build(CskdConfig(mode="released"))
    without = build(CskdConfig(mode="released", channel_gamma=0, position_gamma=0))
    assert released(seen) == without(seen)
    assert not released.state_dict()


def test_in_released_mode_projections_are_drawn_in_every_call() -> None:
    seen = Views(taps(1, STUDENT), taps(2, TEACHER), label())
    loss = build(CskdConfig(mode="released", position_gamma=1))
    first, state, second = loss(seen), loss.state_dict(), loss(seen)
    assert first["cskd.channel"] == second["cskd.channel"]
    assert first["cskd.position"] != second["cskd.position"]
    resumed = build(CskdConfig(mode="released", position_gamma=1))
    resumed.load_state_dict(state)
    assert resumed(seen)["cskd.position"] == second["cskd.position"]


@pytest.mark.parametrize(("mode", "least"), [("released", 3), ("debiased", 4)])
def test_too_few_images_are_refused(mode: str, least: int) -> None:
    config = CskdConfig(mode=mode)
    loss = build(config)
    few = Views(taps(1, STUDENT, batch=least - 1), taps(2, TEACHER, batch=least - 1))
    with pytest.raises(ValueError, match=rf"mode {mode}.*needs {least} or more; got {least - 1}"):
        loss(few)
    enough = Views(taps(1, STUDENT, batch=least), taps(2, TEACHER, batch=least))
    assert all(value.isfinite() for value in loss(enough).values())
    assert config.least_images == least


@pytest.mark.parametrize("left", [0, 1])
def test_a_block_with_one_valid_pixel_or_none_does_not_count(left: int) -> None:
    """Two blocks on the map; of the upper one's pixels one is left, or none: there is the lower one's term alone."""
    student, teacher = taps(1, STUDENT, height=6, width=1), taps(2, TEACHER, height=6, width=1)
    ids = torch.zeros(4, 6, 1, dtype=torch.uint8)
    ids[:, :3] = 255
    ids[0, :left] = 0
    lower = [Taps({tap: found[:, :, 3:] for tap, found in of.maps.items()}) for of in (student, teacher)]
    expected = build(CskdConfig(grid=1))(Views(*lower))["cskd.position"]
    torch.testing.assert_close(build(CskdConfig(grid=2))(Views(student, teacher, ids))["cskd.position"], expected)


def test_a_constant_side_gives_no_gradient() -> None:
    student, teacher = taps(1, STUDENT), taps(2, TEACHER)
    student["pre_classifier"].zero_()
    student["pre_classifier"].requires_grad_()
    terms = build(CskdConfig())(Views(student, teacher))
    (terms["cskd.channel"] + terms["cskd.position"]).backward()
    assert terms["cskd.channel"].item() == pytest.approx(-0.3 * math.log(1e-8))
    gradient = student["pre_classifier"].grad
    assert gradient is not None
    assert not gradient.any()


def test_it_goes_with_other_losses_in_mixed_precision() -> None:
    losses = LossSum([KdConfig(), CskdConfig()], SHAPES)
    seen = views()
    with torch.autocast("cpu", torch.bfloat16):
        total, terms = losses(seen, 0, 1)
    assert total.isfinite()
    assert list(terms) == ["kd", "cskd.channel", "cskd.position", "cskd.cwd"]
