"""Every loss with every switch, for the tests of what all of them promise."""

from dataclasses import dataclass

from train.losses.at import AtConfig
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.cwd import CwdConfig
from train.losses.fckd import FckdConfig
from train.losses.fitnet import FitnetConfig
from train.losses.ifvd import IfvdConfig
from train.losses.kd import KdConfig
from train.losses.registry import AnyLossConfig
from train.losses.skd_pair import SkdPairConfig


@dataclass(frozen=True)
class Case:
    config: AnyLossConfig
    zero_at_teacher: bool = True
    """0, with no gradient, for a student that shows just what its teacher shows."""
    pixel_local: bool = True
    """A map's ignored pixels have no part in the terms of the others. (Not so where a convolution mixes them.)"""
    no_valid_is_zero: bool = True
    """0 where no pixel is valid."""
    half: bool = True
    """Sums in single precision; losses with layers of their own leave that to autocast."""


CASES: dict[str, Case] = {
    "cross_entropy": Case(CrossEntropyConfig(), zero_at_teacher=False),
    "kd": Case(KdConfig()),
    "kd, temperature": Case(KdConfig(temperature=4)),
    "kd, label": Case(KdConfig(temperature=2, resolution="label")),
    "fckd": Case(FckdConfig(), zero_at_teacher=False),
    "fckd, no enhancement": Case(FckdConfig(kappa=0)),
    "fckd, unbounded": Case(FckdConfig(enhancement="unbounded", enhancement_temperature=5), zero_at_teacher=False),
    "fckd, threshold": Case(FckdConfig(mask="threshold", threshold=0.3), zero_at_teacher=False),
    "fckd, keep": Case(FckdConfig(mask="keep", keep=0.4, entropy_temperature=2), zero_at_teacher=False),
    "fckd, uncertain": Case(FckdConfig(polarity="uncertain"), zero_at_teacher=False),
    "fckd, weighted": Case(FckdConfig(pixel_weight="matrix"), zero_at_teacher=False),
    "fckd, label": Case(FckdConfig(resolution="label"), zero_at_teacher=False),
    "fckd, features": Case(FckdConfig(on="features"), zero_at_teacher=False, half=False),
    "fckd, features, weighted": Case(
        FckdConfig(on="features", mask="keep", pixel_weight="matrix", kappa=0.5), zero_at_teacher=False, half=False
    ),
    "fitnet": Case(FitnetConfig(), zero_at_teacher=False, half=False),
    "fitnet, l2": Case(FitnetConfig(norm="l2"), zero_at_teacher=False, half=False),
    "fitnet, channel": Case(FitnetConfig(norm="channel"), zero_at_teacher=False, half=False),
    "at": Case(AtConfig()),
    "skd_pair": Case(SkdPairConfig()),
    "skd_pair, not pooled": Case(SkdPairConfig(pool=1)),
    "ifvd": Case(IfvdConfig()),
    "cwd": Case(CwdConfig()),
    "cwd, features": Case(CwdConfig(on="features"), zero_at_teacher=False, half=False),
}


def named(**flags: bool) -> list[str]:
    """Names of the cases with these flags."""
    return [name for name, case in CASES.items() if all(getattr(case, flag) == value for flag, value in flags.items())]
