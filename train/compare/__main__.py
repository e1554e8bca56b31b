"""``python -m train.compare CONFIG.yaml [--key value ...]``: which methods help a student, and what they cost."""

import sys
import time

from train.command import command
from train.compare.arms import open_arms
from train.compare.collect import collect
from train.compare.config import CompareConfig
from train.compare.findings import find
from train.compare.further_processes import further_processes
from train.compare.output.document import merge
from train.compare.output.files import write
from train.compare.output.headlines import headline
from train.compare.plan import budget_s, make_plan
from train.compare.rehearsal import rehearse
from train.compare.schedule import Schedule
from train.compare.worker import work
from train.quantities import duration
from train.settings import load_config


def main() -> None:
    began, arguments = time.monotonic(), sys.argv[1:]
    config = load_config(CompareConfig, "python -m train.compare", arguments)
    until = began + budget_s(config)
    arms = open_arms(config)
    if config.tables and config.train:
        rehearse(arms)
    plan = make_plan(config, arms, until)
    if plan.seconds is not None:
        print(f"plan: {plan.trials} trials and {len(plan.seeds)} seeds an arm, about {duration(plan.seconds)}")
    for note in plan.notes:
        print(note, flush=True)
    schedule = Schedule(arms, plan)
    schedule.check()
    if config.train and not _train(config, arguments, schedule, until):
        print("the budget is used up: run the same command again to go on; what is there is shown")
    if config.tables:
        findings = find(collect(config, schedule, plan, arguments))
        for path in write(findings, config.root):
            print(path)
        for line in (line for student in findings.students for line in headline(student)):
            print(line)
        if config.merge is not None:
            merge(config.merge, config.name, (config.root / "section.md").read_text(encoding="utf-8"))


def _train(config: CompareConfig, arguments: list[str], schedule: Schedule, until: float) -> bool:
    """All that is missing; False: the time is over before."""
    with further_processes(config, arguments) as look:
        return work(config, schedule, until, look)


if __name__ == "__main__":
    command(main)
