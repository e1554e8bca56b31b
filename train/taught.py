"""Trainings without one labelled image: classes come from the teacher, and so does what is called right."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from train.config import RunConfig
from train.data.dataset import Clips, Dataset, Sample
from train.data.palette import Colour
from train.data.resize import Size
from train.errors import UserError
from train.evaluation import predictions
from train.models.network import SegmentationNetwork
from train.run_directory import RunDirectory
from train.teachers.family import AnyTeacher
from train.teachers.hugging_face import HuggingFaceTeacher
from train.teachers.loading import load_teacher
from train.teachers.onnx import OnnxTeacher
from train.teachers.run import RunTeacher
from train.teachers.torchvision import TorchvisionTeacher


class TaughtFrames:
    """Images without labels, with what a teacher says in the place of each label: scores are agreement with it.

    The teacher sees each image once; its class ids are kept, compressed.

    Args:
        dataset: the images.
        teacher: in eval mode, of the dataset's classes.
        size: height and width of the networks' input, pixels.
    """

    def __init__(self, dataset: Dataset, teacher: SegmentationNetwork, size: Size) -> None:
        self.name = f"{dataset.name} (as its teacher sees it)"
        self.classes, self.palette, self.label_map = dataset.classes, dataset.palette, dataset.label_map
        self.labelled = True
        self.teacher = teacher
        self.clips: Clips | None = dataset.clips
        self._dataset = dataset
        self._size = size
        self._maps: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        sample = self._dataset[index]
        if index not in self._maps:
            # Alone: so it is the same in any number of processes, whatever images are scored beside it.
            (prediction,) = predictions(self.teacher, [sample], self._size)
            self._maps[index] = np.asarray(cv2.imencode(".png", prediction.ids)[1], np.uint8)
        ids = np.asarray(cv2.imdecode(self._maps[index], cv2.IMREAD_GRAYSCALE), np.uint8)
        return Sample(sample.image, ids, sample.name)


def seen_by_teacher(config: RunConfig, dataset: Dataset, size: Size, device: torch.device) -> TaughtFrames:
    """Images as the teacher of a run sees them. `UserError` if there is none, or it is gone."""
    if config.teacher is None:
        raise UserError(
            f"{dataset.name}: no labels, and the run {config.name} has no teacher to compare with: add masks"
        )
    teacher = load_teacher(config.teacher, dataset.classes, dataset.name).network.to(device)
    return TaughtFrames(dataset, teacher, size)


def with_classes_of_the_teacher(config: RunConfig) -> RunConfig:
    """The config, with the teacher's classes and colours where no labelled dataset names any.

    Raises:
        UserError: there is no teacher, or it does not say what its classes are.
    """
    if not config.data.taught:
        return config
    if config.teacher is None:
        raise UserError("teacher: without labels nobody else says what is right: set --teacher.run RUN")
    if config.data.classes:
        return config
    classes, palette = _named_by(config.teacher)
    if not classes:
        raise UserError(
            f"teacher: {config.teacher.title}: does not say what its classes are: name them, in the order of ids, in "
            "data.classes"
        )
    data = config.data.model_copy(update={"classes": classes, "palette": config.data.palette or palette})
    return config.model_copy(update={"data": data})


def _named_by(teacher: AnyTeacher) -> tuple[list[str], list[Colour]]:
    """Names of classes, and their colours where they are known."""
    if isinstance(teacher, RunTeacher):
        data = RunDirectory(Path(teacher.run)).config().data
        return teacher.classes or data.classes, data.palette
    if teacher.classes or not isinstance(teacher, HuggingFaceTeacher | TorchvisionTeacher | OnnxTeacher):
        return teacher.classes, []
    return teacher.load([]).classes, []
