"""Mean and standard deviation that a teacher's images have, where its file does not say them."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Normalisation(NamedTuple):
    """Red, green and blue, in units of 0..255."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
NONE = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

_NAMED = {
    "imagenet": IMAGENET,
    "unit": Normalisation((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "symmetric": Normalisation((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "none": NONE,
}


class NormalisationSettings(BaseModel):
    """A known normalisation by its name, or one in numbers."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["imagenet", "unit", "symmetric", "none"] | None = Field(
        default=None, description="imagenet; unit: 0..1; symmetric: -1..1; none: 0..255, the rest is in the network"
    )
    mean: tuple[float, float, float] | None = Field(default=None, description="RGB, in units of 0..255")
    std: tuple[float, float, float] | None = Field(default=None, description="RGB, in units of 0..255")

    @model_validator(mode="after")
    def _check_one(self) -> "NormalisationSettings":
        if (self.mean is None) != (self.std is None) or (self.name is None) == (self.mean is None):
            raise ValueError("give either a name, or mean and std")
        return self

    @property
    def value(self) -> Normalisation:
        """In numbers."""
        if self.mean is not None and self.std is not None:
            return Normalisation(self.mean, self.std)
        return _NAMED[self.name or "none"]
