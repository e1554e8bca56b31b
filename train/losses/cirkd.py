"""Cross-image relational distillation: which pixels are alike, in the batch and among those of earlier batches."""

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from kernels import attention_kl, class_means
from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX
from train import processes
from train.losses.adapter import adapter_between
from train.losses.contract import Loss, Needs, Source, Views, label_at
from train.losses.draws import Draws
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, matched, require_label
from train.losses.memory_bank import MemoryBank, rank_in_group
from train.losses.sum_of_parts import SumOfParts
from train.losses.valid import over_pixels, valid_at
from train.models.tap_shapes import TapShapes


class CirkdConfig(FeatureLossConfig):
    """Settings of `Cirkd`."""

    source: ClassVar[Source] = Source(
        "Yang et al., Cross-image relational knowledge distillation", "https://arxiv.org/abs/2204.06986", "code"
    )

    name: Literal["cirkd"] = "cirkd"
    temperature: float = Field(default=0.1, gt=0, description="τ of the softmaxes over similarities")
    batch_weight: float = Field(
        default=1.0, ge=0, description="λ of the similarities in the batch; 0: they are not computed"
    )
    pool: int = Field(
        default=1, ge=1, description="side of the average-pooling before those, in pixels of the map; 1 = none"
    )
    pixel_weight: float = Field(
        default=0.1, ge=0, description="λ of those to pixels of earlier batches (VOC: 0.01); 0: no such memory"
    )
    region_weight: float = Field(
        default=0.1, ge=0, description="λ of those to regions of earlier batches (VOC: 0.01); 0: no such memory"
    )
    pixel_memory: int = Field(default=20_000, ge=1, description="pixels a class that are remembered")
    region_memory: int = Field(default=2_000, ge=1, description="regions a class that are remembered")
    pixels_per_image: int = Field(default=16, ge=1, description="pixels a class of each image that go into the memory")
    pixel_contrast: int = Field(default=4_096, ge=1, description="remembered pixels a class that a step compares with")
    region_contrast: int = Field(
        default=1_024, ge=1, description="remembered regions a class that a step compares with"
    )
    seed: int = Field(default=0, ge=0, description="seed of the choice of pixels and of the memory's first content")

    @model_validator(mode="after")
    def _not_nothing(self) -> "CirkdConfig":
        if not (self.batch_weight or self.remembers):
            raise ValueError("cirkd: all three weights are 0 and nothing would be learnt: raise one or remove the loss")
        return self

    @property
    def remembers(self) -> bool:
        """Whether there is a memory at all."""
        return bool(self.pixel_weight or self.region_weight)

    @property
    def needs(self) -> Needs:
        """The two taps; labels and an adapter for the memory."""
        taps = frozenset({self.student_tap}), frozenset({self.teacher_tap})
        return Needs(*taps, labels=self.remembers, adapter=self.remembers, memory_bank=self.remembers)

    def build(self, shapes: TapShapes) -> "Cirkd":
        """The loss; with a projection and memory banks where it remembers."""
        if not self.remembers:
            return Cirkd(self)
        channels = shapes.teacher[self.teacher_tap].channels
        projection = nn.Sequential(
            *adapter_between(shapes, self.student_tap, self.teacher_tap),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=1, bias=False),
        )
        generator = torch.Generator().manual_seed(self.seed)
        pixels, regions = (
            MemoryBank(shapes.classes, size, channels, generator) if weight else None
            for weight, size in ((self.pixel_weight, self.pixel_memory), (self.region_weight, self.region_memory))
        )
        return Cirkd(self, projection, pixels, regions, shapes.classes)


class Cirkd(Loss):
    """Similarities of each pixel, as distributions: those of the student are to be those of the teacher.

    Yang et al., https://arxiv.org/abs/2204.06986, with unit features x, y of maps ``(N, D, H, W)``:

        cirkd.batch  = λ/N² Σ_nm 1/P Σ_i KL(softmax_j(x^T_ni·x^T_mj / τ) ‖ softmax_j(x^S_ni·x^S_mj / τ))   images n, m
        cirkd.pixel  = λ 1/P Σ_i KL(softmax_k(x^T_i·m_k / τ) ‖ softmax_k(y^S_i·m_k / τ))   m: remembered pixels
        cirkd.region = the same with remembered regions, the mean of a class in an image

    i runs over the valid pixels, y is the student's projection (1×1 conv, BN, ReLU, 1×1 conv) to the teacher's D, and m
    are embeddings of the teacher alone: new ones enter before they are compared with. τ is the scale of the
    similarities and brings no factor τ²; the published λ go with that. Channel counts may differ in the batch term,
    which has no adapter. No matrix of all pixels by all others exists, forward or backward. But the batch term takes
    time for N²P² pairs: where maps are large, ``pool``, a switch of the authors' code too, divides that by pool⁴.

    The authors' code differs: the pixels that enter the memory of a class are not those of the class, but any of the
    image, because an index of an index is missing; a ring that is nearly full is written at its end and starts over.

    Args:
        config: the settings.
        projection: of the student's map to the teacher's channels; None: there is no memory.
        pixels: memory of pixels; None: its weight is 0.
        regions: memory of regions.
        classes: C.
    """

    def __init__(
        self,
        config: CirkdConfig,
        projection: nn.Module | None = None,
        pixels: MemoryBank | None = None,
        regions: MemoryBank | None = None,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.config = config
        self.projection = projection
        self.pixels = pixels
        self.regions = regions
        self.classes = classes
        self.draws = Draws(config.seed)

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config = self.config
        student, teacher = matched("cirkd", views, config.student_tap, config.teacher_tap)
        check_label("cirkd", student, views.label)
        terms = {}
        if config.batch_weight:
            label = None if views.label is None else label_at(views.label, student.shape[-2:])
            (x_s, cells), (x_t, _) = (_pooled(m, label, config.pool) for m in (student, teacher.detach()))
            # Pixels are compared with those of the whole batch, whatever process has them.
            x_s, x_t = (processes.all_images(_unit(m)) for m in (x_s, x_t))
            cells = None if cells is None else processes.all_images(cells)
            terms["cirkd.batch"] = config.batch_weight * in_batch(x_s, x_t, cells, config.temperature)
        if self.projection is not None:
            ids = label_at(require_label("cirkd", views), student.shape[-2:])
            terms |= self._to_memory(_unit(self.projection(student)), _unit(teacher.detach()), ids)
        return terms

    def _to_memory(self, student: Tensor, teacher: Tensor, ids: Tensor) -> dict[str, Tensor]:
        config, generator, terms = self.config, self.draws.generator(), {}
        if self.training:
            self._remember(processes.all_images(teacher), processes.all_images(ids), generator)
        for term, bank, weight, count in (
            ("cirkd.pixel", self.pixels, config.pixel_weight, config.pixel_contrast),
            ("cirkd.region", self.regions, config.region_weight, config.region_contrast),
        ):
            if bank is not None:
                memory = bank.sample(count, generator)
                divergence = to_memory(student, teacher, memory, ids, config.temperature)
                terms[term] = weight * over_pixels(divergence, ids, student)
        return terms

    @torch.no_grad()
    def _remember(self, teacher: Tensor, ids: Tensor, generator: torch.Generator) -> None:
        if self.pixels is not None:
            chosen = _some_of_each_class(ids, self.classes, self.config.pixels_per_image, generator)
            embeddings = teacher.flatten(2).transpose(1, 2).flatten(0, 1)[chosen]
            self.pixels.insert(embeddings, ids.flatten()[chosen].long())
        if self.regions is not None:
            present = (ids[:, None] == torch.arange(self.classes, device=ids.device)[:, None, None]).any(3).any(2)
            means = class_means(teacher, ids, self.classes).mean[present]
            self.regions.insert(F.normalize(means, dim=1), present.nonzero()[:, 1])


def in_batch(student: Tensor, teacher: Tensor, label: Tensor | None, temperature: float) -> Tensor:
    """Mean over the pairs of images, both with valid pixels, of the divergence of their pixels' similarities.

    In several processes each of them has rows of its own, and columns of all.

    Args:
        student: unit features of the whole batch, ``(N, D, H, W)``.
        teacher: unit features, ``(N, D', H, W)``.
        label: ``(N, H, W)``, 255 = ignore; None: every pixel is valid.
        temperature: τ.
    """
    images, own = student.shape[0], processes.own_images
    valid = valid_at(label, student).flatten(1)

    def pairs(step: int) -> Tensor:
        """Which valid pixels of each image are compared with the image so many further on."""
        return valid & valid.roll(step, 0).any(1, keepdim=True)

    total_rows = torch.stack([pairs(step).sum() for step in range(images)]).sum().clamp(min=1)

    def with_image_further_on(student: Tensor, step: int) -> Tensor:
        divergence = attention_kl(
            own(student),
            own(teacher),
            None if label is None else own(label),
            student_keys=own(student.roll(step, 0)),
            teacher_keys=own(teacher.roll(step, 0)),
            label_keys=None if label is None else own(label.roll(step, 0)),
            temperature=temperature,
        )
        rows = pairs(step)
        return processes.part_of_mean(divergence, own(rows).sum()) * (rows.sum() / total_rows)

    total: Tensor = SumOfParts.apply(student, images, with_image_further_on)
    return total


def to_memory(student: Tensor, teacher: Tensor, memory: Tensor, label: Tensor, temperature: float) -> Tensor:
    """Mean over the valid pixels of the divergence of their similarities to the ``memory`` ``(K, D)``.

    Args:
        student: unit features in the teacher's space, ``(N, D, H, W)``.
        teacher: unit features, ``(N, D, H, W)``.
        memory: unit vectors.
        label: ``(N, H, W)``, 255 = ignore.
        temperature: τ.
    """
    keys = memory.to(student).mT[None, :, :, None]
    return attention_kl(
        student, teacher, label, student_keys=keys, teacher_keys=keys, temperature=temperature, across_images=True
    )


def _pooled(features: Tensor, label: Tensor | None, side: int) -> tuple[Tensor, Tensor | None]:
    """Means over the valid pixels of each cell, and 0 where a cell has some, 255 where it has none."""
    if side == 1:
        return features, label
    features, valid = accumulable(features), valid_at(label, features)[:, None]
    total, count = (
        F.avg_pool2d(m.to(features), side, ceil_mode=True, divisor_override=1)
        for m in (torch.where(valid, features, 0), valid)
    )
    return total / count.clamp(min=1), torch.where(count[:, 0] > 0, 0, IGNORE_INDEX)


def _unit(features: Tensor) -> Tensor:
    return F.normalize(accumulable(features), dim=1)


def _some_of_each_class(ids: Tensor, classes: int, count: int, generator: torch.Generator) -> Tensor:
    """Indices into the flat ``ids`` ``(N, H, W)``: at most ``count`` random pixels of each class of each image."""
    flat = ids.flatten().long()
    valid = (flat != IGNORE_INDEX).nonzero()[:, 0]
    shuffled = valid[torch.randperm(len(valid), generator=generator).to(valid.device)]
    image = shuffled // ids[0].numel()
    return shuffled[rank_in_group(image * classes + flat[shuffled], len(ids) * classes) < count]
