"""Feature condensation knowledge distillation."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from kernels import channel_kl, condensation, pixel_kl
from kernels.condensation import Condensation, Mask, Polarity
from kernels.enhancement import Enhancement
from train import processes
from train.losses.adapter import Adapter, adapter_between
from train.losses.contract import LOGITS, Loss, Needs, Source, Views, label_at
from train.losses.features import FeatureLossConfig
from train.losses.match import (
    Resolution,
    check_label,
    check_logits,
    matched,
    require_label,
    require_teacher,
    resize_to,
)
from train.losses.valid import over_images, valid_at
from train.models.tap_shapes import TapShapes


class FckdConfig(FeatureLossConfig):
    """Settings of `Fckd`: every choice that the paper's abstract leaves open is one, with our start values."""

    source: ClassVar[Source] = Source(
        "FCKDNet, Entropy 2023, 25(1):125", "https://doi.org/10.3390/e25010125", "reconstructed"
    )

    name: Literal["fckd"] = "fckd"
    on: Literal["logits", "features"] = Field(
        default="logits",
        description="what is condensed; features: the maps at the taps, the student's through an adapter",
    )
    resolution: Resolution = Field(
        default="logits",
        description="on logits: at the student's own stride, or label: upsample both to the labels' size",
    )
    entropy_temperature: float = Field(default=1.0, gt=0, description="τ_e of the softmax whose entropy is taken")
    mask: Mask = Field(
        default="soft",
        description="M: 1 - entropy; threshold: 1 up to an entropy; keep: 1 for a share of each image's pixels",
    )
    threshold: float = Field(default=0.5, ge=0, le=1, description="θ of mask: threshold, in units of log C")
    keep: float = Field(default=0.5, gt=0, le=1, description="q of mask: keep, share of the pixels of lowest entropy")
    polarity: Polarity = Field(
        default="confident", description="keep what the teacher is sure of, or (M ← 1 - M) unsure of"
    )
    enhancement: Enhancement = Field(
        default="bounded", description="bounded: factors in 1..1+κ; unbounded: detection's P·softmax, destroys training"
    )
    kappa: float = Field(default=1.0, ge=0, description="κ: strength of the bounded enhancement, 0 = none")
    enhancement_temperature: float = Field(default=1.0, gt=0, description="τ_a: higher = softer enhancement")
    pixel_weight: Literal["one", "matrix"] = Field(
        default="one", description="w: pixels of the spatial term count 1, or M"
    )
    spatial_temperature: float = Field(default=1.0, gt=0, description="τ of the spatial term")
    channel_temperature: float = Field(default=4.0, gt=0, description="τ of the channel term")
    spatial_weight: float = Field(default=1.0, ge=0, description="λ_s")
    channel_weight: float = Field(default=3.0, ge=0, description="λ_c")

    @property
    def needs(self) -> Needs:
        """Logits of both, as the entropy is always theirs; the taps on features; labels at their resolution."""
        if self.on == "logits":
            return Needs(teacher=LOGITS, labels=self.resolution == "label")
        return Needs(LOGITS | {self.student_tap}, LOGITS | {self.teacher_tap}, adapter=True)

    def build(self, shapes: TapShapes) -> "Fckd":
        """The loss; with an adapter on features."""
        on_features = self.on == "features"
        return Fckd(self, adapter_between(shapes, self.student_tap, self.teacher_tap) if on_features else None)


class Fckd(Loss):
    """The teacher's entropy condenses both outputs; the teacher's is enhanced over space and over channels.

    After FCKDNet (Entropy 2023, 25(1):125, https://doi.org/10.3390/e25010125); reconstructed from its abstract. With
    M, a, b of `kernels.condensation`:

        fckd.spatial = λ_s · pixel_kl(M ⊙ z^S, a ⊙ M ⊙ z^T)      over classes, mean over valid pixels, weighted by w
        fckd.channel = λ_c · channel_kl(M ⊙ z^S, b ⊙ M ⊙ z^T)    over space, mean over channels and images

    Only the teacher is enhanced, so each term is 0 not at S = T but where M ⊙ z^S is the enhanced M ⊙ z^T up to a
    constant per pixel (spatial) or per channel (channel); with ``kappa: 0`` S = T is a minimum of both, 0.
    """

    def __init__(self, config: FckdConfig, adapter: Adapter | None = None) -> None:
        super().__init__()
        self.config = config
        self.adapter = adapter

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, student, teacher, label = self.config, views.student, require_teacher("fckd", views), views.label
        check_logits("fckd", student.logits, teacher.logits)
        check_label("fckd", student.logits, label)
        if self.adapter is None:
            student_map, teacher_map, label = self._logits(views)
            return self._terms(student_map, teacher_map, label, self._condense(teacher_map, label))
        student_map, teacher_map = matched("fckd", views, config.student_tap, config.teacher_tap)
        student_map = self.adapter(student_map)
        label = None if label is None else label_at(label, student_map.shape[-2:])
        teacher_logits = resize_to(teacher.logits, student_map)
        return self._terms(student_map, teacher_map, label, self._condense(teacher_logits, label, teacher_map))

    def _logits(self, views: Views) -> tuple[Tensor, Tensor, Tensor | None]:
        student, teacher, label = views.student.logits, require_teacher("fckd", views).logits, views.label
        if self.config.resolution == "label":
            label = require_label("fckd at resolution: label", views)
            return resize_to(student, label), resize_to(teacher, label), label
        return student, resize_to(teacher, student), None if label is None else label_at(label, student.shape[-2:])

    def _condense(self, teacher_logits: Tensor, label: Tensor | None, features: Tensor | None = None) -> Condensation:
        config = self.config
        return condensation(
            teacher_logits,
            label,
            features=features,
            entropy_temperature=config.entropy_temperature,
            mask=config.mask,
            threshold=config.threshold,
            keep=config.keep,
            polarity=config.polarity,
            enhancement=config.enhancement,
            kappa=config.kappa,
            enhancement_temperature=config.enhancement_temperature,
        )

    def _terms(
        self, student: Tensor, teacher: Tensor, label: Tensor | None, condensed: Condensation
    ) -> dict[str, Tensor]:
        config, matrix = self.config, condensed.matrix
        spatial = pixel_kl(
            student,
            teacher,
            label,
            temperature=config.spatial_temperature,
            student_scale=matrix,
            teacher_scale=matrix * condensed.spatial,
            weight=matrix if config.pixel_weight == "matrix" else None,
            mean_over="weight" if config.pixel_weight == "matrix" else "valid",
        )
        channel = channel_kl(
            student,
            teacher,
            label,
            temperature=config.channel_temperature,
            student_scale=matrix,
            teacher_scale=matrix,
            teacher_channel_scale=condensed.channel,
        )
        over = matrix if config.pixel_weight == "matrix" else valid_at(label, student)
        spatial, channel = processes.part_of_mean(spatial, over.sum()), over_images(channel, (label, student))
        return {"fckd.spatial": config.spatial_weight * spatial, "fckd.channel": config.channel_weight * channel}
