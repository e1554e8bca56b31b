"""What a viewer asks for in the query of its handshake."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.live.message import Form


class LiveWanted(BaseModel):
    """The parameters of ``/segment/live``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(default=None, description="a name of /models; left out: the first")
    classes: str | None = Field(
        default=None, description="only these, names or ids with commas between; the rest is the ignored id"
    )
    size: Literal["source", "network"] = Field(
        default="network", description="of the mask: the frame's, or the network's"
    )
    form: Form = Field(default="rle", description="of the mask: runs of equal ids, or a palette PNG")
    smoothing: float = Field(default=0.0, ge=0, le=1, description="against flicker; 0: off")
