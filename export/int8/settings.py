"""What a quantised graph depends on, besides the fp32 graph and the images."""

from pydantic import BaseModel, ConfigDict, Field

from export.int8.ranges import Method

INT8_ROLE = "onnx_int8"


class Settings(BaseModel):
    """Recorded in the manifest; the same again gives the same file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = "minmax"
    percentile: float = Field(default=99.99, gt=0, le=100, description="of the absolute values; for percentile only")
    max_drop: float = Field(default=0.5, ge=0, description="points of mIoU; of agreement where there are no labels")
    score_images: int = Field(default=128, gt=0, description="pictures that the search is scored on")
    layer_images: int = Field(default=16, gt=0, description="of these, pictures that each layer is scored on")
    finetune: int = Field(default=0, ge=0, description="steps of fine-tuning before, with layers rounding as in INT8")
