"""What a comparison has found, in sentences."""

from train.compare.findings import ArmFindings, StudentFindings
from train.compare.output.wording import listed, points


def headline(found: StudentFindings) -> list[str]:
    """Which methods beat the baseline of a student, by how much, at what cost, and which show no difference."""
    name, base = found.student.name, found.baseline
    whose = f"the {'tuned ' if base.arm.trials else ''}baseline, whose mIoU is {points(base.val.miou.mean)}"
    if not found.methods:
        return [f"{name}: there is no method to compare with {whose}."]
    if all(len(arm.arm.runs) == 1 for arm in found.methods):
        return [f"{name}: one seed, so that nothing is shown against {whose}: another seed may turn the order round."]
    better = _shown(found, base, above=True)
    if better:
        beat = "beats" if len(better) == 1 else "beat"
        first = f"{name}: {len(better)} of {len(found.methods)} methods {beat} {whose}: {_gains(better, base)}."
    else:
        first = f"{name}: no method is shown to beat {whose}."
    return [
        first,
        *_rest(found),
        *_longer(found),
        *_also(found, found.longer, better),
        *_also(found, found.plain, better),
    ]


def _gains(better: list[ArmFindings], base: ArmFindings) -> str:
    """How much, and at what cost; only the first says of what."""
    gains: list[str] = []
    for arm in better:
        said = f"{arm.method} by {points(arm.val.against[base.method].mean)}{'' if gains else ' points'}"
        if arm.seconds and base.seconds:
            said += f" in {arm.seconds / base.seconds:.1f} times{'' if gains else ' its training time'}"
        gains.append(said)
    return listed(gains)


def _rest(found: StudentFindings) -> list[str]:
    """Methods that are worse, and those of which nothing is shown."""
    base = found.baseline
    below = _shown(found, base, above=False)
    known = [*below, *_shown(found, base, above=True)]
    losses = [f"{arm.method} by {points(-arm.val.against[base.method].mean)} points" for arm in below]
    said = [f"Worse than the baseline: {listed(losses)}."] if below else []
    unknown = [arm.method for arm in found.methods if arm not in known]
    return said + ([f"No difference shown: {listed(unknown)}."] if unknown else [])


def _longer(found: StudentFindings) -> list[str]:
    """What time alone does."""
    longer = found.longer
    difference = longer.val.against.get(found.baseline.method) if longer else None
    if longer is None or difference is None:
        return []
    times = f"Trained with {longer.arm.steps / found.baseline.arm.steps:.1f} times the steps, the baseline itself"
    if not difference.shown:
        return [f"{times} shows no difference."]
    return [f"{times} {'gains' if difference.mean > 0 else 'loses'} {points(abs(difference.mean))} points."]


def _also(found: StudentFindings, other: ArmFindings | None, better: list[ArmFindings]) -> list[str]:
    """Which of the better methods are above another arm, too."""
    asked = [arm for arm in better if other and other.method in arm.val.against]
    if other is None or not asked:
        return []
    above = [arm.method for arm in _shown(found, other, above=True) if arm in asked]
    name = "the baseline trained longer" if other is found.longer else other.method
    return [f"Shown to beat {name} as well: {listed(above) or 'none of these'}."]


def _shown(found: StudentFindings, other: ArmFindings, above: bool) -> list[ArmFindings]:
    """Methods that are above another arm, or below it, for all the interval says; the farthest first."""
    compared = [(arm, arm.val.against[other.method]) for arm in found.methods if other.method in arm.val.against]
    shown = [(arm, one.mean) for arm, one in compared if one.shown and (one.mean > 0) == above]
    return [arm for arm, _ in sorted(shown, key=lambda pair: -abs(pair[1]))]
