"""A video over HTTP beside the same work in one Python loop: ``python -m serve.benchmark.video BUNDLE CLIP``."""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from rich.table import Table

from export.bundle import load_bundle
from serve.benchmark.console import table_console
from serve.benchmark.server_process import serving
from serve.models import load_model
from serve.pipeline import Order
from serve.segmentation import AnswerOptions
from serve.settings import Settings, available_cores
from serve.ticket import Ticket
from serve.video.container import ClipLimits, open_clip
from serve.video.conveyor import SegmentedFrame
from serve.video.form import Form, VideoSummary
from serve.video.frames import Frame, read_frames
from serve.video.mp4 import MP4, Mp4
from serve.video.ndjson import NDJSON, Ndjson
from train.command import command
from train.durable import atomic_path, writing
from train.errors import UserError

DESCRIPTION = """Segment a video through POST /segment/video, and in a Python loop of the same decoder, engine with the
same threads, and encoder, in turn, so that what the machine does meanwhile hits both. The ratio is that of each round,
server to loop; the medians are shown."""

_LONG_S = 3600.0


@dataclass(frozen=True)
class Measured:
    """One form of the answer, in seconds a round."""

    form: str
    loop_s: list[float]
    server_s: list[float]

    @property
    def ratio(self) -> float:
        """Server to loop, the median of the rounds."""
        return statistics.median(ours / loop for ours, loop in zip(self.server_s, self.loop_s, strict=True))


class Loop:
    """Decode, infer, encode, one frame after the other."""

    def __init__(self, bundle: Path, clip: Path, threads: int) -> None:
        self._clip = clip
        self._model = load_model("loop", bundle, Settings(threads=threads), lambda *_: None)
        self._model.prove()

    def run(self, media_type: str) -> float:
        """Seconds for the whole clip."""
        manifest, options = self._model.manifest, AnswerOptions()
        form: Form = Mp4(manifest, 1) if media_type == MP4 else Ndjson(manifest, options)
        order = Order(media_type, lambda *_: (b"", {}), options)
        start = time.perf_counter()
        count = 0
        for frame in _frames(self._clip):
            prepared = self._model.pipeline.prepare(frame.decoded)
            form.segmented(SegmentedFrame(frame, self._model.pipeline.segment(prepared, order, Ticket(_LONG_S))))
            count += 1
        form.end(VideoSummary(frames=count, broken=0, seconds=0.0, timings_ms={}))
        return time.perf_counter() - start


def main() -> None:
    """Measure both, in turn, and print the table."""
    options = _parser().parse_args()
    load_bundle(options.bundle)
    frames = sum(1 for _ in _frames(options.clip))
    with _client(options) as client:
        loop = Loop(options.bundle, options.clip, options.threads)
        measured = [_measure(form, loop, client, options) for form in (NDJSON, MP4)]
    table_console().print(_table(measured, frames, options))
    if options.json is not None:
        _write(measured, frames, options)


def _measure(form: str, loop: Loop, client: httpx.Client, options: argparse.Namespace) -> Measured:
    measured = Measured(form, [], [])
    for number in range(options.rounds):
        print(f"{form}: round {number + 1} of {options.rounds}", flush=True)
        measured.loop_s.append(loop.run(form))
        measured.server_s.append(_ask(client, options.clip, form))
    return measured


def _ask(client: httpx.Client, clip: Path, form: str) -> float:
    body = clip.read_bytes()
    start = time.perf_counter()
    answer = client.post("/segment/video", content=body, headers={"Accept": form})
    seconds = time.perf_counter() - start
    if answer.status_code != httpx.codes.OK:
        raise UserError(f"{clip}: {answer.json()['detail']}")
    return seconds


@contextmanager
def _client(options: argparse.Namespace) -> Iterator[httpx.Client]:
    with (
        serving(options.bundle, ["--threads", str(options.threads)]) as server,
        httpx.Client(base_url=server.url, timeout=_LONG_S) as client,
    ):
        yield client


def _frames(clip: Path) -> Iterator[Frame]:
    settings = Settings()
    limits = ClipLimits(settings.max_video_pixels, settings.max_video_frames, settings.max_video_s)
    try:
        with clip.open("rb") as file, open_clip(file, limits) as opened:
            yield from (frame for frame in read_frames(opened) if isinstance(frame, Frame))
    except OSError as error:
        raise UserError(f"{clip}: cannot be read: {error.strerror}") from None


def _table(measured: list[Measured], frames: int, options: argparse.Namespace) -> Table:
    table = Table(
        title=f"{options.clip.name}, {frames} frames, {options.threads} threads, {options.rounds} rounds",
        title_justify="left",
    )
    for column in ("form", "loop, frames/s", "server, frames/s", "server to loop"):
        table.add_column(column, justify="left" if column == "form" else "right")
    for row in measured:
        rates = (f"{frames / statistics.median(seconds):.1f}" for seconds in (row.loop_s, row.server_s))
        table.add_row(row.form, *rates, f"{row.ratio:.2f}")
    return table


def _write(measured: list[Measured], frames: int, options: argparse.Namespace) -> None:
    rows = [{**asdict(row), "ratio": row.ratio} for row in measured]
    content = {"clip": str(options.clip), "frames": frames, "threads": options.threads, "forms": rows}
    with writing(options.json, "give another --json"), atomic_path(options.json) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve.benchmark.video",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder with manifest.json, made by `python -m export.onnx`")
    parser.add_argument("clip", type=Path, help="a video file")
    parser.add_argument("--threads", type=int, default=available_cores(), help="CPU threads of a lone inference")
    parser.add_argument("--rounds", type=int, default=3, help="times that each is run")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser


if __name__ == "__main__":
    command(main)
