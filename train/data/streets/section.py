"""The street's cross-section and its side roads: how the ground is divided."""

from dataclasses import dataclass

import numpy as np

BEGIN, END = -12.0, 170.0
"""Metres along the centre line between which the street is furnished."""


@dataclass(frozen=True)
class Section:
    """Widths in metres; pairs are left and right of the road."""

    lanes: int
    lane_width: float
    pavement: tuple[float, float]
    setback: tuple[float, float]  # between pavement and buildings
    parking: tuple[bool, bool]
    drives: int  # +1 on the right, -1 on the left
    side_roads: tuple[tuple[float, float], ...]  # along
    crossings: tuple[float, ...]  # along, where zebra crossings begin

    @staticmethod
    def random(rng: np.random.Generator) -> "Section":
        """Two to four lanes, with or without parked cars, verges and side roads."""
        side_roads, along = [], rng.uniform(5, 70)
        while along < END - 30:
            width = rng.uniform(6, 12)
            side_roads.append((along, along + width))
            along += width + rng.uniform(25, 90)
        before = [begin - rng.uniform(4, 6) for begin, _ in side_roads if rng.random() < 0.5]
        return Section(
            lanes=int(rng.choice((2, 3, 4), p=(0.6, 0.2, 0.2))),
            lane_width=rng.uniform(2.8, 3.6),
            pavement=(rng.uniform(1.5, 4.5), rng.uniform(1.5, 4.5)),
            setback=(_setback(rng), _setback(rng)),
            parking=(bool(rng.random() < 0.5), bool(rng.random() < 0.5)),
            drives=int(rng.choice((-1, 1))),
            side_roads=tuple(side_roads),
            crossings=tuple([*before, rng.uniform(8, 60)][: rng.integers(0, 3)]),
        )

    @property
    def half_road(self) -> float:
        """From the centre line to the kerb."""
        return self.lanes * self.lane_width / 2 + (2.2 if any(self.parking) else 0.3)

    def lane_lines(self) -> list[float]:
        """Metres to the right of the centre line at which lanes touch."""
        return [(line - self.lanes / 2) * self.lane_width for line in range(1, self.lanes)]

    def own_lane(self) -> float:
        """The middle of the camera's lane."""
        return self.drives * (self.lanes - 1) * self.lane_width / 2

    def oncoming_lane(self) -> float:
        """The middle of the outer lane of the traffic that comes towards the camera."""
        return -self.own_lane()

    def edge(self, side: int) -> float:
        """From the centre line to the end of the pavement, ``side`` -1 or +1."""
        return self.half_road + self.pavement[side > 0]

    def in_side_road(self, along: float, margin: float = 0.0) -> bool:
        """Whether a place lies in the mouth of a side road, or within ``margin`` metres of it."""
        return any(begin - margin < along < end + margin for begin, end in self.side_roads)

    def between_side_roads(self) -> list[tuple[float, float]]:
        """The stretches of the street that side roads leave."""
        starts = [BEGIN, *(end for _, end in self.side_roads)]
        ends = [*(begin for begin, _ in self.side_roads), END]
        return list(zip(starts, ends, strict=True))


def _setback(rng: np.random.Generator) -> float:
    return 0.0 if rng.random() < 0.5 else rng.uniform(1, 7)
