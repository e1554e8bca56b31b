"""``python -m train.prune RUN --target-macs 0.5 [--key value ...]``: prune a run's network, then let it learn again.

The pruned network is a student like any other, in a run of its own, taught by the unpruned one.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
import yaml
from rich.console import Console
from safetensors.torch import save_file

from train import processes
from train.checkpoint import TrainedNetwork, load_run
from train.checkpoint_files import load_state
from train.command import command
from train.config import RunConfig
from train.data.dataset import Dataset
from train.durable import atomic_path, discard, writing
from train.errors import UserError
from train.evaluation import predictions
from train.history import History
from train.losses.kd import KdConfig
from train.metrics import ConfusionMatrix, scores
from train.models.build import cost
from train.models.latency import medians, passes
from train.models.network import SegmentationNetwork
from train.precision import choose_device
from train.progress import progress
from train.pruning.channels import Scope
from train.pruning.record import PruningRecord, Size, table
from train.pruning.search import PASSES, Pruned, search
from train.pruning.target import Target, macs_target, ms_target
from train.recipe import train
from train.run_directory import START, RunDirectory, check_new
from train.session import open_session
from train.settings import load_config


def main() -> None:
    options, changes = _options()
    with processes.joined():
        source = _load_finished(options.run, options.checkpoint)
        config = _config(options, source.config, changes)
        run = RunDirectory(config.out / config.name)
        if config.resume and (run.root / "config.yaml").is_file():
            record = PruningRecord.read(run.root)
            record.check_same(_asked(options))
        else:
            check_new(config)
            record = _prune(options, replace(source, config=config))
        train(config.model_copy(update={"overwrite": False, "model": record.model}))
        if processes.is_first():
            best = History.of(run.records()).best
            record = record.model_copy(update={"miou_distilled": best["miou"] if best else None})
            record.write(run.root)
            Console().print(table(record))


def _prune(options: argparse.Namespace, source: TrainedNetwork) -> PruningRecord:
    """Everything is tried before anything is written: the search, then the training's config, data and teacher."""
    config = source.config
    if processes.count() > 1:
        raise UserError("prune in one process; several may go on with its training: the same command with --resume")
    torch.set_num_threads(config.loop.threads or torch.get_num_threads())
    source.network.to(choose_device(config.loop.device))
    pruned = search(source, _target(options, source), options.scope)
    target = config.out / config.name
    with tempfile.TemporaryDirectory() as folder:
        tried = _save(pruned.network, Path(folder))
        changes = {"model": pruned.model.model_copy(update={"start": tried}), "profile": True}
        session = open_session(config.model_copy(update=changes))
    unpruned, left = _sizes([source.network, pruned.network], session.val_set, config)
    run, checkpoint, asked, scope = _asked(options)
    record = PruningRecord(
        run=run,
        checkpoint=checkpoint,
        target=asked,
        scope=scope,
        ratio=pruned.ratio,
        model=pruned.model.model_copy(update={"start": target / START}),
        unpruned=unpruned,
        pruned=left,
    )
    Console().print(table(record))
    _write(target, pruned, record)
    return record


def _write(target: Path, pruned: Pruned, record: PruningRecord) -> None:
    with writing(target, "make room, or choose another folder with --out"):
        if target.exists():
            discard(target)
        target.mkdir(parents=True)
        _save(pruned.network, target)
        record.write(target)


def _save(network: SegmentationNetwork, folder: Path) -> Path:
    with atomic_path(folder / START) as path:
        save_file({key: value.cpu().contiguous() for key, value in network.state_dict().items()}, path)
    return folder / START


def _sizes(networks: list[SegmentationNetwork], val_set: Dataset, config: RunConfig) -> list[Size]:
    size = config.data.size
    times = medians(passes(networks, [size] * len(networks), PASSES))
    return [
        Size(
            parameters=cost(network, size).parameters,
            macs=cost(network, size).macs,
            ms=ms,
            miou=_miou(network, val_set, config, name),
        )
        for name, network, ms in zip(("unpruned", "pruned"), networks, times, strict=True)
    ]


def _miou(network: SegmentationNetwork, val_set: Dataset, config: RunConfig, name: str) -> float:
    matrix = ConfusionMatrix(len(val_set.classes))
    for seen in progress(predictions(network, val_set, config.data.size), f"score {name}", len(val_set)):
        matrix.add(seen.sample.label, seen.ids)
    return scores(matrix, val_set.classes).miou


def _load_finished(root: Path, checkpoint: str) -> TrainedNetwork:
    run = RunDirectory(root)
    done, steps = int(load_state(run.checkpoint("last"))["step"]), run.config().loop.steps
    if done < steps:
        raise UserError(f"{root}: not finished, {done} of {steps} steps: go on with --resume, then prune it")
    return load_run(root, "last" if checkpoint == "last" else "best")


def _config(options: argparse.Namespace, source: RunConfig, changes: list[str]) -> RunConfig:
    """The source's own config, with the source as the teacher, and whatever the command line says otherwise."""
    for change in changes:
        if change.startswith(("--model", "--profile")):
            raise UserError(f"command line: {change}: does not apply to the pruned network of {options.run}: remove it")
    plain = source.model_dump(mode="json", exclude={"resume", "overwrite", "profile"})
    plain["name"] = f"{source.name}-pruned"
    plain["teacher"] = {"run": str(options.run), "checkpoint": options.checkpoint}
    if not any(loss.needs.teacher for loss in source.losses):
        plain["losses"].append(KdConfig().model_dump(mode="json"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        return load_config(RunConfig, "python -m train.prune RUN", [str(path), *changes])


def _target(options: argparse.Namespace, source: TrainedNetwork) -> Target:
    if options.target_ms is not None:
        return ms_target(options.target_ms)
    return macs_target(options.target_macs, cost(source.network, source.config.data.size).macs)


def _asked(options: argparse.Namespace) -> tuple[str, str, str, Scope]:
    target = f"{options.target_ms} ms" if options.target_macs is None else f"{options.target_macs} MACs"
    return str(options.run), options.checkpoint, target, options.scope


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m train.prune",
        allow_abbrev=False,
        description="Take the least important channels from a finished run's network until it is small or fast enough, "
        "then train what is left with the unpruned network as its teacher. Data, losses (kd is added where no loss "
        "listens to a teacher) and recipe are those of the run; any key of train.distill, --loop.steps 400 for one, "
        "changes them. The run is NAME-pruned unless --name says otherwise.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run directory of the network; it is only read")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--target-macs",
        metavar="MACS",
        help="most multiply-accumulates of an image: a share of those now (0.5, 50%%), or a number (480M, 1.2G)",
    )
    target.add_argument(
        "--target-ms",
        metavar="MS",
        help="most milliseconds of an image, by PyTorch on this machine's device, with --loop.threads threads",
    )
    parser.add_argument(
        "--scope",
        choices=get_args(Scope),
        default="layer",
        help="layer: the same share of each one's channels goes; network: the least important of all (default: layer)",
    )
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="which of the run's checkpoints (default: best)"
    )
    return parser.parse_known_args()


if __name__ == "__main__":
    command(main)
