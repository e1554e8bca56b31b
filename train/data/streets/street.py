"""The street's own coordinates: metres along its centre line and metres to the right of it.

World axes: x right, y down, z ahead, the ground at y = 0, so that heights are negative y.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Street:
    """A street of constant curvature, in 1/m; positive bends to the right."""

    curvature: float

    def point(self, along: Array | float, right: Array | float) -> Array:
        """World ``(..., 2)`` x and z of street coordinates in metres."""
        heading = self.curvature * np.asarray(along, np.float64)
        chord = along * np.sinc(heading / (2 * np.pi))  # sinc: a straight street needs no case of its own
        x = chord * np.sin(heading / 2) + right * np.cos(heading)
        z = chord * np.cos(heading / 2) - right * np.sin(heading)
        return np.stack([x, z], axis=-1)

    def pose(self, along: Array, right: Array, turn: Array) -> Array:
        """Body-to-world ``(N, 4, 4)`` of bodies at these places, ``turn`` radians clockwise from the street's way."""
        heading = self.curvature * along + turn
        pose = np.zeros((len(along), 4, 4))
        pose[:, 0, 0] = pose[:, 2, 2] = np.cos(heading)
        pose[:, 0, 2] = np.sin(heading)
        pose[:, 2, 0] = -np.sin(heading)
        pose[:, 1, 1] = pose[:, 3, 3] = 1
        pose[:, [0, 2], 3] = self.point(along, right)
        return pose

    def strip(self, along: tuple[float, float], right: tuple[float, float], step: float = 6.0) -> Array:
        """Outline ``(V, 2)`` in world x and z of the ground between two distances along and two to the right."""
        stations = np.linspace(*along, max(2, int(abs(along[1] - along[0]) / step) + 1))
        return np.concatenate([self.point(stations, right[0]), self.point(stations[::-1], right[1])])
