import os
from pathlib import Path

import numpy as np
import pytest

from tests.train.data.moving_clips import moving_frames, write_frames, write_video
from train.data.open import open_dataset
from train.data.spec import DataConfig
from train.data.unlabelled import UnlabelledFrames
from train.errors import UserError

pytestmark = pytest.mark.usefixtures("own_cache_folder")
CLASSES = ["road", "sky"]


def opened(*paths: Path, split: str = "all", **pool: object) -> UnlabelledFrames:
    spec = DataConfig.model_validate({"unlabelled": paths, "classes": CLASSES, "pool": pool})
    found = open_dataset(spec, split)
    assert isinstance(found, UnlabelledFrames)
    return found


def names(found: UnlabelledFrames) -> list[str]:
    return [found[index].name for index in range(len(found))]


def test_unlabelled_images_alone_are_a_layout_of_their_own() -> None:
    assert DataConfig.model_validate({"unlabelled": ["a"]}).taught
    assert not DataConfig.model_validate({"unlabelled": ["a"], "layout": "camvid"}).taught
    assert not DataConfig().taught


def test_videos_folders_of_frames_and_folders_of_both_are_found(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.avi", moving_frames(3, seed=1))
    write_video(tmp_path / "drives" / "monday" / "front.avi", moving_frames(2, seed=2))
    write_frames(tmp_path / "drives" / "tuesday", moving_frames(2, seed=3))
    write_frames(tmp_path / "drives" / ".hidden", moving_frames(2, seed=4))
    (tmp_path / "drives" / "tuesday" / "notes.txt").write_text("rain", encoding="utf-8")
    found = opened(film, tmp_path / "drives")
    frames = ["film_000000", "film_000001", "film_000002", "front_000000", "front_000001", "tuesday_0", "tuesday_1"]
    assert names(found) == frames
    assert found.classes == CLASSES
    assert not found.labelled
    sample = found[3]
    assert not sample.labelled
    assert (sample.label == 255).all()
    assert found.clips.length(found.place(0).clip) == 3


def test_sources_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        write_frames(tmp_path / day / "front", moving_frames(1, seed=len(day)))
    assert names(opened(tmp_path)) == ["front-1_0", "front-2_0"]


def test_stride_and_near_duplicates_are_counted(tmp_path: Path) -> None:
    moving, still = moving_frames(6), moving_frames(1, seed=5) * 4
    write_frames(tmp_path / "drive", [*moving, *still])
    found = opened(tmp_path)
    assert names(found) == [f"drive_{number}" for number in range(7)]
    assert found.notes[-1] == f"{tmp_path.stem}/all: 7 images, 3 near duplicates left out"
    assert names(opened(tmp_path, every=3)) == ["drive_0", "drive_3", "drive_6"]


def test_what_is_scored_on_is_neither_trained_on_nor_like_it(tmp_path: Path) -> None:
    moving = moving_frames(40)
    moving[3] = moving[38]  # the same street again
    write_frames(tmp_path / "drive", moving)
    train, val = (opened(tmp_path, split=split, held_out=0.2, apart=4) for split in ("train", "val"))
    assert names(val) == [f"drive_{number}" for number in range(32, 40)]
    assert names(train) == [f"drive_{number}" for number in range(28) if number != 3]
    # Nor do neighbours reach into it: the last frame that is trained on has none after it.
    last = train.place(len(train) - 1)
    assert train.length(last.clip) == last.frame + 1


def test_broken_images_are_counted_and_left_out(tmp_path: Path) -> None:
    write_frames(tmp_path / "drive", moving_frames(4))
    (tmp_path / "drive" / "2.png").write_bytes(b"no picture")
    film = write_video(tmp_path / "film.avi", moving_frames(24, seed=1))
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 2 // 3])
    (tmp_path / "voice.mp4").write_bytes(b"no video")
    found = opened(tmp_path)
    assert "drive_2" not in names(found)
    notes = "\n".join(found.notes)
    assert "drive: 1 not readable, left out: replace them; the first: " in notes
    assert "film: " in notes
    assert "write it anew (ffmpeg -i film.avi NEW.mkv); the first: " in notes
    assert f"left out: {tmp_path / 'voice.mp4'}: cannot be opened as a video: replace or remove it" in notes
    assert 12 < sum(name.startswith("film") for name in names(found)) < 20


def test_what_was_seen_is_kept_until_a_file_changes(tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    write_frames(drive, moving_frames(6))
    assert len(opened(drive)) == 6
    kept = list(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.npz"))
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    assert len(opened(drive)) == 6
    assert kept[0].stat().st_mtime_ns == written
    kept[0].write_bytes(b"damaged")
    assert len(opened(drive)) == 6
    (drive / "3.png").write_bytes((drive / "2.png").read_bytes())
    assert len(opened(drive)) == 5


def test_without_a_place_to_keep_it_videos_are_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    film = write_video(tmp_path / "film.avi", moving_frames(3))
    assert len(opened(film)) == 3


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such file or folder: check the path"):
        opened(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no images and no videos here: add some"):
        opened(tmp_path)
    (tmp_path / "notes.txt").write_text("rain", encoding="utf-8")
    with pytest.raises(UserError, match=r"notes.txt: no video \(.*\): give its folder"):
        opened(tmp_path / "notes.txt")
    (tmp_path / "film.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"film.mp4: cannot be opened as a video: replace or remove it"):
        opened(tmp_path / "film.mp4")
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / "1.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of the images can be read: drive: 1 not readable"):
        opened(tmp_path / "drive")


def test_too_few_images_to_hold_some_out(tmp_path: Path) -> None:
    write_frames(tmp_path / "drive", moving_frames(4))
    with pytest.raises(UserError, match="4 images are too few, or too alike, for val: give more"):
        opened(tmp_path, split="val")
    with pytest.raises(UserError, match="'test': the layout 'unlabelled' has the splits train, val and all"):
        opened(tmp_path, split="test")


def test_frames_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    frames = moving_frames(3)
    write_frames(tmp_path / "drive", frames)
    found = opened(tmp_path)
    assert all(np.array_equal(found[number].image, frames[number]) for number in range(3))
    assert np.array_equal(found.clips.read(found.place(1).later(1)).image, frames[2])
