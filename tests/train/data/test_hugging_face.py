"""Tables of images, made with the real package, read back as datasets."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Cli
from train.data.__main__ import main
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec
from train.errors import UserError

datasets = pytest.importorskip("datasets")
CLASSES = ["road", "sky", "car"]


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def table(images: int, seed: int = 0, label: str = "annotation") -> "datasets.Dataset":
    random = np.random.default_rng(seed)
    rows = {
        "image": [png(random.integers(0, 256, (6, 8, 3), np.uint8)) for _ in range(images)],
        label: [png(np.arange(48, dtype=np.uint8).reshape(6, 8) % 4) for _ in range(images)],
        "scene": ["street"] * images,
    }
    features = datasets.Features(
        {"image": datasets.Image(), label: datasets.Image(), "scene": datasets.Value("string")}
    )
    encoded = {name: [{"bytes": cell} for cell in cells] if name != "scene" else cells for name, cells in rows.items()}
    return datasets.Dataset.from_dict(encoded, features=features)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What ``save_to_disk`` writes: Arrow files."""
    tables = datasets.DatasetDict({"train": table(3), "validation": table(2, seed=1)})
    tables.save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def open_split(root: Path | None, split: str, **given: object) -> Dataset:
    values = {"layout": "hugging_face", "root": root, "classes": CLASSES, "label_map": {3: IGNORE_INDEX}, **given}
    return open_dataset(DatasetSpec.model_validate(values), split)


def test_saved_tables_are_read_as_they_were_made(saved: Path) -> None:
    dataset = open_split(saved, "validation")
    assert (dataset.name, len(dataset), dataset.classes, dataset.labelled) == ("saved/validation", 2, CLASSES, True)
    sample = dataset[1]
    random = np.random.default_rng(1)
    random.integers(0, 256, (6, 8, 3), np.uint8)
    assert np.array_equal(sample.image, random.integers(0, 256, (6, 8, 3), np.uint8))
    assert sample.label[0].tolist() == [0, 1, 2, IGNORE_INDEX] * 2
    assert sample.name == "000001"


@pytest.mark.parametrize("place", ["data/train-00000-of-00001.parquet", "train.parquet", "train/part.parquet"])
def test_parquet_files_are_found_by_split(tmp_path: Path, place: str) -> None:
    root = tmp_path / "files"
    (root / place).parent.mkdir(parents=True)
    table(3).to_parquet(str(root / place))
    table(1).to_parquet(str(root / "train_extra.parquet"))
    (root / "classes.txt").write_text("road\nsky\ncar\n", encoding="utf-8")
    dataset = open_split(root, "train", classes=[])
    assert (len(dataset), dataset.classes) == (3, CLASSES)
    with pytest.raises(UserError, match=r"files: no split 'val': neither dataset_dict\.json.* nor files like val-\*"):
        open_split(root, "val")


def test_columns_of_other_names_are_given(tmp_path: Path) -> None:
    datasets.DatasetDict({"train": table(1, label="what")}).save_to_disk(str(tmp_path / "odd"))
    with pytest.raises(UserError, match=r"hugging_face\.label: which column it is cannot be told: .* image, what$"):
        open_split(tmp_path / "odd", "train")
    with pytest.raises(UserError, match=r"hugging_face\.label: 'scene' is no column of images"):
        open_split(tmp_path / "odd", "train", hugging_face={"label": "scene"})
    assert open_split(tmp_path / "odd", "train", hugging_face={"label": "what"})[0].label.max() == IGNORE_INDEX


def test_what_is_wrong_is_said_in_one_line(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, message in (
        ({"split": "val"}, r"saved: no split 'val': choose one of train, validation"),
        ({"root": tmp_path / "none"}, r"none: no such folder"),
        ({"root": None}, r"needs either data\.hugging_face\.name of the hub or the folder data\.root"),
        ({"classes": []}, r"classes\.txt: missing: name the classes there"),
    ):
        given = {"root": saved, "split": "train", **wrong}
        with pytest.raises(UserError, match=message):
            open_split(given.pop("root"), given.pop("split"), **given)
    with pytest.raises(UserError, match=r"train, row 0, annotation: label ids \[3\] are outside the 3 classes"):
        open_split(saved, "train", label_map={})[0]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"^data: nobody/nothing: split 'train' cannot be opened: \w+: .{,300}$"):
        open_split(None, "train", hugging_face={"name": "nobody/nothing"})


def test_check_reads_it_in_processes_and_finds_what_is_broken(cli: Cli, saved: Path, tmp_path: Path) -> None:
    options = ["--data.layout", "hugging_face", "--data.root", str(saved), "--data.val_split", "validation"]
    options += ["--data.classes", '["road", "sky", "car"]', "--data.label_map", '{"3": 255}']
    ended = cli(main, ["check", *options, "--workers", "1"])
    assert (ended.code, "nothing here that would stop or spoil a training" in ended.out) == (0, True), ended.err
    broken = table(2).select([0])
    rows = datasets.Dataset.from_dict(
        {"image": [{"bytes": b"GIF"}], "annotation": [{"bytes": png(np.zeros((6, 8), np.uint8))}]},
        features=datasets.Features({"image": datasets.Image(), "annotation": datasets.Image()}),
    )
    datasets.DatasetDict({"train": rows, "validation": broken}).save_to_disk(str(tmp_path / "broken"))
    options[3] = str(tmp_path / "broken")
    ended = cli(main, ["check", *options, "--workers", "0"])
    assert ended.code == 2
    assert "broken: broken/train, row 0, image: the 3 bytes are no image that is read here" in ended.out
