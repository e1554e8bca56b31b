"""What is kept of a teacher's outputs, and how exactly."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CacheSettings(BaseModel):
    """Where a teacher's outputs are kept between epochs and runs."""

    model_config = ConfigDict(extra="forbid")

    folder: Path = Field(description="where; several runs may share it")
    dtype: Literal["fp32", "fp16"] = Field(default="fp16", description="type of what is kept")
    top_k: int = Field(
        default=0,
        ge=0,
        description="largest logits of a pixel that are kept, the others share what probability is left; 0: all",
    )
