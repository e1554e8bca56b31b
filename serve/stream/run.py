"""From a source to the outputs: while a frame is in the network, the next is read and the last is written."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from serve.batcher import InferenceError
from serve.models import Model
from serve.pipeline import Order
from serve.smoothing import Smoothing
from serve.stream.output import Output
from serve.stream.progress import StreamProgress
from serve.stream.source import Source
from serve.ticket import Ticket
from serve.timing import StageTimes
from serve.video.conveyor import SegmentedFrame
from serve.video.errors import VideoError
from serve.video.form import VideoSummary
from serve.video.frames import BrokenFrame, Frame
from train.interruption import Interruption

_MOST_UNWRITTEN = 2
_NO_DEADLINE_S = float("inf")


@dataclass
class Stream:
    """One source's way through one network into its outputs."""

    model: Model
    order: Order
    smoothing: Smoothing | None
    progress: StreamProgress
    count: int = 0
    broken: int = 0
    sums: StageTimes = field(default_factory=StageTimes)
    failure: VideoError | None = None
    """Why the source ended before its end."""

    def run(self, source: Source, outputs: list[Output], stop: Interruption, most: int | None) -> VideoSummary:
        """Segment until the source ends, ``stop`` was signalled, or ``most`` frames are done.

        Raises:
            UserError: there is no frame that could be segmented, a file cannot be written, or the device failed.
        """
        start = time.perf_counter()
        self.progress.begin(source.length_s)
        unwritten: deque[Future[None]] = deque()
        with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
            try:
                for frame in _ahead(source, reader):
                    result = self._segment(frame)
                    unwritten.append(writer.submit(_write, outputs, result))
                    while len(unwritten) > _MOST_UNWRITTEN:
                        unwritten.popleft().result()
                    self._count(result, source)
                    if stop.number is not None or self.count == most:
                        break
            except VideoError as error:
                if self.count == self.broken:
                    raise
                self.failure = error
            for written in unwritten:
                written.result()
        return self._summary(time.perf_counter() - start)

    def _segment(self, frame: Frame | BrokenFrame) -> SegmentedFrame | BrokenFrame:
        if isinstance(frame, BrokenFrame):
            return frame
        ticket = Ticket(_NO_DEADLINE_S)
        try:
            prepared = self.model.pipeline.prepare(frame.decoded)
            return SegmentedFrame(frame, self.model.pipeline.segment(prepared, self.order, ticket, self.smoothing))
        except InferenceError as error:
            return BrokenFrame(frame.number, frame.time_s, error)

    def _count(self, result: SegmentedFrame | BrokenFrame, source: Source) -> None:
        self.count += 1
        if isinstance(result, BrokenFrame):
            self.broken += 1
            known = isinstance(result.error, VideoError)
            self.progress.say(str(result.error) if known else f"frame {result.number}: {result.error}")
            return
        for stage, ms in result.segmentation.times.items():
            self.sums[stage] = self.sums.get(stage, 0.0) + ms
        self.progress.update(result.frame.time_s, source.dropped)

    def _summary(self, seconds: float) -> VideoSummary:
        segmented = max(1, self.count - self.broken)
        times = {stage: round(ms / segmented, 3) for stage, ms in self.sums.items()}
        return VideoSummary(frames=self.count, broken=self.broken, seconds=round(seconds, 3), timings_ms=times)


def _write(outputs: list[Output], result: SegmentedFrame | BrokenFrame) -> None:
    for output in outputs:
        output.write(result)


def _ahead(source: Source, reader: ThreadPoolExecutor) -> Iterator[Frame | BrokenFrame]:
    """The frames, one read in advance; of a live source none, it would be old by then."""
    frames = source.frames()
    if source.live:
        yield from frames
        return
    coming = reader.submit(next, frames, None)
    while (frame := coming.result()) is not None:
        coming = reader.submit(next, frames, None)
        yield frame
