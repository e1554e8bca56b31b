"""Optimiser, learning-rate schedule and weight average: how a step changes the weights."""

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class OptimizerConfig(BaseModel):
    """Optimiser and learning-rate schedule."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["sgd", "adamw"] = Field(default="adamw", description="optimiser")
    lr: float = Field(default=2e-3, gt=0, description="peak learning rate, of the whole batch: it is never scaled")
    weight_decay: float = Field(default=1e-2, ge=0, description="decay of weights; not of biases and normalisations")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="momentum of sgd")
    schedule: Literal["poly", "cosine"] = Field(default="poly", description="shape of the decay to zero")
    power: float = Field(default=0.9, gt=0, description="exponent of poly")
    warmup_steps: int = Field(default=50, ge=0, description="steps of linear warm-up from zero")
    clip_norm: float = Field(default=5.0, ge=0, description="largest gradient norm; 0 switches clipping off")
    ema_decay: float = Field(
        default=0.0, ge=0, lt=1, description="decay of the weight average that is evaluated; 0: none"
    )


def build_optimizer(config: OptimizerConfig, modules: Iterable[nn.Module]) -> optim.Optimizer:
    """The optimiser over all parameters of ``modules``, with weight decay on matrices and kernels only."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "sgd":
        return optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    return optim.AdamW(groups, lr=config.lr)


def learning_rate(config: OptimizerConfig, step: int, total_steps: int) -> float:
    """The learning rate of ``step``, counted from 0, of ``total_steps``."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, total_steps - config.warmup_steps)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1.0 + math.cos(math.pi * progress))
    return config.lr * float((1.0 - progress) ** config.power)


def set_learning_rate(optimizer: optim.Optimizer, lr: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def build_average(config: OptimizerConfig, network: nn.Module) -> AveragedModel | None:
    """The exponential moving average of weights and buffers, or None where it is switched off."""
    if config.ema_decay == 0.0:
        return None
    average = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
