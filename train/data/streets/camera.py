"""The pin-hole camera behind the windscreen: where it stands and looks at any time, as a projection matrix."""

from dataclasses import dataclass

import numpy as np

from train.data.resize import Size
from train.data.streets.street import Array, Street


@dataclass(frozen=True)
class Camera:
    """A camera that drives along a street; all of its motion is a closed function of the frame number."""

    street: Street
    size: Size
    focal: float  # in image widths
    height: float  # metres
    along: float  # metres, at t = 0
    right: float  # metres
    speed: float  # metres a frame
    angles: Array  # (3,) mean yaw, pitch and roll, radians
    sway: Array  # (3,) amplitude of their jitter, radians
    phase: Array  # (3, 2) phases of the jitter's two waves

    @staticmethod
    def random(rng: np.random.Generator, street: Street, size: Size, right: float) -> "Camera":
        """A camera in the lane ``right`` metres from the centre line; one in seven stands still."""
        return Camera(
            street=street,
            size=size,
            focal=rng.uniform(0.7, 1.05),
            height=rng.uniform(1.2, 2.1),
            along=rng.uniform(0, 3),
            right=right,
            speed=0.0 if rng.random() < 1 / 7 else rng.uniform(0.15, 0.6),
            angles=np.radians([rng.normal(0, 4), rng.uniform(-4, 5), rng.normal(0, 0.6)]),
            sway=np.radians([rng.uniform(0, 0.6), rng.uniform(0, 0.35), rng.uniform(0, 0.2)]),
            phase=rng.uniform(0, 2 * np.pi, (3, 2)),
        )

    def projection(self, t: int) -> Array:
        """``(3, 4)`` from homogeneous world points to ``(x z, y z, z)``: pixels times depth, and depth in metres."""
        waves = np.sin(self.phase[:, 0] + 0.35 * t) + 0.5 * np.sin(self.phase[:, 1] + 1.1 * t)
        yaw, pitch, roll = self.angles + self.sway * waves
        along, right = np.array([self.along + self.speed * t]), np.array([self.right])
        pose = self.street.pose(along, right, np.array([yaw]))[0]
        pose[1, 3] = -self.height
        rotation = _rotation_x(-pitch) @ _rotation_z(roll) @ pose[:3, :3].T
        extrinsic = np.concatenate([rotation, -rotation @ pose[:3, 3:]], axis=1)
        return np.asarray(self._intrinsic() @ extrinsic)

    def _intrinsic(self) -> Array:
        height, width = self.size
        focal = self.focal * width
        return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def _rotation_x(angle: float) -> Array:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def _rotation_z(angle: float) -> Array:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
