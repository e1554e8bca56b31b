"""Channel-spatial knowledge distillation: what channels and pixels attend to, compared by their alignment."""

from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from kernels import channel_attention, channel_kl, cka, position_attention
from kernels.cka import Mode
from kernels.position_attention import block_bounds
from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX
from train import processes
from train.losses.contract import LOGITS, Loss, Needs, Source, Views, label_at
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, check_logits, matched, require_teacher, resize_to
from train.losses.projections import FixedProjections, RedrawnProjections
from train.losses.valid import over_images, valid_at
from train.models.tap_shapes import TapShapes
from train.models.taps import Tap

_LEAST_IMAGES = {"token": 1, "released": 3, "debiased": 4}

# Under the logarithm; that of the authors' code.
_EPSILON = 1e-8


class CskdConfig(FeatureLossConfig):
    """Settings of `Cskd`."""

    source: ClassVar[Source] = Source(
        "Karine et al., Channel-spatial knowledge distillation for efficient semantic segmentation",
        "https://doi.org/10.1016/j.patrec.2024.02.027",
        "code",
    )

    name: Literal["cskd"] = "cskd"
    student_tap: Tap = Field(default="pre_classifier", description="which map of the student")
    teacher_tap: Tap = Field(default="pre_classifier", description="which map of the teacher")
    mode: Mode = Field(
        default="token",
        description="samples of the alignment; token: pixels; released: images, as in the authors' code, 3 or more a "
        "batch; debiased: images, by an unbiased estimator, 4 or more",
    )
    channel_gamma: float | None = Field(
        default=None, description="γ_c, share of the channel attention; not given: 1, and 0 in mode released"
    )
    position_gamma: float | None = Field(
        default=None, description="γ_p, share of the position attention; not given: 1, and 0 in mode released"
    )
    attention_temperature: float = Field(default=2.0, gt=0, description="τ_sa of both attentions")
    grid: int = Field(default=5, ge=1, description="blocks of the position attention along each side of the map")
    seed: int = Field(default=0, ge=0, description="seed of the position attention's projections")
    cwd_temperature: float = Field(default=2.0, gt=0, description="τ of the channel-wise term on logits")
    channel_weight: float = Field(default=0.3, ge=0, description="λ of the channel attention's term")
    position_weight: float = Field(default=0.8, ge=0, description="λ of the position attention's term")
    cwd_weight: float = Field(default=3.0, ge=0, description="λ of the channel-wise term on logits")

    @property
    def gammas(self) -> tuple[float, float]:
        """γ_c and γ_p."""
        default = 0.0 if self.mode == "released" else 1.0
        channel, position = (default if g is None else g for g in (self.channel_gamma, self.position_gamma))
        return channel, position

    @property
    def needs(self) -> Needs:
        """The two taps, and logits of both."""
        return Needs(LOGITS | {self.student_tap}, LOGITS | {self.teacher_tap})

    @property
    def least_images(self) -> int:
        """Of a batch: with fewer, the alignment of images is 1 whatever they show, or not defined."""
        return _LEAST_IMAGES[self.mode]

    def build(self, shapes: TapShapes) -> "Cskd":
        """The loss, with projections for the channels of each network."""
        channels = shapes.student[self.student_tap].channels, shapes.teacher[self.teacher_tap].channels
        return Cskd(self, *channels)


class Cskd(Loss):
    """Alignment of both networks' attended features, and channel-wise distillation of the logits.

    Karine et al., PRL 180, 2024, https://doi.org/10.1016/j.patrec.2024.02.027, and the authors' code. For features X
    ``(N, D, H, W)`` before the classifier and logits ``(N, C, H, W)``; channel counts D may differ, no adapter:

        cskd.channel  = 0.3 · D(CAM(X^S), CAM(X^T))
        cskd.position = 0.8 · mean over the 5×5 blocks b of D(PAM(X^S)_b, PAM(X^T)_b)
        cskd.cwd      = 3 · channel_kl(z^S, z^T), τ = 2

        D(X, Y) = -log(|CKA(X, Y)| + 1e-8), linear CKA of `kernels.cka`
        CAM(X) = γ_c · channel_attention(X) + X,    PAM(X) = γ_p · position_attention(q, k, v) + X

    The paper's auxiliary term, 0.4 times the auxiliary head's cross-entropy, is ``cross_entropy.aux`` already.

    The released code computes something else than the text says. Its q, k, v are drawn anew in every call and never
    trained, its γ stay at their 0, so that no attention has any part, and a term of plain distillation is computed and
    not added. Its samples are the images of a device's batch: for 2 of them CKA is 1 whatever they show, for 8 of them
    it is above 0.9 for independent features. Mode ``released`` does the same. Mode ``token``, our default, takes
    pixels as samples; its projections, those of ``debiased`` too, are orthogonal, one fixed set a network; its γ of 1
    is our choice.

    Ignored pixels are 0 before and after the attentions, so that nothing depends on what they show, and are no samples
    of mode ``token``; an image of which nothing is valid is no sample of any mode. A block or batch of fewer than two
    valid pixels, or of fewer such images than the mode needs, does not count, as it has no alignment. An attention of
    γ = 0 is not computed. D is -1e-8, not 0, where X and Y are aligned; with one set of projections a network, S = T is
    no minimum of the position term. Where a side is constant over the samples, CKA is 0, D is 18.4, and there is no
    gradient.
    """

    def __init__(self, config: CskdConfig, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.config = config
        self.projections = nn.ModuleDict()
        if config.gammas[1]:
            kind = RedrawnProjections if config.mode == "released" else FixedProjections
            self.projections["student"] = kind(student_channels, 2 * config.seed)
            self.projections["teacher"] = kind(teacher_channels, 2 * config.seed + 1)

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, label = self.config, views.label
        student, teacher = matched("cskd", views, config.student_tap, config.teacher_tap)
        check_label("cskd", student, label)
        valid = valid_at(label, student)
        student, teacher = (
            accumulable(features).masked_fill(~valid[:, None], 0) for features in (student, teacher.detach())
        )
        channels = (self._attend_channels(features) for features in (student, teacher))
        positions = (
            self._attend_positions(features, valid, network)
            for features, network in ((student, "student"), (teacher, "teacher"))
        )
        # The samples of an alignment are those of the whole batch, whatever process has them.
        counted = processes.all_images(valid)
        shown, counted = self._samples(counted)
        x_s, x_t = (processes.all_images(m)[shown][None] for m in channels)
        channel = self._distance(x_s, x_t, counted[None])
        x_s, x_t = (self._blocks(processes.all_images(m)[shown]) for m in positions)
        position = self._distance(x_s, x_t, self._blocks(counted[:, None])[:, :, 0])
        return {
            "cskd.channel": config.channel_weight * channel,
            "cskd.position": config.position_weight * position,
            "cskd.cwd": config.cwd_weight * self._channel_wise(views),
        }

    def _attend_channels(self, features: Tensor) -> Tensor:
        """CAM of features ``(N, D, H, W)``."""
        gamma, _ = self.config.gammas
        if not gamma:
            return features
        return gamma * channel_attention(features, temperature=self.config.attention_temperature) + features

    def _attend_positions(self, features: Tensor, valid: Tensor, network: str) -> Tensor:
        """PAM of features ``(N, D, H, W)``."""
        config, (_, gamma) = self.config, self.config.gammas
        if not gamma:
            return features
        query, key, value = self.projections[network](features)
        attended = position_attention(query, key, value, temperature=config.attention_temperature, grid=config.grid)
        return (gamma * attended + features).masked_fill(~valid[:, None], 0)

    def _blocks(self, features: Tensor) -> Tensor:
        """The blocks of a map ``(N, D, H, W)``, ``(blocks, N, D, h, w)``, the smaller ones filled up with 0."""
        height, width = (-(-side // min(side, self.config.grid)) for side in features.shape[-2:])
        blocks = [
            F.pad(block, (0, width - block.shape[3], 0, height - block.shape[2]))
            for row in torch.tensor_split(features, block_bounds(features.shape[2], self.config.grid), 2)
            for block in torch.tensor_split(row, block_bounds(features.shape[3], self.config.grid), 3)
        ]
        return torch.stack(blocks)

    def _samples(self, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Which images ``(N,)`` have valid pixels ``(N, H, W)``, and those; where they are too few, none counts."""
        shown = valid.flatten(1).any(1)
        if shown.sum() < self.config.least_images <= len(valid):
            return torch.ones_like(shown), torch.zeros_like(valid)
        return shown, valid[shown]

    def _distance(self, student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
        """Mean of D over the blocks ``(blocks, N, D, h, w)`` of two ``valid`` pixels ``(blocks, N, h, w)`` or more."""
        label = torch.where(valid, 0, IGNORE_INDEX)
        alignment = torch.vmap(partial(cka, mode=self.config.mode))(student, teacher, label)
        counts = valid.flatten(1).sum(1) > 1
        return -((alignment.abs() + _EPSILON).log() * counts).sum() / counts.sum().clamp(min=1)

    def _channel_wise(self, views: Views) -> Tensor:
        student, teacher, label = views.student.logits, require_teacher("cskd", views).logits, views.label
        check_logits("cskd", student, teacher)
        label = None if label is None else label_at(label, student.shape[-2:])
        divergence = channel_kl(student, resize_to(teacher, student), label, temperature=self.config.cwd_temperature)
        return over_images(divergence, (label, student))
