"""Open a dataset by its layout (no torch)."""

from collections.abc import Callable
from pathlib import Path

from train.data.ade20k import open_ade20k
from train.data.camvid import open_camvid
from train.data.cityscapes import open_cityscapes
from train.data.clip_frames import open_clip_frames
from train.data.coco_stuff import open_coco_stuff
from train.data.dataset import Dataset
from train.data.folder import open_folder
from train.data.hugging_face import open_hugging_face
from train.data.pascal_context import open_pascal_context
from train.data.spec import DatasetSpec
from train.data.street_frames import StreetFrames
from train.data.unlabelled import open_unlabelled
from train.data.voc import open_voc
from train.errors import UserError

_LAYOUTS: dict[str, Callable[[DatasetSpec, Path, str], Dataset]] = {
    "camvid": open_camvid,
    "cityscapes": open_cityscapes,
    "voc": open_voc,
    "ade20k": open_ade20k,
    "pascal_context": open_pascal_context,
    "coco_stuff": open_coco_stuff,
    "folder": open_folder,
    "clips": open_clip_frames,
}


def open_dataset(spec: DatasetSpec, split: str) -> Dataset:
    """Open one split by the layout named in ``spec``.

    Raises:
        UserError: the folder or the split is missing or empty, an image has no label, a video is broken, or
            classes are not known.
    """
    if spec.layout == "streets":
        return StreetFrames(spec, split)
    if spec.layout == "hugging_face":
        return open_hugging_face(spec, split)
    if spec.layout == "unlabelled":
        return open_unlabelled(spec, split)
    if spec.root is None:
        raise UserError(f"data.root: the layout '{spec.layout}' needs the folder of the dataset (--data.root DIR)")
    if not spec.root.is_dir():
        raise UserError(f"data.root: {spec.root}: no such folder: check the path, or download the dataset first")
    return _LAYOUTS[spec.layout](spec, spec.root, split)
