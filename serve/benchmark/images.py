"""The images that a benchmark sends."""

from pathlib import Path

from train.data.image import read_image
from train.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def load_images(image: Path | None, folder: Path | None, bundle: Path | None) -> list[bytes]:
    """The file's bytes, or those of all images in a folder, or of the bundle's samples, in the order of their names.

    Raises:
        UserError: there is none, or one that cannot be decoded.
    """
    paths = [image] if image else _images_in(folder or (bundle / "samples" if bundle else None))
    for path in paths:
        read_image(path)
    return [path.read_bytes() for path in paths]


def _images_in(folder: Path | None) -> list[Path]:
    found = folder.iterdir() if folder is not None and folder.is_dir() else ()
    paths = sorted(path for path in found if path.suffix.lower() in SUFFIXES)
    if not paths:
        where = f"no images in {folder}" if folder else "no images"
        raise UserError(f"{where}: give --image FILE or --images DIR ({', '.join(SUFFIXES)})")
    return paths
