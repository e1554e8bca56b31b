"""A dataset whose images and labels are two files each (no torch)."""

from pathlib import Path

from train.data.clips import SampleClip, SampleClips
from train.data.dataset import Sample
from train.data.image import read_image
from train.data.label import read_label
from train.data.palette import Colour
from train.errors import UserError


class PairedFiles:
    """Images and label files, read when asked for; ``clips`` are those of their indices, if they are frames of some."""

    def __init__(
        self,
        name: str,
        pairs: list[tuple[Path, Path]],
        classes: list[str],
        palette: list[Colour],
        label_map: dict[int, int],
        clips: list[SampleClip] | None = None,
    ) -> None:
        _check_exist(name, pairs)
        self.name = name
        self.classes = classes
        self.palette = palette
        self.label_map = label_map
        self.labelled = True
        self._pairs = pairs
        self.clips = SampleClips(self.__getitem__, [image.stem for image, _ in pairs], clips) if clips else None

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        image_path, label_path = self._pairs[index]
        image = read_image(image_path)
        label = read_label(label_path, len(self.classes), self.label_map, self.palette)
        if label.shape != image.shape[:2]:
            raise UserError(f"{label_path}: the label is {label.shape}, its image {image.shape[:2]} (height, width)")
        return Sample(image, label, image_path.stem)


def _check_exist(name: str, pairs: list[tuple[Path, Path]]) -> None:
    lost = next((image for image, _ in pairs if not image.is_file()), None)
    if lost is not None:
        raise UserError(f"{lost}: listed in {name}, but not there: restore it or remove it from the list")
    bare = [(image, label) for image, label in pairs if not label.is_file()]
    if bare:
        image, label = bare[0]
        others = f" (nor for {len(bare) - 1} others)" if len(bare) > 1 else ""
        raise UserError(f"{label}: no such label for the image {image}{others}: add it or remove the image")
