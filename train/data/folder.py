"""Anybody's dataset: ``images/`` and ``masks/``, matched by stem (no torch).

A split is a sub-folder (``<split>/images``, ``<split>/masks``) or a list of stems ``<split>.txt`` beside ``images/``
and ``masks/``. Masks hold class ids (grey or palette PNG) or colours. ``classes.txt`` names the classes, one a line in
the order of ids, each optionally followed by its colour: ``road 128 64 128``.
"""

from pathlib import Path

from train.data.paired_files import PairedFiles
from train.data.palette import Colour, default_palette
from train.data.spec import DatasetSpec
from train.errors import UserError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def open_folder(spec: DatasetSpec, root: Path, split: str) -> PairedFiles:
    """The pairs of one split; classes from the config or ``classes.txt``."""
    classes, palette = read_classes(spec, root)
    base, stems = _split_folder(root, split)
    images = list_images(base / "images")
    if stems is not None:
        images = _select(images, stems, root / f"{split}.txt")
    masks = {path.stem: path for path in sorted((base / "masks").glob("*")) if path.suffix.lower() in IMAGE_SUFFIXES}
    pairs = [(image, masks.get(image.stem, base / "masks" / f"{image.stem}.png")) for image in images]
    return PairedFiles(f"{root.name}/{split}", pairs, classes, palette, spec.label_map)


def list_images(folder: Path) -> list[Path]:
    """The image files of a folder, by name. `UserError` if it is missing or has none."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder: put the images there")
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise UserError(f"{folder}: no images here ({', '.join(sorted(IMAGE_SUFFIXES))}): add some")
    return images


def read_classes(spec: DatasetSpec, root: Path) -> tuple[list[str], list[Colour]]:
    """Names and colours of the classes: the config's, or those in ``classes.txt``; `UserError` without either."""
    if spec.classes:
        return spec.classes, spec.palette or default_palette(len(spec.classes))
    listing = root / "classes.txt"
    if not listing.is_file():
        raise UserError(
            f"{listing}: missing: name the classes there, one a line in the order of ids, or set data.classes"
        )
    lines = [line.split() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
    names = [line[0] for line in lines]
    if any(len(line) not in (1, 4) for line in lines) or not names:
        raise UserError(f"{listing}: each line must be 'name' or 'name r g b' (no spaces in names)")
    coloured = all(len(line) == 4 for line in lines)
    palette = [(int(r), int(g), int(b)) for _, r, g, b in lines] if coloured else default_palette(len(names))
    return names, palette


def _split_folder(root: Path, split: str) -> tuple[Path, list[str] | None]:
    if (root / split).is_dir():
        return root / split, None
    listing = root / f"{split}.txt"
    if not listing.is_file():
        raise UserError(
            f"{root}: no split '{split}': make {root / split}/images and /masks, or list the stems in {listing}"
        )
    stems = [Path(line.strip()).stem for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not stems:
        raise UserError(f"{listing}: empty: list one stem a line")
    return root, stems


def _select(images: list[Path], stems: list[str], listing: Path) -> list[Path]:
    by_stem = {image.stem: image for image in images}
    missing = next((stem for stem in stems if stem not in by_stem), None)
    if missing is not None:
        raise UserError(f"{listing}: '{missing}': no such image in {images[0].parent}: add it or remove the line")
    return [by_stem[stem] for stem in stems]
