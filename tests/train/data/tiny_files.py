"""Tiny images and labels, to make copies of published layouts of."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 6, 8


def write_image(path: Path, seed: int = 0) -> None:
    """Noise, another one for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(noise).save(path)


def write_label(path: Path, ids: list[int], palette: bool = False) -> None:
    """A row of pixels of each id, as many as fit; the rest has the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (ids + HEIGHT * [ids[-1]])[:HEIGHT]
    image = Image.fromarray(np.repeat(np.array(rows, np.uint8)[:, None], WIDTH, axis=1))
    if palette:
        image.putpalette([200, 0, 0] * 256)
    image.save(path)


def write_list(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
