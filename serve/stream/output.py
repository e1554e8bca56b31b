"""What is written of the frames: a video, a folder of masks, lines of JSON; each file is whole or not there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from export.manifest import Manifest
from serve.answers.png import indexed_png
from serve.problem import problem_of
from serve.segmentation import AnswerOptions
from serve.video.annotated import AnnotatedVideo
from serve.video.conveyor import SegmentedFrame
from serve.video.form import VideoSummary
from serve.video.frames import BrokenFrame
from serve.video.ndjson import Ndjson
from train.data.palette import overlay
from train.durable import atomic_path, writing
from train.errors import UserError

_ROOM = "make room, or give another --out"


class Output(Protocol):
    """Gets every frame, in order, from one thread at a time."""

    def write(self, result: SegmentedFrame | BrokenFrame) -> None:
        """The next frame."""

    def finish(self, summary: VideoSummary) -> None:
        """After the last."""


def check_outputs(paths: list[Path]) -> None:
    """`UserError` for a path of another kind, or twice the same."""
    for path in paths:
        if paths.count(path) > 1:
            raise UserError(f"--out {path}: given twice")
        if path.suffix not in ("", ".mp4", ".jsonl") and not path.is_dir():
            raise UserError(f"--out {path}: give FILE.mp4, FILE.jsonl, or a folder for masks")


@contextmanager
def open_outputs(paths: list[Path], manifest: Manifest, every: int) -> Iterator[list[Output]]:
    """An output for each path: ``.mp4`` the overlay as a video, ``.jsonl`` a line a frame, a folder masks as PNG.

    Files get their names at the end of the block; on an error in it there are none.

    Raises:
        UserError: a path that cannot be written.
    """
    with ExitStack() as stack:
        yield [_opened(path, manifest, every, stack) for path in paths]


def _opened(path: Path, manifest: Manifest, every: int, stack: ExitStack) -> Output:
    stack.enter_context(writing(path, _ROOM))
    if path.suffix not in (".mp4", ".jsonl"):
        path.mkdir(parents=True, exist_ok=True)
        return Masks(path, manifest)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = stack.enter_context(atomic_path(path))
    if path.suffix == ".mp4":
        video = OverlayVideo(temporary, manifest, every)
        stack.callback(video.close)
        return video
    lines = Lines(temporary, manifest)
    stack.callback(lines.close)
    return lines


class Masks:
    """``000000.png``, by the frame's number: palette PNGs whose pixel values are the class ids."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._palette = manifest.palette

    def write(self, result: SegmentedFrame | BrokenFrame) -> None:
        """No file for a broken frame."""
        if isinstance(result, BrokenFrame):
            return
        target = self._folder / f"{result.frame.number:06d}.png"
        temporary = target.with_name(f".{target.name}.tmp")
        temporary.write_bytes(indexed_png(result.segmentation.ids, self._palette))
        temporary.replace(target)  # not synchronised: thirty a second would wait for the disk all the time

    def finish(self, _: VideoSummary) -> None:
        """All is written."""


class Lines:
    """JSON Lines as the server's NDJSON has them, the summary last. Others can read along while it grows."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._form = Ndjson(manifest, AnswerOptions())
        self._file = path.open("wb")

    def write(self, result: SegmentedFrame | BrokenFrame) -> None:
        """A line."""
        if isinstance(result, BrokenFrame):
            self._file.write(self._form.broken(result, problem_of(result.error)))
        else:
            self._file.write(self._form.segmented(result))

    def finish(self, summary: VideoSummary) -> None:
        """The summary."""
        self._file.write(self._form.end(summary))

    def close(self) -> None:
        """Write what is buffered."""
        self._file.close()


class OverlayVideo:
    """The classes' colours over the frames, H.264. What a power failure leaves of it can be played."""

    def __init__(self, path: Path, manifest: Manifest, every: int) -> None:
        self._palette = manifest.palette
        self._every = every
        self._file = path.open("wb")
        self._video = AnnotatedVideo(self._file)

    def write(self, result: SegmentedFrame | BrokenFrame) -> None:
        """A broken frame is left out."""
        if isinstance(result, SegmentedFrame):
            image = overlay(result.segmentation.image, result.segmentation.ids, self._palette)
            self._video.write(image, result.frame.time_s, result.frame.rate / self._every)

    def finish(self, _: VideoSummary) -> None:
        """The last frames."""
        self._video.finish()

    def close(self) -> None:
        """Free encoder and file."""
        self._video.close()
        self._file.close()
