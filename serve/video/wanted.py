"""What a client asks for in the query of a video."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class VideoWanted(BaseModel):
    """The parameters of ``POST /segment/video``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(default=None, description="a name of /models; left out: the first")
    classes: str | None = Field(
        default=None, description="only these, names or ids with commas between; the rest is the ignored id"
    )
    size: Literal["source", "network"] = Field(default="source", description="the video's own size, or the network's")
    overlay: bool = Field(default=False, description="the classes' colours over each frame, not the class maps")
    every: int = Field(default=1, ge=1, description="each n-th frame is segmented, the others are passed over")
    smoothing: float = Field(
        default=0.0, ge=0, le=1, description="against flicker: how much the frames before weigh; 0: off"
    )
