"""What a comparison has found, in sentences."""

from train.compare.findings import ArmFindings, StudentFindings
from train.compare.wording import interval, listed, mean_and_std, signed


def headline(found: StudentFindings) -> list[str]:
    """Which methods beat the tuned baseline of a student, by how much, at what cost, and which show no difference."""
    base = found.baseline
    start = f"{found.student.name}: the tuned baseline has a mIoU of {mean_and_std(base.val.miou)}"
    if not found.methods:
        return [f"{start}; there is no method to compare it with."]
    if all(arm.is_of_one_seed for arm in found.methods):
        return [f"{start}. With one seed nothing is shown: the next one may turn the order round."]
    better = _shown(found, base, above=True)
    count = f"{len(better)} of {len(found.methods)} methods" if better else "none of the methods"
    beats = "beats" if len(better) <= 1 else "beat"
    sentences = [f"{start}; {count} {beats} it.", *_gains(better, base), *_rest(found)]
    return [*sentences, *_also(found, found.longer, better), *_also(found, found.plain, better)]


def _gains(better: list[ArmFindings], base: ArmFindings) -> list[str]:
    """The greatest gain first."""
    ordered = sorted(better, key=lambda arm: -arm.val.against[base.method].mean)
    return [f"{_gain(arm, base)}{_cost(arm, base)}." for arm in ordered]


def _gain(arm: ArmFindings, other: ArmFindings) -> str:
    difference = arm.val.against[other.method]
    return f"{arm.method} {signed(difference.mean)} points ({interval(difference)})"


def _cost(arm: ArmFindings, base: ArmFindings) -> str:
    if not arm.seconds or not base.seconds:
        return ""
    return f" for {arm.seconds / base.seconds:.1f} times its training time"


def _rest(found: StudentFindings) -> list[str]:
    """Methods that are worse, and those of which nothing is shown."""
    base = found.baseline
    below = _shown(found, base, above=False)
    known = [*below, *_shown(found, base, above=True)]
    unknown = [arm.method for arm in found.methods if arm not in known]
    said = [f"Worse than it: {listed([_gain(arm, base) for arm in below])}."] if below else []
    return said + ([f"No difference shown: {listed(unknown)}."] if unknown else [])


def _also(found: StudentFindings, other: ArmFindings | None, better: list[ArmFindings]) -> list[str]:
    """Which of the better methods are above another arm, too."""
    if other is None or not any(other.method in arm.val.against for arm in better):
        return []
    name = "the baseline trained longer" if other is found.longer else other.method
    above = [_gain(arm, other) for arm in better if arm in _shown(found, other, above=True)]
    return [f"Above {name} as well: {listed(above) if above else 'none is shown to be'}."]


def _shown(found: StudentFindings, other: ArmFindings, above: bool) -> list[ArmFindings]:
    """Methods that are above another arm, or below it, for all the interval says."""
    compared = [(arm, arm.val.against.get(other.method)) for arm in found.methods]
    return [arm for arm, one in compared if one is not None and one.shown and (one.mean > 0) == above]
