"""A teacher by the name of its architecture: what `model` can name, with a file of weights."""

import hashlib
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

import torch
from pydantic import Field, model_validator
from torch import Tensor

from train.errors import UserError
from train.models.build import build_model
from train.models.config import ModelConfig
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.weights_file import read_weights


class NamedModelTeacher(TeacherSettings):
    """A network of smp and timm, or a whole one, and its weights: a file, or a download that is kept."""

    kind: Literal["named"] = Field(description="a network as `model` names it, with a file of weights")
    model: ModelConfig = Field(default_factory=ModelConfig, description="kind named: the network")
    file: Path | None = Field(default=None, description="its weights: .safetensors, or a state_dict of torch")
    url: str | None = Field(default=None, description="kind named: where its weights are downloaded from, once")
    sha256: str | None = Field(default=None, description="kind named: of the download; default: not checked")

    @model_validator(mode="after")
    def _check_one_source(self) -> "NamedModelTeacher":
        if (self.file is None) == (self.url is None):
            raise ValueError("a network by name needs its weights: give either file or url")
        return self

    @property
    def title(self) -> str:
        """See `TeacherSettings`."""
        return str(self.file or self.url)

    def load(self, classes: list[str]) -> LoadedTeacher:
        """See `TeacherSettings`."""
        from train.checkpoint import load_into  # which reads configs, and so this module

        path = self.file or _downloaded(self.url or "", self.sha256)
        weights = {_own_name(key): value for key, value in read_weights(path).items()}
        names = self.classes or classes
        network = build_model(self.model.without_weights, len(names))
        # What images were normalised with is no weight: files of others do not have it.
        buffers: dict[str, Tensor] = {key: getattr(network, key) for key in ("mean", "std")}
        load_into(network, {**buffers, **weights}, path)
        return LoadedTeacher(network.eval(), self.classes)


def _own_name(key: str) -> str:
    """smp calls the classifier ``segmentation_head.0``."""
    return key.replace("segmentation_head.0.", "classifier.", 1) if key.startswith("segmentation_head.0.") else key


def _downloaded(url: str, sha256: str | None) -> Path:
    """In torch's own folder of downloads, under a name that no other address or checksum has."""
    name = Path(urlparse(url).path)
    digest = hashlib.blake2b(f"{url} {sha256}".encode(), digest_size=4).hexdigest()
    target = Path(torch.hub.get_dir()) / "checkpoints" / f"{name.stem}-{digest}{name.suffix}"
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(target), hash_prefix=sha256)
    except Exception as error:  # of the network, the server, the disk, the checksum: there is no common one
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(f"teacher.url: {url}: cannot be downloaded ({reason}): give a file with teacher.file") from None
    return target
