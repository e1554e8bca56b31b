"""``python -m train.losses.cost``: time and memory of every loss, as the configs of CamVid have it."""

import argparse
import csv
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

import torch
from torch import Tensor

from kernels.benchmark.measure import milliseconds, peak_megabytes
from train.command import command
from train.config import RunConfig
from train.data.batches import Batch
from train.errors import UserError
from train.losses.catalogue import COSTS
from train.losses.contract import LossConfig, Needs, Views
from train.losses.registry import LOSSES, AnyLossConfig
from train.models.build import build_model
from train.models.network import SegmentationNetwork
from train.models.tap_shapes import TapShapes, tap_shapes
from train.progress import progress
from train.settings import load_config
from train.views import assemble, shown, taught

# CamVid is 360 x 480, and 360 is no multiple of the networks' strides: the next size above.
_SIZE = (384, 480)
_CLASSES = 11
CONFIGS = Path("configs/camvid")


@dataclass(frozen=True)
class Row:
    """What one loss costs a step, with the settings of a config."""

    loss: str
    config: str
    ms: float
    """Forward, and backward to the taps: median."""
    mib: float | None
    """Above the maps that it is given."""
    batch: int
    size: str
    device: str
    threads: int
    torch: str
    date: str


def main() -> None:
    options = _options()
    device = torch.device(options.device)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    student, teacher = (_network(options.configs / name, device) for name in ("student.yaml", "teacher.yaml"))
    teacher.eval().requires_grad_(False)
    shipped = {name: found for name, found in _losses(options.configs).items() if name in (options.only or [name])}
    batch, rows = _batch(options.batch, device), []
    for config, path in progress(shipped.values(), "cost", len(shipped)):
        rows.append(_measure(config, path, batch, student, teacher, options.threads))
        print(f"{rows[-1].loss:14} {rows[-1].ms:8.1f} ms {rows[-1].mib or float('nan'):8.1f} MiB", flush=True)
    _write(rows, options.csv)


def _losses(folder: Path) -> dict[str, tuple[AnyLossConfig, Path]]:
    """By name, the settings of each loss and the config that has them, in the order of the registry."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise UserError(f"--configs {folder}: no configs here: give the folder of CamVid's")
    paths.sort(key=lambda path: path.stem in map(_name, LOSSES))  # a loss's own config has the last word
    found = {loss.name: (loss, path) for path in paths for loss in load_config(RunConfig, "cost", [str(path)]).losses}
    return {name: found[name] for name in map(_name, LOSSES) if name in found}


def _network(path: Path, device: torch.device) -> SegmentationNetwork:
    model = load_config(RunConfig, "cost", [str(path)]).model.model_copy(update={"weights": "none"})
    return build_model(model, _CLASSES).to(device)


def _measure(
    config: AnyLossConfig,
    path: Path,
    batch: Batch,
    student: SegmentationNetwork,
    teacher: SegmentationNetwork,
    threads: int,
) -> Row:
    needs, device = config.needs, batch.image.device
    shapes = TapShapes(
        classes=_CLASSES,
        student=tap_shapes(student, needs.student | needs.neighbour_student),
        teacher=tap_shapes(teacher, needs.teacher | needs.neighbour_teacher),
    )
    built = config.build(shapes).to(device)
    seen, leaves = _views(batch, student, teacher, needs)

    def run() -> None:
        for leaf in leaves:
            leaf.grad = None
        torch.stack(list(built(seen).values())).sum().backward()  # type: ignore[no-untyped-call]

    megabytes = peak_megabytes(run, device)
    mib = None if megabytes is None else round(megabytes * 1e6 / 2**20, 1)
    ms = round(milliseconds(run, device), 1)
    return Row(
        loss=config.name,
        config=path.stem,
        ms=ms,
        mib=mib,
        batch=len(batch.image),
        size="x".join(str(side) for side in _SIZE),
        device=_device_name(device),
        threads=threads,
        torch=torch.__version__,
        date=date.today().isoformat(),
    )


def _views(
    batch: Batch, student: SegmentationNetwork, teacher: SegmentationNetwork, needs: Needs
) -> tuple[Views, list[Tensor]]:
    with torch.no_grad():
        maps = shown(batch, student, needs)
    leaves = maps.map(lambda found: found.detach().requires_grad_())
    return assemble(batch, leaves, taught(batch, teacher, needs), student, needs), leaves.maps()


def _batch(size: int, device: torch.device) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, size, 3, *_SIZE), generator=generator, dtype=torch.uint8)
    # Labels in patches, as an edge or a class mean of single pixels would be no picture's.
    coarse = torch.randint(0, _CLASSES, (size, 1, _SIZE[0] // 32, _SIZE[1] // 32), generator=generator)
    label = torch.nn.functional.interpolate(coarse.float(), _SIZE)[:, 0].to(torch.uint8)
    label[torch.rand(label.shape, generator=generator) < 0.04] = 255
    flow = 3 * torch.randn(size, 2, *_SIZE, generator=generator)
    visible = torch.rand(label.shape, generator=generator) < 0.95
    image, label, neighbour, flow, visible = (m.to(device) for m in (images[0], label, images[1], flow, visible))
    return Batch(image, label, neighbour, flow, visible)


def _name(loss: type[LossConfig]) -> str:
    return str(loss.model_fields["name"].default)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


def _write(rows: list[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(vars(row) for row in rows)
    print(f"costs: {path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.losses.cost",
        description="Time and memory of each loss, forward and backward to the taps, for CamVid's classes.",
    )
    parser.add_argument("--batch", type=int, default=8, help="images (default: 8)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where (default: cpu)")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: 1, by the thread's own clock)")
    parser.add_argument("--only", nargs="+", metavar="LOSS", help="only these (default: all)")
    parser.add_argument(
        "--configs", type=Path, default=CONFIGS, help=f"folder with the settings and networks (default: {CONFIGS})"
    )
    parser.add_argument("--csv", type=Path, default=COSTS, help="table to write (default: the committed one)")
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
