"""CamVid in SegNet's 11-class version: ``train/ trainannot/ val/ valannot/`` and a list file a split (no torch).

Brostow et al., "Semantic object classes in video", https://doi.org/10.1016/j.patrec.2008.04.005
"""

from pathlib import Path

from train.data.numbered_frames import find_clips
from train.data.paired_files import PairedFiles
from train.data.palette import IGNORE_INDEX, Colour
from train.data.spec import DatasetSpec
from train.errors import UserError

CLASSES = [
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
]  # fmt: skip
PALETTE: list[Colour] = [
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
    (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
]  # fmt: skip
VOID = 11

_FRAMES_PER_S = 30.0  # that the numbers in the names count at
_LARGEST_STEP = 3  # frames, 0.1 s: between the labels that are a second apart, too much has moved for any flow


def open_camvid(spec: DatasetSpec, root: Path, split: str) -> PairedFiles:
    """The pairs listed in ``<split>.txt``, one ``image label`` a line, relative to ``root``."""
    listing = root / f"{split}.txt"
    if not listing.is_file():
        raise UserError(f"{listing}: no such list: the layout 'camvid' has train.txt, val.txt beside the image folders")
    lines = [line.split() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{listing}: empty: list one 'image label' pair a line")
    broken = next((line for line in lines if len(line) != 2), None)
    if broken is not None:
        raise UserError(f"{listing}: '{' '.join(broken)}': each line must be 'image label'")
    pairs = [(root / _relative(image), root / _relative(label)) for image, label in lines]
    clips = find_clips([image.stem for image, _ in pairs], _FRAMES_PER_S, _LARGEST_STEP)
    return PairedFiles(
        name=f"camvid/{split}",
        pairs=pairs,
        classes=spec.classes or CLASSES,
        palette=spec.palette or PALETTE,
        label_map=spec.label_map or {VOID: IGNORE_INDEX},
        clips=clips if any(len(clip.indices) > 1 for clip in clips) else None,
    )


def _relative(path: str) -> str:
    """SegNet's own lists hold absolute paths that exist on nobody's machine."""
    return path.removeprefix("/SegNet/CamVid/")
