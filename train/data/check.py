"""What is wrong with a dataset, and what is in it, from one reading of all its images (no torch)."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from train.data.palette import IGNORE_INDEX
from train.data.reading import Reading

_USUAL_SHARE = 0.9
"""Where so many images have one size, the others are odd; else sizes just differ."""

_ImageKey = tuple[tuple[int, int], bytes]


@dataclass
class SplitCheck:
    """What is in one split. Images that cannot be read are in `broken` or `unknown` and nowhere else."""

    split: str
    classes: list[str]
    images: int = 0
    broken: list[str] = field(default_factory=list)
    """One line a file: unreadable, or a label of another size than its image."""
    unknown: list[str] = field(default_factory=list)
    """One line a label: ids or colours that belong to no class."""
    unlabelled: list[str] = field(default_factory=list)
    """Images without one pixel that belongs to a class."""
    sizes: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    pixels: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    names: dict[_ImageKey, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The images of the same pixels."""

    def add(self, reading: Reading) -> None:
        self.images += 1
        if reading.broken or reading.unknown:
            self.broken += [reading.broken] if reading.broken else []
            self.unknown += [reading.unknown] if reading.unknown else []
            return
        self.sizes[reading.size].append(reading.name)
        self.names[reading.size, reading.digest].append(reading.name)
        for label, count in reading.pixels.items():
            self.pixels[label] += count
        if reading.pixels.keys() <= {IGNORE_INDEX}:
            self.unlabelled.append(reading.name)

    @property
    def usual_size(self) -> tuple[int, int]:
        """Height and width of most images; (0, 0): none could be read."""
        return max(self.sizes, key=lambda size: len(self.sizes[size]), default=(0, 0))

    @property
    def odd_sizes(self) -> list[str]:
        """Images of another size, in a split where nearly all have the same."""
        readable = sum(len(names) for names in self.sizes.values())
        if len(self.sizes.get(self.usual_size, [])) < _USUAL_SHARE * readable:
            return []
        others = [(size, names) for size, names in self.sizes.items() if size != self.usual_size]
        return [f"{name}: {_size_text(size)}" for size, names in others for name in names]

    @property
    def shares(self) -> dict[str, float]:
        """Share of all pixels that each class has."""
        total = max(1, sum(self.pixels.values()))
        return {name: self.pixels.get(index, 0) / total for index, name in enumerate(self.classes)}

    @property
    def ignored_share(self) -> float:
        """Share of all pixels that belong to no class."""
        return self.pixels.get(IGNORE_INDEX, 0) / max(1, sum(self.pixels.values()))

    @property
    def never_seen(self) -> list[str]:
        """Classes without a pixel; none where there is no label at all."""
        return [name for name, share in self.shares.items() if not share] if any(self.shares.values()) else []

    @property
    def copies(self) -> list[list[str]]:
        """Groups of images with the same pixels."""
        return [names for names in self.names.values() if len(names) > 1]

    def record(self) -> dict[str, Any]:
        """All of it for a machine."""
        return {
            "images": self.images,
            "sizes": {_size_text(size): len(names) for size, names in self.sizes.items()},
            "class_share": self.shares,
            "ignored_share": self.ignored_share,
            "broken": self.broken,
            "unknown": self.unknown,
            "never_seen": self.never_seen,
            "odd_sizes": self.odd_sizes,
            "unlabelled": self.unlabelled,
            "copies": self.copies,
        }


class Duplicate(NamedTuple):
    """The same pixels in two splits."""

    one: str
    other: str
    leaks: bool
    """Whether one of the two splits is what checkpoints are chosen on, so that scores on it would be too good."""


def duplicates(splits: list[SplitCheck], val_split: str) -> list[Duplicate]:
    """Images that are in more than one split; near duplicates are not looked for."""
    return [
        Duplicate(f"{one.split}/{name}", f"{other.split}/{copy}", val_split in (one.split, other.split))
        for number, one in enumerate(splits)
        for other in splits[number + 1 :]
        for key in one.names.keys() & other.names.keys()
        for name in one.names[key]
        for copy in other.names[key]
    ]


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
