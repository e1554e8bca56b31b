"""``python -m train.scaling CONFIG --processes 1 2``: what a step costs on several processes of this machine."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from train.command import command
from train.errors import UserError
from train.step_cost import StepCost


def main() -> None:
    options, changes = _options()
    costs = []
    for count in options.processes:
        print(f"{count} processes, {options.steps} steps", flush=True)
        costs.append(_measure(options.config, count, options.steps, changes))
    print(table(costs))
    if options.json:
        options.json.write_text(json.dumps([vars(cost) for cost in costs], indent=2) + "\n", encoding="utf-8")


def table(costs: list[StepCost]) -> str:
    """Markdown: a row for each number of processes, compared with the first one."""
    first = costs[0]
    lines = [
        "| processes | device | images a step | of a process | ms a step | images/s | speed-up | of a bare loop "
        "| MiB a process |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for cost in costs:
        rate = 1000 * cost.batch_size / cost.ms
        share = cost.batch_size // cost.processes
        speed_up = rate / (1000 * first.batch_size / first.ms)
        lines.append(
            f"| {cost.processes} | {cost.device} | {cost.batch_size} | {share} | {cost.ms:.0f} | {rate:.1f} "
            f"| {speed_up:.2f} | {cost.bare_ms / cost.ms:.0%} | {cost.mib:.0f} |"
        )
    return "\n".join(lines)


def _measure(config: Path, count: int, steps: int, changes: list[str]) -> StepCost:
    launcher = [sys.executable, "-m"]
    if count > 1:
        launcher += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "cost.json"
        arguments = [str(config), str(target), "--loop.steps", str(steps), *changes]
        if subprocess.run([*launcher, "train.step_cost", *arguments], check=False).returncode:
            raise UserError(f"{config} on {count} processes: failed, see above")
        return StepCost(**json.loads(target.read_text(encoding="utf-8")))


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m train.scaling",
        description="Time and memory of a training step on several processes of this machine, as a Markdown table. "
        "The batch of the config is shared among them. Other options, --loop.threads 1 for one, go to the training.",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML of train.distill or train.teacher")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="how many, in turn (default: 1 2)")
    parser.add_argument("--steps", type=int, default=30, help="steps each; the first 3 do not count (default: 30)")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    return parser.parse_known_args()


if __name__ == "__main__":
    command(main)
