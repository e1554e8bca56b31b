"""The form of a video's answer."""

from typing import Protocol

from pydantic import BaseModel, Field

from serve.answers.segment_answer import SegmentAnswer
from serve.problem import Problem
from serve.video.conveyor import SegmentedFrame
from serve.video.frames import BrokenFrame


class FrameAnswer(SegmentAnswer):
    """A frame in NDJSON: the answer to an image, and which frame it is."""

    frame: int = Field(description="from 0; broken frames, and those that `every` passes over, are counted too")
    time_s: float = Field(description="when it is shown, from the beginning of the video, in seconds")


class BrokenFrameAnswer(BaseModel):
    """In place of a frame that could not be segmented; the video goes on."""

    frame: int
    time_s: float | None
    problem: Problem


class VideoSummary(BaseModel):
    """What stands at the end of a whole answer."""

    frames: int = Field(description="answered, the broken ones included")
    broken: int
    seconds: float = Field(description="from the arrival of the video to here")
    timings_ms: dict[str, float] = Field(description="by stage, the mean of the frames, in milliseconds")


class Form(Protocol):
    """Writes the answer piece by piece. Called by one thread at a time; a piece may be empty."""

    @property
    def media_type(self) -> str:
        """Of the whole answer."""

    def segmented(self, result: SegmentedFrame) -> bytes:
        """The next frame."""

    def broken(self, frame: BrokenFrame, problem: Problem) -> bytes:
        """A frame that could not be segmented."""

    def end(self, summary: VideoSummary) -> bytes:
        """The end of a whole answer."""

    def failed(self, problem: Problem) -> bytes | None:
        """The early end of the answer; None where the form cannot say so, and the connection has to break off."""

    def close(self) -> None:
        """Free what it holds, at whichever end."""
