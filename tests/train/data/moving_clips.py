"""Small clips whose motion is known: a textured picture that moves by whole pixels, as frames and as videos."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

STEP = (3, 1)
"""Pixels right and down that the picture moves from one frame to the next."""

Frames = list[NDArray[np.uint8]]


def moving_frames(count: int, size: tuple[int, int] = (64, 96), seed: int = 0) -> Frames:
    """RGB frames ``(H, W, 3)``; the point at p in one is at p + `STEP` in the next."""
    height, width = size
    noise = np.random.default_rng(seed).integers(0, 256, (height + 64, width + 192, 3), np.uint8)
    canvas = np.clip((cv2.GaussianBlur(noise, (0, 0), 2.5).astype(np.float32) - 128) * 5 + 128, 0, 255).astype(np.uint8)
    starts = [(64 - STEP[1] * frame, 192 - STEP[0] * frame) for frame in range(count)]
    return [canvas[top : top + height, left : left + width] for top, left in starts]


def write_video(path: Path, frames: Frames, codec: str = "MJPG", frames_per_s: float = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = frames[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), frames_per_s, size)
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def write_clips(root: Path, frames: int = 6) -> Path:
    """The layout `clips`: a video and a folder of frames; frames 1 and 4 of the folder have masks."""
    write_video(root / "train" / "clips" / "film.avi", moving_frames(frames, seed=1))
    write_frames(root / "train" / "clips" / "folder", moving_frames(frames, seed=2))
    masks = root / "train" / "masks" / "folder"
    masks.mkdir(parents=True)
    for number in (1, 4):
        Image.fromarray(np.full((64, 96), number % 3, np.uint8)).save(masks / f"{number}.png")
    (root / "classes.txt").write_text("road\nsky\ncar\n", encoding="utf-8")
    return root


def write_frames(folder: Path, frames: Frames) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number}.png")
