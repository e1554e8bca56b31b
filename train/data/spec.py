"""What a dataset is, and how it is given in a config (no torch)."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.data.palette import Colour

Layout = Literal[
    "streets", "camvid", "cityscapes", "voc", "ade20k", "pascal_context", "coco_stuff", "folder", "clips",
    "hugging_face", "unlabelled",
]  # fmt: skip


class StreetsSpec(BaseModel):
    """Size of the generated dataset `streets`."""

    model_config = ConfigDict(extra="forbid")

    clips: int = Field(default=60, gt=0, description="clips in the train split")
    val_clips: int = Field(default=12, gt=0, description="clips in the val split")
    frames: int = Field(default=5, gt=0, description="frames taken from each clip, spread over it")
    seed: int = Field(default=0, ge=0, description="seed of the world")
    size: tuple[int, int] = Field(default=(192, 256), description="height and width of a frame, pixels")


class ClipsSpec(BaseModel):
    """Which frames of the layout `clips` are samples."""

    model_config = ConfigDict(extra="forbid")

    unlabelled: bool = Field(
        default=False,
        description="frames without a mask are samples too; they are anyway where there is no mask at all",
    )
    every: int = Field(default=1, gt=0, description="frames from one sample without a mask to the next")
    frames_per_s: float | None = Field(default=None, gt=0, description="frame rate of folders; videos say theirs")


class PoolSpec(BaseModel):
    """Which of the images in `data.unlabelled` are used, how many in a step, and what of them counts."""

    model_config = ConfigDict(extra="forbid")

    share: float = Field(
        default=0.5, gt=0, lt=1, description="of the images of a step, where there are labelled ones as well"
    )
    every: int = Field(
        default=1, gt=0, description="frames of a video, or of a folder, from one that is used to the next"
    )
    alike: float = Field(
        default=2.0,
        ge=0,
        description="images whose thumbnails differ by less are near duplicates, and one of them is used: root mean "
        "square of grey levels 0..255; 0: copies of the same pixels alone",
    )
    confidence: float = Field(
        default=0.0, ge=0, lt=1, description="pixels to which the teacher gives no class more probability do not count"
    )
    val_copies: Literal["refuse", "drop"] = Field(
        default="refuse", description="what to do with images that are, nearly or wholly, in the val split"
    )
    held_out: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="layout unlabelled: share of the frames that are scored on, a stretch of time",
    )
    apart: int = Field(
        default=10, ge=0, description="layout unlabelled: frames before and after each such stretch that are not used"
    )


class HuggingFaceSpec(BaseModel):
    """Which dataset of the layout `hugging_face`, and which of its columns."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, description="of the dataset on the hub, OWNER/NAME; or give data.root")
    subset: str | None = Field(default=None, description="of the dataset; default: its only or first one")
    revision: str | None = Field(default=None, description="commit, tag or branch; default: the newest")
    image: str | None = Field(default=None, description="column of the images; default: by its name")
    label: str | None = Field(default=None, description="column of the labels; default: by its name")


class DatasetSpec(BaseModel):
    """Where images and labels are and what the labels mean."""

    model_config = ConfigDict(extra="forbid")

    layout: Layout = Field(
        default="streets",
        description="how the dataset lies on disk; unlabelled, the default where data.unlabelled is given: it has no "
        "labelled images, and the teacher says what is right",
    )
    root: Path | None = Field(default=None, description="folder of the dataset; streets needs none")
    train_split: str = Field(default="train", description="split to train on")
    val_split: str = Field(default="val", description="split to choose checkpoints on")
    classes: list[str] = Field(default=[], description="class names in the order of ids; default: the layout's")
    palette: list[Colour] = Field(default=[], description="RGB of each class; default: the layout's")
    label_map: dict[int, int] = Field(
        default={}, description="id in the files -> id to train on, 255 = ignore, as JSON"
    )
    unlabelled: list[Path] = Field(
        default=[],
        description="videos, or folders of images or videos, without labels: trained on as the teacher sees it",
    )
    pool: PoolSpec = Field(default_factory=PoolSpec, description="how the images without labels are used")
    streets: StreetsSpec = Field(default_factory=StreetsSpec, description="size of the generated dataset")
    clips: ClipsSpec = Field(default_factory=ClipsSpec, description="frames of the layout `clips`")
    hugging_face: HuggingFaceSpec = Field(
        default_factory=HuggingFaceSpec, description="dataset and columns of the layout `hugging_face`"
    )

    @property
    def taught(self) -> bool:
        """Whether no image has a label, so that a teacher says what is right."""
        return self.layout == "unlabelled"

    @model_validator(mode="before")
    @classmethod
    def _no_labels_meant(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("unlabelled") and "layout" not in given:
            return {"layout": "unlabelled", **given}
        return given


class AugmentSpec(BaseModel):
    """Random changes of a training image; geometry is the same for the label."""

    model_config = ConfigDict(extra="forbid")

    scale: tuple[float, float] = Field(default=(0.5, 2.0), description="range of the random scale, relative to `size`")
    mirror: float = Field(default=0.5, ge=0, le=1, description="probability of a horizontal flip")
    brightness: float = Field(default=0.3, ge=0, description="largest relative change")
    contrast: float = Field(default=0.3, ge=0, description="largest relative change")
    saturation: float = Field(default=0.3, ge=0, description="largest relative change")
    variants: int = Field(
        default=0, ge=0, description="augmentations of an image, which come again in turn; 0: a new one each time"
    )


class JitterSpec(BaseModel):
    """How far the second frame that is made of a still image moves; each is drawn evenly up to its limit."""

    model_config = ConfigDict(extra="forbid")

    shift: float = Field(default=0.03, ge=0, lt=1, description="largest shift, share of each side")
    zoom: float = Field(default=0.03, ge=0, lt=1, description="largest relative change of size")
    turn: float = Field(default=1.0, ge=0, le=180, description="largest rotation, degrees")


class NeighbourSpec(BaseModel):
    """Which other frame of its clip comes with an image, and where the optical flow between the two comes from."""

    model_config = ConfigDict(extra="forbid")

    gap: int = Field(default=1, gt=0, description="distance of the two frames, frames")
    direction: Literal["forward", "backward", "both"] = Field(
        default="both", description="the later frame, the earlier one, or either by chance; the other at a clip's end"
    )
    provider: Literal["auto", "exact", "dis", "affine", "raft", "flo", "identity"] = Field(
        default="auto",
        description="auto: exact for streets, dis for frames of clips, affine where there is no other frame; exact: "
        "the dataset's own flow; dis: OpenCV; raft: torchvision, from weights that are there; flo: files; affine: the "
        "image itself, moved a little; identity: nothing moves",
    )
    preset: Literal["ultrafast", "fast", "medium"] = Field(default="medium", description="effort of dis")
    tolerance: float = Field(
        default=1.0, ge=0, description="dis, raft: hidden where there and back again is off by more pixels; 0: no check"
    )
    flo: Path | None = Field(default=None, description="folder of the .flo files")
    cache: Path | None = Field(default=None, description="folder to keep flow of dis and raft in; default: not kept")
    jitter: JitterSpec = Field(default_factory=JitterSpec, description="motion of affine")


class DataConfig(DatasetSpec):
    """The dataset, the size a network sees it at, and the augmentation."""

    size: tuple[int, int] = Field(default=(192, 256), description="height and width of the network's input, pixels")
    crop: tuple[int, int] | None = Field(default=None, description="height and width of a training crop; default: size")
    augment: AugmentSpec = Field(default_factory=AugmentSpec)
    cache: Path | None = Field(
        default=None, description="folder to keep decoded images in while training, 4 bytes a pixel; default: none"
    )
    neighbour: NeighbourSpec = Field(
        default_factory=NeighbourSpec, description="second frame, for losses that need one"
    )
