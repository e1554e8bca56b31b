"""What the figures of a comparison say: means over seeds, and the differences between arms, each computed once."""

from dataclasses import dataclass

from train.compare.results import Arm, Results, RunScores, Student
from train.compare.spread import Spread, median, spread
from train.compare.statistics import Difference, class_differences, difference, scalar_difference
from train.progress import progress

KD = "kd"
"""The plain method that all others should be above as well."""
_COMPARED = ("last_miou", "macc", "boundary_f", "tc", "flips_per_s")
_ORDER = ("baseline", "longer", "method")


@dataclass(frozen=True)
class Scored:
    """An arm's runs on one split. Means of shares in 0..1; None: no run has the figure."""

    miou: Spread
    last_miou: Spread | None
    macc: Spread | None
    pixel_accuracy: Spread | None
    boundary_f: Spread | None
    tc: Spread | None
    flips_per_s: Spread | None
    class_iou: dict[str, Spread | None]
    against: dict[str, Difference]
    """mIoU less that of another arm of the student, by its method's name; only where they have a seed in common."""
    to_baseline: dict[str, Difference]
    """Other scores less the baseline's, by their names here; intervals allow for other seeds, not for other images."""


@dataclass(frozen=True)
class ArmFindings:
    """One arm. Medians over seeds; None: no meter was read."""

    arm: Arm
    val: Scored
    test: Scored | None
    seconds: float | None
    cpu_joules: float | None
    gpu_joules: float | None
    classes: dict[str, Difference | None]
    """IoU on the val split less the baseline's; none: this is the baseline, or they have no seed in common."""

    @property
    def method(self) -> str:
        """Its name."""
        return self.arm.method


@dataclass(frozen=True)
class StudentFindings:
    """One student, and its arms: the baseline, the one trained longer, the methods."""

    student: Student
    arms: list[ArmFindings]

    @property
    def baseline(self) -> ArmFindings:
        """What all others are compared with."""
        return next(found for found in self.arms if found.arm.kind == "baseline")

    @property
    def longer(self) -> ArmFindings | None:
        """The baseline trained longer."""
        return next((found for found in self.arms if found.arm.kind == "longer"), None)

    @property
    def plain(self) -> ArmFindings | None:
        """Plain distillation."""
        return next((found for found in self.methods if found.method == KD), None)

    @property
    def methods(self) -> list[ArmFindings]:
        """All that is neither of the two."""
        return [found for found in self.arms if found.arm.kind == "method"]

    @property
    def best(self) -> ArmFindings:
        """The method of the highest mean mIoU on the val split; without a method the best of the other arms."""
        return max(self.methods or self.arms, key=lambda found: found.val.miou.mean)

    @property
    def further_references(self) -> list[str]:
        """Methods besides the baseline that others are compared with."""
        asked = {name for found in self.arms for name in found.val.against}
        candidates = filter(None, (self.plain, self.longer))
        return [found.method for found in candidates if found.method in asked]


@dataclass(frozen=True)
class Findings:
    """All that tables, plots and pages show."""

    results: Results
    students: list[StudentFindings]


def find(results: Results) -> Findings:
    """Compute them, which takes seconds a difference; says how far it is."""
    arms = [arm for arm in results.arms if arm.runs]
    found = [_arm(arm, results) for arm in progress(arms, "differences", len(arms))]
    students = []
    for student in results.students:
        own = [one for one in found if one.arm.student == student.name]
        students.append(StudentFindings(student, sorted(own, key=lambda one: _ORDER.index(one.arm.kind))))
    return Findings(results, students)


def _arm(arm: Arm, results: Results) -> ArmFindings:
    baseline = results.baseline(arm.student)
    others = [other for other in results.arms if other.student == arm.student and other.runs]
    compared = {other.method: other.runs for other in others if _is_compared(arm, other)}
    own_classes = baseline.method in compared
    return ArmFindings(
        arm=arm,
        val=_scored(arm.runs, compared, baseline.method, results.block),
        test=_scored(arm.tested, _tested(arm, baseline), baseline.method, results.block) if arm.tested else None,
        seconds=median(run.seconds for run in arm.runs),
        cpu_joules=median(run.cpu_joules for run in arm.runs),
        gpu_joules=median(run.gpu_joules for run in arm.runs),
        classes=class_differences(arm.runs, baseline.runs, results.block) if own_classes else {},
    )


def _is_compared(arm: Arm, other: Arm) -> bool:
    """All with the baseline; methods with the one trained longer and with plain distillation, too."""
    if arm.kind == "baseline" or arm is other or not _share_a_seed(arm.runs, other.runs):
        return False
    return other.kind == "baseline" or (arm.kind == "method" and (other.kind == "longer" or other.method == KD))


def _share_a_seed(ours: list[RunScores], others: list[RunScores]) -> bool:
    """While trainings go on, two arms may have finished other seeds."""
    return bool({run.seed for run in ours} & {run.seed for run in others})


def _tested(arm: Arm, baseline: Arm) -> dict[str, list[RunScores]]:
    wanted = arm is not baseline and _share_a_seed(arm.tested, baseline.tested)
    return {baseline.method: baseline.tested} if wanted else {}


def _scored(runs: list[RunScores], others: dict[str, list[RunScores]], baseline: str, block: int) -> Scored:
    miou = spread(run.miou for run in runs)
    assert miou is not None  # there is no arm without a run
    return Scored(
        miou=miou,
        last_miou=spread(run.last_miou for run in runs),
        macc=spread(run.macc for run in runs),
        pixel_accuracy=spread(run.pixel_accuracy for run in runs),
        boundary_f=spread(run.boundary_f for run in runs),
        tc=spread(run.tc for run in runs),
        flips_per_s=spread(run.flips_per_s for run in runs),
        class_iou={name: spread(run.class_iou[name] for run in runs) for name in runs[0].class_iou},
        against={name: difference(runs, other, block) for name, other in others.items()},
        to_baseline=_differences(runs, others.get(baseline, [])),
    )


def _differences(runs: list[RunScores], baseline: list[RunScores]) -> dict[str, Difference]:
    """Of the scores that both have, over the seeds with which they have them."""
    paired = [(run, other) for run in runs for other in baseline if run.seed == other.seed]
    found = {}
    for name in _COMPARED:
        scores = [(getattr(run, name), getattr(other, name)) for run, other in paired]
        there = [pair for pair in scores if None not in pair]
        if there:
            found[name] = scalar_difference([ours for ours, _ in there], [others for _, others in there])
    return found
