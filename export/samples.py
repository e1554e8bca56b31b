"""A few pictures in the bundle, so that it can be tried and timed wherever it goes."""

import io
from pathlib import Path

from PIL import Image

from train.checkpoint import TrainedNetwork
from train.data.open import open_dataset

_COUNT = 4


def write_samples(folder: Path, trained: TrainedNetwork) -> None:
    """JPEG files of images spread over the val split."""
    data = trained.config.data
    dataset = open_dataset(data, data.val_split)
    folder.mkdir()
    count = min(_COUNT, len(dataset))
    for number in range(count):
        sample = dataset[number * len(dataset) // count]
        encoded = io.BytesIO()  # in memory first: of a full disk, Pillow does not say that it is full
        Image.fromarray(sample.image).save(encoded, "JPEG", quality=95)
        (folder / f"{sample.name}.jpg").write_bytes(encoded.getvalue())
