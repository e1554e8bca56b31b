"""A teacher of the Hugging Face hub, or from a folder that ``save_pretrained`` wrote."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from train.errors import UserError
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.hugging_face_network import HuggingFaceNetwork
from train.teachers.normalisation import Normalisation, NormalisationSettings

_ABSENT_NAME = "LABEL_"
"""What transformers calls a class that has no name."""
_WEIGHTS = ("*.safetensors", "*.bin")


class HuggingFaceTeacher(TeacherSettings):
    """What ``AutoModelForSemanticSegmentation`` can load: SegFormer, UperNet, BEiT, DPT, MobileViT and others.

    Weights are read from safetensors alone, and no code that comes with a model is run.
    """

    kind: Literal["hugging_face"] = Field(description="a model of the Hugging Face hub, or a folder of one")
    name: str | None = Field(default=None, description="kind hugging_face: on the hub, OWNER/NAME")
    folder: Path | None = Field(default=None, description="kind hugging_face: what save_pretrained wrote")
    revision: str | None = Field(default=None, description="kind hugging_face: commit, tag or branch; default: newest")
    normalisation: NormalisationSettings | None = Field(
        default=None, description="of its images; default: what its processor or its file says"
    )

    @model_validator(mode="after")
    def _check_one_source(self) -> "HuggingFaceTeacher":
        if (self.name is None) == (self.folder is None):
            raise ValueError("give either name, on the hub, or folder")
        return self

    @property
    def title(self) -> str:
        """See `TeacherSettings`."""
        return str(self.folder or self.name)

    def load(self, classes: list[str]) -> LoadedTeacher:  # noqa: ARG002  # the model says its own
        """See `TeacherSettings`."""
        transformers = _transformers()
        if self.folder is not None:
            _check_folder(self.folder)
        model = self._from_pretrained(transformers.AutoModelForSemanticSegmentation, use_safetensors=True)
        processor = self._processor(transformers)
        normalisation = self.normalisation.value if self.normalisation else _normalisation(processor, self.title)
        flipped = bool(processor.get("do_flip_channel_order"))
        network = HuggingFaceNetwork(model, normalisation, flipped, self.title)
        labels = [str(model.config.id2label[index]) for index in range(network.classes)]
        named = not all(label.startswith(_ABSENT_NAME) for label in labels)
        return LoadedTeacher(network.eval(), self.classes or (labels if named else []))

    def _processor(self, transformers: Any) -> dict[str, Any]:
        """The settings of the image processor; none where there is no file of them."""
        try:
            found, _ = transformers.BaseImageProcessor.get_image_processor_dict(self.title, revision=self.revision)
        except (OSError, ValueError):
            return {}
        return dict(found)

    def _from_pretrained(self, what: Any, **options: Any) -> Any:
        try:
            return what.from_pretrained(self.title, revision=self.revision, trust_remote_code=False, **options)
        except Exception as error:  # of the network, the hub, the files: the package has no common one
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise UserError(f"teacher: {self.title}: transformers cannot load it: {reason}") from None


def _transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError:
        raise UserError(
            "teacher.kind: hugging_face needs the package transformers, which is not installed: "
            "pip install 'segdistill[hf]'"
        ) from None
    package: Any = transformers
    package.utils.logging.disable_progress_bar()
    return package


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise UserError(f"teacher.folder: {folder}: no config.json here: give the folder that save_pretrained wrote")
    if not any(folder.glob(_WEIGHTS[0])):
        if any(folder.glob(_WEIGHTS[1])):
            raise UserError(
                f"teacher.folder: {folder}: its weights are pickled (.bin), which is not read here: load them once "
                "elsewhere and call save_pretrained(…, safe_serialization=True)"
            )
        raise UserError(
            f"teacher.folder: {folder}: a config without weights (no .safetensors): download the whole model, or name "
            "it with teacher.name"
        )


def _normalisation(processor: dict[str, Any], title: str) -> Normalisation:
    """Of images in 0..255, of a processor that first rescales them and then normalises."""
    if not processor:
        raise UserError(
            f"teacher: {title}: no preprocessor_config.json, so how its images were normalised is not known: say it "
            "with --teacher.normalisation.name imagenet, or add the file"
        )
    scale = 1 / processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 1.0
    mean, std = [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
    if processor.get("do_normalize", "image_mean" in processor):
        mean, std = processor["image_mean"], processor["image_std"]
    red, green, blue = (value * scale for value in mean)
    return Normalisation((red, green, blue), tuple(value * scale for value in std))  # type: ignore[arg-type]
