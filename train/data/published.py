"""Find one's way in a dataset as it was published: its folders, lists and pairs (no torch)."""

from pathlib import Path

from train.data.folder import list_images
from train.errors import UserError

Pair = tuple[Path, Path]
"""An image and its label."""


def find_base(layout: str, root: Path, unpacked: str, needed: str) -> Path:
    """The folder that has ``needed``: ``root``, or ``unpacked`` inside of it, which is what the archive unpacks to."""
    for base in (root, root / unpacked):
        if (base / needed).is_dir():
            return base
    raise UserError(
        f"{root}: not the layout '{layout}': {needed}/ is neither here nor in {unpacked}/: give the folder that has it "
        "as data.root, or choose another data.layout"
    )


def listed_pairs(listing: Path, images: Path, labels: Path) -> list[Pair]:
    """JPEG images and PNG labels of the stems in a list, one a line; of 'image label' the image's stem counts."""
    if not listing.is_file():
        raise UserError(f"{listing}: no such list: choose a split of {_lists(listing.parent)}, or put the list there")
    check_folder(labels, f"unpack the labels of the images in {images} there")
    lines = [line.split() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{listing}: empty: list one stem a line")
    stems = [Path(line[0]).stem for line in lines]
    return [(images / f"{stem}.jpg", labels / f"{stem}.png") for stem in stems]


def mirrored_pairs(images: Path, labels: Path) -> list[Pair]:
    """All images of a folder and the PNG labels of the same stems in another one."""
    listed = list_images(images)
    check_folder(labels, f"unpack the labels of the images in {images} there")
    return [(image, labels / f"{image.stem}.png") for image in listed]


def check_folder(folder: Path, remedy: str) -> None:
    """`UserError` where there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder: {remedy}")


def _lists(folder: Path) -> str:
    return ", ".join(sorted(path.stem for path in folder.glob("*.txt"))) or "the dataset"
