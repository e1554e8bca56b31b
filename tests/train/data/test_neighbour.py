from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.train.data.moving_clips import STEP, write_clips
from train.data.dataset import Dataset
from train.data.flow import Flow
from train.data.flow.flo_file import write_flo
from train.data.neighbour import Neighbour, Neighbours, open_neighbours
from train.data.open import open_dataset
from train.data.spec import DatasetSpec, NeighbourSpec, StreetsSpec
from train.data.streets import Clip
from train.errors import UserError


def clips(root: Path) -> Dataset:
    return open_dataset(DatasetSpec(layout="clips", root=root), "train")


def spec(**changes: object) -> NeighbourSpec:
    return NeighbourSpec.model_validate(changes)


def neighbour(dataset: Dataset, index: int, seed: int = 0, **changes: object) -> Neighbour:
    return open_neighbours(dataset, spec(**changes)).of(index, dataset[index], seed)


@pytest.fixture
def streets() -> Dataset:
    size = StreetsSpec(clips=1, val_clips=1, frames=3, size=(48, 64))
    return open_dataset(DatasetSpec(streets=size), "train")


def test_streets_give_another_frame_and_its_exact_flow(streets: Dataset) -> None:
    found = neighbour(streets, 1, gap=2, direction="forward")
    clip = Clip(0, (48, 64))
    time = int(streets[1].name[-3:])
    expected = clip.flow(time, 2)
    assert np.array_equal(found.image, clip.frame(time + 2).image)
    assert np.array_equal(found.flow.displacement, expected.displacement)
    assert np.array_equal(found.flow.visible, expected.visible)
    assert (expected.displacement != 0).any()


@pytest.mark.parametrize(("direction", "names"), [("forward", {2}), ("backward", {0}), ("both", {0, 2})])
def test_direction_is_drawn_from_the_seed(clips_root: Path, direction: str, names: set[int]) -> None:
    dataset = clips(clips_root)
    assert dataset.clips is not None
    frames = {n: dataset.clips.read(dataset.clips.place(0).later(n - 1)).image for n in (0, 2)}  # of sample 1
    open_ = open_neighbours(dataset, spec(direction=direction))
    seen = [open_.of(0, dataset[0], seed).image for seed in range(8)]
    again = [open_.of(0, dataset[0], seed).image for seed in range(8)]
    assert np.array_equal(seen, again)
    found = {n for n, frame in frames.items() for image in seen if np.array_equal(image, frame)}
    assert found == names


def test_at_the_end_of_a_clip_the_other_direction_is_taken(clips_root: Path) -> None:
    dataset = clips(clips_root)  # samples are frames 1 and 4 of 6
    assert open_neighbours(dataset, spec(gap=2, direction="forward")).gaps(0) == [2]
    assert open_neighbours(dataset, spec(gap=2, direction="forward")).gaps(1) == [-2]
    assert open_neighbours(dataset, spec(gap=1, direction="both")).gaps(1) == [1, -1]


@pytest.mark.parametrize(("gap", "sign"), [("forward", 1), ("backward", -1)])
def test_real_frames_get_estimated_flow(clips_root: Path, gap: str, sign: int) -> None:
    found = neighbour(clips(clips_root), 0, direction=gap)
    error = np.hypot(*(found.flow.displacement - sign * np.array(STEP)).transpose(2, 0, 1))
    assert np.median(error[found.flow.visible]) < 0.2
    assert found.flow.visible.mean() > 0.7


def test_still_images_are_moved_themselves(folder_root: Path) -> None:
    dataset = open_dataset(DatasetSpec(layout="folder", root=folder_root), "train")
    found = neighbour(dataset, 0)
    assert found.image.shape == dataset[0].image.shape
    assert 0 < np.abs(found.flow.displacement).max() < 10
    assert np.array_equal(found.image, neighbour(dataset, 0).image)
    assert not np.array_equal(found.image, neighbour(dataset, 0, seed=1).image)


def test_identity_is_the_other_frame_and_no_motion(clips_root: Path) -> None:
    found = neighbour(clips(clips_root), 0, provider="identity")
    assert not found.flow.displacement.any()
    assert not np.array_equal(found.image, clips(clips_root)[0].image)


def test_affine_does_without_the_other_frames(clips_root: Path) -> None:
    dataset = clips(clips_root)
    still = neighbour(dataset, 0, provider="affine", jitter={"shift": 0, "zoom": 0, "turn": 0})
    assert np.array_equal(still.image, dataset[0].image)


def write_all_flo(folder: Path, size: tuple[int, int] = (64, 96)) -> Path:
    folder.mkdir()
    for frame in (1, 4):
        for gap in (1, -1):
            displacement = np.broadcast_to(np.float32(STEP) * gap, (*size, 2)).copy()
            write_flo(folder / f"folder_{frame}_{gap:+d}.flo", Flow(displacement, np.ones(size, bool)))
    return folder


def test_flow_is_read_from_files(clips_root: Path, tmp_path: Path) -> None:
    folder = write_all_flo(tmp_path / "flow")
    found = neighbour(clips(clips_root), 0, provider="flo", flo=folder, direction="backward")
    assert np.allclose(found.flow.displacement[found.flow.visible], -np.array(STEP))
    assert not found.flow.visible[:, :3].any()  # they leave the frame
    (folder / "folder_4_-1.flo").unlink()
    open_neighbours(clips(clips_root), spec(provider="flo", flo=folder, direction="forward"))
    with pytest.raises(UserError, match=r"folder_4_-1\.flo: cannot be read"):
        open_neighbours(clips(clips_root), spec(provider="flo", flo=folder))


def test_damaged_and_misfit_flow_files_are_named(clips_root: Path, tmp_path: Path) -> None:
    dataset = clips(clips_root)
    folder = write_all_flo(tmp_path / "flow", (32, 48))
    with pytest.raises(UserError, match=r"_\+1\.flo: the flow is \(32, 48\), its frame \(64, 96\)"):
        neighbour(dataset, 0, provider="flo", flo=folder, direction="forward")
    (folder / "folder_1_+1.flo").write_bytes(b"not flow")
    with pytest.raises(UserError, match=r"folder_1_\+1\.flo: not a \.flo file"):
        open_neighbours(dataset, spec(provider="flo", flo=folder))


Opened = Callable[[], Neighbours]


def test_what_a_dataset_cannot_give_is_said_before_the_first_step(
    clips_root: Path, folder_root: Path, streets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = open_dataset(DatasetSpec(layout="folder", root=folder_root), "train")
    moving = clips(clips_root)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "file").write_text("")
    cases = [
        (still, {"provider": "dis"}, "provider: dis: folder/train has no neighbouring frames: set it to affine"),
        (moving, {"provider": "exact"}, "exact: only streets knows its flow: set it to auto or dis"),
        (moving, {"gap": 9}, r"gap: 9: 2 of 2 samples .* \(their shortest clip has 6\): choose a smaller gap$"),
        (streets, {"gap": 64}, r"gap: 64: 3 of 3 samples .* \(their shortest clip has 64\)"),
        (moving, {"provider": "flo"}, r"flo: which files\? Set --data\.neighbour\.flo FOLDER"),
        (moving, {"provider": "flo", "flo": tmp_path / "no"}, "no: no such folder: check the path"),
        (moving, {"provider": "raft"}, "no weights of RAFT: download https://"),
        (moving, {"cache": tmp_path / "file"}, r"cache: .*file: cannot be written \(File exists\)"),
    ]
    for dataset, changes, reason in cases:
        with pytest.raises(UserError, match=reason) as caught:
            open_neighbours(dataset, spec(**changes))
        assert "\n" not in str(caught.value)


def test_where_only_some_clips_are_too_short_auto_moves_their_images(tmp_path: Path) -> None:
    root = write_clips(tmp_path / "clips")
    (root / "train" / "masks" / "film").mkdir()
    (root / "train" / "masks" / "folder" / "1.png").rename(root / "train" / "masks" / "film" / "000005.png")
    for number in range(5):
        if number != 4:
            (root / "train" / "clips" / "folder" / f"{number}.png").unlink()
    dataset = clips(root)  # frame 5 of 6 of the video; frame 4, the first of 2, of the folder
    assert open_neighbours(dataset, spec(gap=3)).gaps(1) == []
    moved = neighbour(dataset, 1, gap=3, jitter={"shift": 0, "zoom": 0, "turn": 0})
    assert np.array_equal(moved.image, dataset[1].image)
    with pytest.raises(UserError, match=r"1 of 2 samples .* or set data\.neighbour\.provider to auto"):
        open_neighbours(dataset, spec(gap=3, provider="dis"))
