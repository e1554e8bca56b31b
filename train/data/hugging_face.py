"""Datasets of the Hugging Face hub, by name or from a folder (no torch).

A folder is what ``DatasetDict.save_to_disk`` wrote, or one of Parquet or Arrow files, the split in their names:

    DIR/data/train-00000-of-00001.parquet   or   DIR/train.parquet   or   DIR/train/….parquet

Images and labels are columns of the type Image. Nothing is streamed. No code of a dataset is run and no pickle is
loaded: the package ``datasets`` does neither in the versions that are asked for.
"""

from pathlib import Path
from typing import Any

from train.data.clips import SampleClips
from train.data.dataset import Sample
from train.data.folder import read_classes
from train.data.image import ImageError, decode_image, read_image
from train.data.label import decode_label, read_label
from train.data.palette import default_palette
from train.data.spec import DatasetSpec, HuggingFaceSpec
from train.errors import UserError

_LABELS = ("label", "labels", "annotation", "annotations", "mask", "semantic_mask", "segmentation_mask", "segmentation")
_IMAGES = ("image", "pixel_values", "img", "picture")


class TableDataset:
    """The rows of one split; an image is decoded when it is asked for, and as strictly as a file."""

    def __init__(self, name: str, rows: Any, columns: tuple[str, str], spec: DatasetSpec) -> None:
        self.name = name
        self.classes, self.palette = _classes(spec, name)
        self.label_map = spec.label_map
        self.labelled = True
        self.clips: SampleClips | None = None
        self._rows = rows
        self._image, self._label = columns

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        row, where = self._rows[index], f"{self.name}, row {index}"
        image, label = row[self._image], row[self._label]
        if image is None or label is None:
            raise UserError(f"{where}: no {self._image if image is None else self._label}: leave the row out")
        pixels = _image(image, f"{where}, {self._image}")
        meaning = (len(self.classes), self.label_map, self.palette)
        if label["bytes"] is None:
            ids = read_label(Path(label["path"]), *meaning)
        else:
            ids = decode_label(label["bytes"], f"{where}, {self._label}", *meaning)
        if ids.shape != pixels.shape[:2]:
            raise UserError(f"{where}: the label is {ids.shape}, its image {pixels.shape[:2]} (height, width)")
        return Sample(pixels, ids, f"{index:06d}")


def open_hugging_face(spec: DatasetSpec, split: str) -> TableDataset:
    """One split of the dataset named in ``spec.hugging_face``, or of the folder ``spec.root``.

    Raises:
        UserError: the package ``datasets`` is not installed, no such dataset or split, no network, or no columns or
            classes are known.
    """
    try:
        import datasets
    except ModuleNotFoundError:
        raise UserError(
            "data.layout: hugging_face reads with the package datasets, which is not installed: pip install datasets"
        ) from None
    wanted = spec.hugging_face
    if (spec.root is None) == (wanted.name is None):
        raise UserError("data: hugging_face needs either data.hugging_face.name of the hub or the folder data.root")
    try:
        if spec.root is None:
            rows = datasets.load_dataset(wanted.name, wanted.subset, split=split, revision=wanted.revision)
        else:
            rows = _from_folder(datasets, spec.root, split)
    except UserError:
        raise
    except Exception as error:  # of the network, the hub, the files: the package has no common one
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(f"data: {wanted.name or spec.root}: split '{split}' cannot be opened: {reason}") from None
    columns = _columns(datasets, rows, wanted)
    for column in columns:
        rows = rows.cast_column(column, datasets.Image(decode=False))
    return TableDataset(f"{wanted.name or (spec.root or Path()).name}/{split}", rows, columns, spec)


def _from_folder(datasets: Any, root: Path, split: str) -> Any:
    if not root.is_dir():
        raise UserError(f"data.root: {root}: no such folder: check the path, or download the dataset first")
    if (root / "dataset_dict.json").is_file():
        splits = datasets.load_from_disk(str(root))
        if split not in splits:
            raise UserError(f"{root}: no split '{split}': choose one of {', '.join(splits)}")
        return splits[split]
    for suffix in ("parquet", "arrow"):
        files = [str(path) for path in sorted(root.rglob(f"*.{suffix}")) if _is_of(path.relative_to(root), split)]
        if files:
            return datasets.load_dataset(suffix, data_files={split: files}, split=split)
    raise UserError(
        f"{root}: no split '{split}': neither dataset_dict.json, which save_to_disk writes, nor files like "
        f"{split}-*.parquet or {split}-*.arrow are here"
    )


def _is_of(path: Path, split: str) -> bool:
    """Whether a file is of a split, by its name or its folder: not ``train_extra.parquet`` for ``train``."""
    return path.stem == split or path.stem.startswith(f"{split}-") or split in path.parts[:-1]


def _columns(datasets: Any, rows: Any, wanted: HuggingFaceSpec) -> tuple[str, str]:
    pictures = [name for name, feature in rows.features.items() if isinstance(feature, datasets.Image)]
    image = wanted.image or next((name for name in _IMAGES if name in pictures), None)
    label = wanted.label or next((name for name in _LABELS if name in pictures), None)
    for key, column in (("image", image), ("label", label)):
        if column not in pictures:
            problem = "which column it is cannot be told" if column is None else f"'{column}' is no column of images"
            raise UserError(f"data.hugging_face.{key}: {problem}: choose from {', '.join(pictures) or 'none'}")
    return str(image), str(label)


def _classes(spec: DatasetSpec, name: str) -> tuple[list[str], list[tuple[int, int, int]]]:
    if spec.classes:
        return spec.classes, spec.palette or default_palette(len(spec.classes))
    if spec.root is None:
        raise UserError(f"data.classes: {name} does not say what its ids mean: name the classes in the order of ids")
    return read_classes(spec, spec.root)


def _image(cell: dict[str, Any], where: str) -> Any:
    if cell["bytes"] is None:
        return read_image(Path(cell["path"]))
    try:
        return decode_image(cell["bytes"]).pixels
    except ImageError as error:
        raise ImageError(f"{where}: {error}") from None
