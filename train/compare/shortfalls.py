"""What a comparison could not show, a sentence each: what is missing, and why."""

from train.compare.arm_schedule import ArmSchedule
from train.compare.arms import ArmConfig
from train.compare.config import CompareConfig
from train.compare.job import Job


def uncontrolled(config: CompareConfig) -> list[str]:
    """What the control would have shown."""
    said = "No baseline is trained for longer: what the time of a dearer method gives without the method is not shown."
    return [] if config.control or len(config.methods) == 1 else [said]


def chosen_on(config: CompareConfig) -> list[str]:
    """What a test split would have shown."""
    said = (
        "There is no test split: scores are of val, where checkpoints and parameters of all arms were chosen alike; of "
        "other images they may be too high."
    )
    return [] if config.test_split else [said]


def of_teachers(arms: list[ArmConfig]) -> list[str]:
    """What is not in the training times, and which teacher is not in the tables."""
    taught = [arm for arm in arms if arm.base.teacher is not None]
    teachers = [arm.base.teacher for arm in taught]
    said = []
    if any(teacher.cache for teacher in teachers if teacher):
        said.append(
            "What the teacher says is kept, and all trainings share it: their times hold little of what asking it "
            "takes, and the control is only as long as the dearest method is with answers that are there."
        )
    if any(teacher != teachers[0] for teacher in teachers):
        said.append(f"Not all methods have the same teacher: the one in the tables is that of {taught[0].method}.")
    return said


def other_teachers(runs: list[str], title: str) -> list[str]:
    """Runs whose teacher was trained again after them, under its name."""
    said = f"{title} has other weights now than when it taught these: {', '.join(runs)}."
    return [said] if runs else []


def missing(name: str, tuned: ArmSchedule, finals: list[Job]) -> list[str]:
    """Seeds that an arm lacks.

    Args:
        name: of the arm.
        tuned: its tuning.
        finals: its final runs, as far as they are known.
    """
    seeds, failed = len(tuned.plan.seeds), sum(job.failure is not None for job in finals)
    there = sum(job.done for job in finals) - failed
    if there == seeds:
        return []
    trials = tuned.trials() or []
    if trials and not any(trial.miou for trial in trials):
        why = ["the losses of all its trials were no longer finite"]
    else:
        why = [f"the losses of {failed} were no longer finite"] if failed else []
        why += [f"{seeds - there - failed} not trained yet"] if there + failed < seeds else []
    return [f"{name}: {there} of {seeds} seeds are there: {' and '.join(why)}."]


def later(runs: list[str]) -> list[str]:
    """Runs that were trained when the test split had been looked at."""
    said = f"The test split had been looked at before these were trained: {', '.join(runs)}."
    return [said] if runs else []


def left_out(students: list[str]) -> list[str]:
    """Students without a baseline."""
    return [f"{name}: no run of its baseline is there, and nothing of it can be compared." for name in students]


def different_devices(devices: object) -> list[str]:
    """Trainings of several machines."""
    said = "Not all was trained on the same device: times and energy of arms cannot be compared."
    return [said] if isinstance(devices, list) else []
