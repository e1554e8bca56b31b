"""A video's answer as NDJSON: a JSON object a line."""

from dataclasses import dataclass

from export.manifest import Manifest
from serve.answers.segment_answer import encode_json
from serve.problem import Problem
from serve.segmentation import AnswerOptions
from serve.video.conveyor import SegmentedFrame
from serve.video.form import BrokenFrameAnswer, VideoSummary
from serve.video.frames import BrokenFrame

NDJSON = "application/x-ndjson"


@dataclass
class Ndjson:
    """Lines of `FrameAnswer` and `BrokenFrameAnswer`; the last is a `VideoSummary`, or the problem that ended it."""

    manifest: Manifest
    options: AnswerOptions
    media_type: str = NDJSON

    def segmented(self, result: SegmentedFrame) -> bytes:
        """A `FrameAnswer`."""
        answer, _ = encode_json(result.segmentation, self.manifest, self.options)
        return b'{"frame":%d,"time_s":%.6f,%b\n' % (result.frame.number, result.frame.time_s, answer[1:])

    def broken(self, frame: BrokenFrame, problem: Problem) -> bytes:
        """A `BrokenFrameAnswer`."""
        return _line(BrokenFrameAnswer(frame=frame.number, time_s=frame.time_s, problem=problem))

    def end(self, summary: VideoSummary) -> bytes:
        """The summary."""
        return _line(summary)

    def failed(self, problem: Problem) -> bytes:
        """The problem."""
        return _line(problem)

    def close(self) -> None:
        """Nothing is held."""


def _line(entry: BrokenFrameAnswer | VideoSummary | Problem) -> bytes:
    return entry.model_dump_json(exclude_none=True).encode() + b"\n"
