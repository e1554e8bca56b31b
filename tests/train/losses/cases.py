"""Every loss with every switch, for the tests of what all of them promise."""

from dataclasses import dataclass

from train.losses.afd import AfdConfig
from train.losses.at import AtConfig
from train.losses.boundary import BoundaryConfig
from train.losses.bpkd import BpkdConfig
from train.losses.cirkd import CirkdConfig
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
from train.losses.registry import AnyLossConfig
from train.losses.skd_pair import SkdPairConfig
from train.losses.wkd import WkdConfig


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
    differentiable: bool = True
    """The gradient is that of the value. (Not so where a weight that follows the student is held constant.)"""
    same_twice: bool = True
    """The same for a batch given twice. (Not so for an unbiased estimator, which knows how many samples it has.)"""


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
    "pfs": Case(PfsConfig()),
    "pfs, attention": Case(PfsConfig(form="attention", temperature=0.3)),
    "wkd": Case(WkdConfig(), differentiable=False),
    "wkd, absolute": Case(WkdConfig(gap="absolute"), differentiable=False),
    "wkd, cross_entropy": Case(WkdConfig(gap="cross_entropy", temperature=2), differentiable=False),
    "wkd, kl": Case(WkdConfig(gap="kl"), differentiable=False),
    "wkd, not normalised": Case(WkdConfig(normalise=False), differentiable=False),
    # Each network has projections of its own, and D is -1e-8 where both are aligned.
    "cskd": Case(CskdConfig(), zero_at_teacher=False),
    "cskd, no attention": Case(CskdConfig(channel_gamma=0, position_gamma=0, grid=2), zero_at_teacher=False),
    "cskd, released": Case(CskdConfig(mode="released"), zero_at_teacher=False),
    # It draws anew in each call, but for eval mode.
    "cskd, redrawn": Case(CskdConfig(mode="released", position_gamma=1), zero_at_teacher=False, half=False),
    "cskd, debiased": Case(CskdConfig(mode="debiased"), zero_at_teacher=False, same_twice=False),
    "mlkd": Case(MlkdConfig(), zero_at_teacher=False, half=False),
    "mlkd, attention": Case(MlkdConfig(low="attention", mid_weight=0, high_weight=0, consistency_weight=0)),
    "mlkd, cwd": Case(
        MlkdConfig(low="cwd", stages=(8, 32), mid_weight=0, high_weight=0, consistency_weight=0),
        zero_at_teacher=False,
        half=False,
    ),
    "mlkd, mid": Case(MlkdConfig(low_weight=0, high_weight=0, consistency_weight=0)),
    "mlkd, high": Case(MlkdConfig(low_weight=0, mid_weight=0, consistency_weight=0)),
    # The student is compared with itself.
    "mlkd, consistency": Case(MlkdConfig(low_weight=0, mid_weight=0, high_weight=0), zero_at_teacher=False),
    "fitnet": Case(FitnetConfig(), zero_at_teacher=False, half=False),
    "fitnet, l2": Case(FitnetConfig(norm="l2"), zero_at_teacher=False, half=False),
    "fitnet, channel": Case(FitnetConfig(norm="channel"), zero_at_teacher=False, half=False),
    "at": Case(AtConfig()),
    "skd_pair": Case(SkdPairConfig()),
    "skd_pair, not pooled": Case(SkdPairConfig(pool=1)),
    "ifvd": Case(IfvdConfig()),
    "cwd": Case(CwdConfig()),
    "cwd, features": Case(CwdConfig(on="features"), zero_at_teacher=False, half=False),
    "cirkd": Case(
        CirkdConfig(pixel_memory=20, region_memory=10, pixel_contrast=12, region_contrast=8),
        zero_at_teacher=False,
        half=False,
    ),
    "cirkd, batch": Case(CirkdConfig(pixel_weight=0, region_weight=0)),
    "cirkd, pooled": Case(CirkdConfig(pixel_weight=0, region_weight=0, pool=2)),
    "cirkd, regions": Case(
        CirkdConfig(batch_weight=0, pixel_weight=0, region_memory=10), zero_at_teacher=False, half=False
    ),
    "dist": Case(DistConfig()),
    "dist, temperature": Case(DistConfig(temperature=3)),
    "dkd": Case(DkdConfig()),
    "dkd, temperature": Case(DkdConfig(temperature=4)),
    "bpkd": Case(BpkdConfig(radius=1)),
    "bpkd, temperature": Case(BpkdConfig(radius=2, temperature=4)),
    # Each image has a mask of its own.
    "mgd": Case(MgdConfig(), zero_at_teacher=False, half=False, same_twice=False),
    "mgd, no mask": Case(MgdConfig(mask_ratio=0), zero_at_teacher=False, half=False),
    # The head is no part of the student, and its probabilities are no part of the gradient of what they choose.
    "boundary": Case(BoundaryConfig(), zero_at_teacher=False, pixel_local=False, half=False),
    "boundary, everywhere": Case(
        BoundaryConfig(threshold=0, radius=1), zero_at_teacher=False, pixel_local=False, half=False
    ),
    "afd": Case(AfdConfig(), zero_at_teacher=False, half=False),
}


def named(**flags: bool) -> list[str]:
    """Names of the cases with these flags."""
    return [name for name, case in CASES.items() if all(getattr(case, flag) == value for flag, value in flags.items())]
