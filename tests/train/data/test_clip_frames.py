from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.train.data.moving_clips import moving_frames, write_frames
from train.data.clip_frames import ClipFrames
from train.data.dataset import FramePlace, has_frame
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec
from train.errors import UserError


def open_clips(root: Path, **changes: object) -> ClipFrames:
    dataset = open_dataset(DatasetSpec.model_validate({"layout": "clips", "root": root, "clips": changes}), "train")
    assert isinstance(dataset, ClipFrames)
    return dataset


def test_the_samples_are_the_frames_with_a_mask(clips_root: Path) -> None:
    dataset = open_clips(clips_root)
    assert dataset.labelled
    assert dataset.classes == ["road", "sky", "car"]
    assert [dataset[index].name for index in range(len(dataset))] == ["folder_1", "folder_4"]
    for index, number in enumerate((1, 4)):
        image, label, *_ = dataset[index]
        assert np.array_equal(image, moving_frames(6, seed=2)[number])
        assert (label == number % 3).all()


def test_other_frames_are_there_without_a_label(clips_root: Path) -> None:
    clips = open_clips(clips_root, frames_per_s=15).clips
    place = clips.place(0)
    before, after = clips.read(place.later(-1)), clips.read(place.later(1))
    assert [before.name, after.name] == ["folder_0", "folder_2"]
    assert (after.label == IGNORE_INDEX).all()
    assert np.array_equal(after.image, moving_frames(6, seed=2)[2])
    assert not has_frame(clips, place.later(5))
    assert not has_frame(clips, place.later(-2))
    assert clips.frames_per_s(place.clip) == 15
    assert clips.frames_per_s(0) == 10  # the video's own


def test_unlabelled_frames_can_join(clips_root: Path) -> None:
    dataset = open_clips(clips_root, unlabelled=True, every=3)
    names = [dataset[index].name for index in range(len(dataset))]
    assert names == ["film_000000", "film_000003", "folder_0", "folder_1", "folder_3", "folder_4"]
    assert dataset.labelled


def test_without_any_mask_every_frame_is_a_sample_without_label(new_clips: Path) -> None:
    (new_clips / "train" / "masks" / "folder").rename(new_clips / "elsewhere")
    dataset = open_clips(new_clips)
    assert not dataset.labelled
    assert len(dataset) == 12
    assert (dataset[0].label == IGNORE_INDEX).all()


def test_masks_of_a_video_go_by_the_number_of_the_frame(new_clips: Path) -> None:
    masks = new_clips / "train" / "masks" / "film"
    masks.mkdir()
    Image.fromarray(np.full((64, 96), 2, np.uint8)).save(masks / "000003.png")
    dataset = open_clips(new_clips)
    assert dataset[0].name == "film_000003"
    assert (dataset[0].label == 2).all()


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    frames = moving_frames(12)
    write_frames(tmp_path / "train" / "clips" / "long", frames)
    (tmp_path / "classes.txt").write_text("a\n")
    dataset = open_clips(tmp_path)
    assert [dataset[index].name for index in (1, 2, 10, 11)] == ["long_1", "long_2", "long_10", "long_11"]


def test_bad_layouts_are_named(new_clips: Path) -> None:
    train = new_clips / "train"
    stray = train / "masks" / "folder" / "77.png"
    (train / "masks" / "folder" / "1.png").rename(stray)
    with pytest.raises(UserError, match=r"77\.png: the clip folder has no frame '77': rename or remove the mask"):
        open_clips(new_clips)
    stray.unlink()
    (train / "masks" / "nobody").mkdir()
    with pytest.raises(UserError, match=r"nobody: no such clip in .*clips: add the clip or remove the masks"):
        open_clips(new_clips)
    (train / "masks" / "nobody").rmdir()
    (train / "clips" / "folder" / "film.txt").write_text("not an image")  # other files do not matter
    write_frames(train / "clips" / "film", moving_frames(2))
    with pytest.raises(UserError, match=r"film: two clips of this name: rename one"):
        open_clips(new_clips)


def test_empty_splits_and_clips_are_named(new_clips: Path) -> None:
    (new_clips / "train" / "clips" / "none").mkdir()
    with pytest.raises(UserError, match=r"clips/none: no images here"):
        open_clips(new_clips)
    (new_clips / "train" / "clips" / "none").rmdir()
    (new_clips / "train" / "clips" / "broken.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"broken\.mp4: cannot be opened as a video"):
        open_clips(new_clips)
    with pytest.raises(UserError, match=r"val/clips: no such folder: put the clips of the split there"):
        open_dataset(DatasetSpec(layout="clips", root=new_clips), "val")
    (new_clips / "val" / "clips").mkdir(parents=True)
    with pytest.raises(UserError, match=r"val/clips: no clips here: add videos"):
        open_dataset(DatasetSpec(layout="clips", root=new_clips), "val")


def test_a_mask_of_another_size_is_named(new_clips: Path) -> None:
    mask = new_clips / "train" / "masks" / "folder" / "1.png"
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(mask)
    with pytest.raises(UserError, match=r"1\.png: the label is \(10, 10\), its frame \(64, 96\)"):
        open_clips(new_clips).read(FramePlace(1, 1))
