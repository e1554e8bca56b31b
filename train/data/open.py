"""Open a dataset by its layout (no torch)."""

from train.data.camvid import open_camvid
from train.data.clip_frames import open_clip_frames
from train.data.dataset import Dataset
from train.data.folder import open_folder
from train.data.spec import DatasetSpec
from train.data.street_frames import StreetFrames
from train.errors import UserError


def open_dataset(spec: DatasetSpec, split: str) -> Dataset:
    """Open one split by the layout named in ``spec``.

    Raises:
        UserError: the folder or the split is missing or empty, an image has no label, a video is broken, or
            classes are not known.
    """
    if spec.layout == "streets":
        return StreetFrames(spec, split)
    if spec.root is None:
        raise UserError(f"data.root: the layout '{spec.layout}' needs the folder of the dataset (--data.root DIR)")
    if not spec.root.is_dir():
        raise UserError(f"data.root: {spec.root}: no such folder: check the path, or download the dataset first")
    if spec.layout == "camvid":
        return open_camvid(spec, spec.root, split)
    return open_clip_frames(spec, spec.root, split) if spec.layout == "clips" else open_folder(spec, spec.root, split)
