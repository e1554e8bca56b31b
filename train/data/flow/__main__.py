"""``python -m train.data.flow``: how well the flow of a dataset's clips brings frames back, in numbers and pictures."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.table import Table

from train.command import command
from train.data.dataset import Clips, Sample, has_frame
from train.data.flow import Flow
from train.data.flow.field import warp, warp_ids
from train.data.flow.pair import FramePair
from train.data.flow.provider import choose_provider, open_provider
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DataConfig
from train.errors import UserError
from train.progress import progress
from train.settings import load_config

_HIDDEN = (255, 0, 255)
_AMPLIFIED = 4
_TIME = "time, ms, median"


class FlowConfig(BaseModel):
    """Look at the flow between the frames of a dataset's clips, before a loss is trained on it."""

    model_config = ConfigDict(extra="forbid")

    split: str = Field("", description="split to look at; default: the dataset's val split")
    pairs: int = Field(24, gt=0, description="pairs of frames, spread evenly over the split")
    pictures: Path | None = Field(
        None, description="folder for pictures: frame, other frame, that one brought back, four times the difference"
    )
    out: Path | None = Field(None, description="also write the numbers to this file, as JSON")
    data: DataConfig = Field(
        default_factory=DataConfig, description="the dataset, and in data.neighbour the gap and the provider"
    )


class _Pair(NamedTuple):
    now: Sample
    then: Sample
    flow: Flow
    exact: Flow | None
    ms: float


def main() -> None:
    config = load_config(FlowConfig, "python -m train.data.flow")
    dataset = open_dataset(config.data, config.split or config.data.val_split)
    if dataset.clips is None:
        raise UserError(f"{dataset.name}: has no clips, only still images: choose a split of video frames")
    gap = config.data.neighbour.gap
    starts = [i for i in range(len(dataset)) if has_frame(dataset.clips, dataset.clips.place(i).later(gap))]
    if not starts:
        raise UserError(f"data.neighbour.gap: {gap}: no clip of {dataset.name} is so long: choose a smaller gap")
    chosen = [starts[number] for number in np.unique(np.linspace(0, len(starts) - 1, config.pairs).astype(int))]
    if config.out is not None:
        config.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for pair in progress(_pairs(config, dataset.clips, chosen), "flow", len(chosen)):
        rows.append(_measure(pair))
        if config.pictures is not None:
            _save_picture(pair, config.pictures)
    means = _average(rows)
    provider = choose_provider(config.data.neighbour, dataset.clips)
    Console().print(_table(f"{dataset.name}, {len(rows)} pairs, gap {gap}, flow: {provider}", means))
    if config.out is not None:
        record = {"dataset": dataset.name, "pairs": len(rows), "gap": gap, "flow": provider, **means}
        config.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _pairs(config: FlowConfig, clips: Clips, indices: list[int]) -> Iterator[_Pair]:
    provider, gap = open_provider(config.data.neighbour, clips), config.data.neighbour.gap
    for index in indices:
        place = clips.place(index)
        now, then = clips.read(place), clips.read(place.later(gap))
        began = time.perf_counter()
        flow = provider(FramePair(now.image, then.image, now.name, place, gap))
        ms = 1000 * (time.perf_counter() - began)
        yield _Pair(now, then, flow, clips.flow(place, gap) if clips.flow else None, ms)


def _measure(pair: _Pair) -> dict[str, float]:
    """Means over the pixels that count, in the order in which they are shown."""
    now, then, flow, visible = pair.now, pair.then, pair.flow, pair.flow.visible
    image = now.image.astype(np.float32)
    numbers = {
        _TIME: pair.ms,
        "motion, px": float(np.hypot(*np.moveaxis(flow.displacement, -1, 0)).mean()),
        "visible, share": float(visible.mean()),
        "difference of 255, unwarped": float(np.abs(then.image - image)[visible].mean()),
        "difference of 255, warped": float(np.abs(_brought_back(pair) - image)[visible].mean()),
    }
    known = visible & (now.label != IGNORE_INDEX)
    if known.any() and (then.label != IGNORE_INDEX).any():
        numbers["equal labels, unwarped"] = _agreement(now.label, then.label, known)
        numbers["equal labels, warped"] = _agreement(now.label, warp_ids(then.label, flow.displacement), known)
    if pair.exact is not None:
        error = np.hypot(*np.moveaxis(flow.displacement - pair.exact.displacement, -1, 0))
        numbers["error, px"] = float(error[visible & pair.exact.visible].mean())
        numbers["hidden but called visible, share"] = float(visible[~pair.exact.visible].mean())
        numbers["visible but called hidden, share"] = float((~visible)[pair.exact.visible].mean())
    return numbers


def _average(rows: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    means = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
    return means | {_TIME: float(np.median([row[_TIME] for row in rows]))}


def _brought_back(pair: _Pair) -> NDArray[np.float32]:
    return warp(pair.then.image.astype(np.float32), pair.flow.displacement)


def _agreement(label: NDArray[np.uint8], other: NDArray[np.uint8], known: NDArray[np.bool_]) -> float:
    return float((label == other)[known & (other != IGNORE_INDEX)].mean())


def _save_picture(pair: _Pair, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    back = _brought_back(pair)
    difference = np.where(pair.flow.visible[..., None], _AMPLIFIED * np.abs(back - pair.now.image), 0)
    shown = np.where(pair.flow.visible[..., None], back, _HIDDEN)
    panels = [pair.now.image, pair.then.image, shown, difference.clip(0, 255)]
    row = np.concatenate([panel.astype(np.uint8) for panel in panels], axis=1)
    Image.fromarray(row).save(folder / f"{pair.now.name}.png")


def _table(title: str, means: dict[str, float]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("mean over the pairs")
    table.add_column("value", justify="right")
    for name, value in means.items():
        table.add_row(name, f"{value:.4g}")
    return table


if __name__ == "__main__":
    command(main)
