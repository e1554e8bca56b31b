"""Look at the data: write frames, masks and flow of a few clips as pictures."""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.data.palette import overlay
from train.data.streets.classes import PALETTE
from train.data.streets.clip import FRAMES, Clip

_SHEET_CLIPS = 8
_FULL_COLOUR_PX = 12.0  # a pixel that moves this far in the preview is fully saturated


def main() -> None:
    """Entry point of ``python -m train.data.streets``."""
    options = _parser().parse_args()
    rows, count = [], 0
    for seed in range(options.seed, options.seed + options.clips):
        clip = Clip(seed, tuple(options.size))
        frames = np.unique(np.linspace(0, FRAMES - 2, options.frames).astype(int)).tolist()
        strips = [_write(options.out, clip, t) for t in frames]
        count += len(strips)
        rows.append(strips[len(strips) // 2])
    sheet = np.concatenate(rows[:_SHEET_CLIPS])
    _save(options.out / "contact_sheet.png", sheet)
    print(f"{count} frames of {options.clips} clips in {options.out}: see contact_sheet.png")


def flow_colours(displacement: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """RGB ``(H, W, 3)`` of a flow ``(H, W, 2)``: hue is direction, saturation speed; black where not ``visible``."""
    speed, angle = cv2.cartToPolar(displacement[..., 0], displacement[..., 1], angleInDegrees=True)
    saturation = np.clip(np.asarray(speed) * (255 / _FULL_COLOUR_PX), 0, 255)
    hsv = np.stack([np.asarray(angle) / 2, saturation, np.where(visible, 255, 0)], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def _write(root: Path, clip: Clip, t: int) -> NDArray[np.uint8]:
    """Write one frame's files; returns image, labels over the image and flow to the next frame, side by side."""
    frame, flow = clip.frame(t), clip.flow(t, 1)
    preview = flow_colours(flow.displacement, flow.visible)
    name = f"{clip.seed:05d}_{t:02d}.png"
    _save(root / "images" / name, frame.image)
    _save(root / "flow" / name, preview)
    mask = Image.fromarray(frame.label)
    mask.putpalette([value for colour in PALETTE for value in colour])
    _make_folder(root / "masks")
    mask.save(root / "masks" / name)
    return np.concatenate([frame.image, overlay(frame.image, frame.label, PALETTE, 0.7), preview], axis=1)


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    _make_folder(path.parent)
    Image.fromarray(pixels).save(path)


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.data.streets",
        description="Write clips of the `streets` dataset as pictures: images/, masks/ (class ids with a palette), "
        "flow/ to the next frame (hue is direction) and contact_sheet.png.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--out", type=Path, required=True, default=argparse.SUPPRESS, help="folder to write to; made if it is missing"
    )
    parser.add_argument("--clips", type=_count, default=6, help="number of clips, of successive seeds")
    parser.add_argument("--frames", type=_count, default=4, help=f"frames of each clip, spread over its {FRAMES}")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first clip")
    parser.add_argument(
        "--size", type=_count, nargs=2, default=[192, 256], metavar=("HEIGHT", "WIDTH"), help="of the frames, in pixels"
    )
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


if __name__ == "__main__":
    main()
