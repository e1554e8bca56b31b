"""A scene: the surfaces of a clip as arrays, where each of them stands at any time, and how it is lit and seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.streets.atlas import Atlas, AtlasBuilder
from train.data.streets.camera import Camera
from train.data.streets.light import Light
from train.data.streets.street import Array, Street
from train.data.streets.surface import Surface


@dataclass(frozen=True)
class Scene:
    """S surfaces with O outlines of V points in all, on B bodies. Body 0 is the world itself."""

    street: Street
    camera: Camera
    light: Light
    atlas: Atlas
    motion: Array  # (B, 5) along, right, turn at t = 0, and metres a frame along and to the right
    body: NDArray[np.intp]  # (S,)
    plane: Array  # (S, 4, 3)
    to_tile: Array  # (S, 3, 3)
    tile: NDArray[np.float32]  # (S, 4) x, y, width, height in the atlas
    colour: NDArray[np.float32]  # (S, 3) tint times the light that falls on the surface
    label: NDArray[np.uint8]  # (S,)
    cutout: NDArray[np.bool_]  # (S,)
    ground: NDArray[np.bool_]  # (S,)
    two_sided: NDArray[np.bool_]  # (S,)
    casts_shadow: NDArray[np.bool_]  # (S,)
    emits: NDArray[np.bool_]  # (S,)
    points: Array  # (V, 3) homogeneous
    first_point: NDArray[np.intp]  # (O + 1,)
    owner: NDArray[np.intp]  # (O,) the surface of each outline

    def planes_at(self, t: int) -> Array:
        """``(S, 4, 3)`` from each surface's plane to homogeneous world points at frame ``t``."""
        along, right, turn, speed_along, speed_right = self.motion.T
        bodies = self.street.pose(along + speed_along * t, right + speed_right * t, turn)
        bodies[0] = np.eye(4)
        return bodies[self.body] @ self.plane


class SceneBuilder:
    """Collects surfaces and the tiles they use."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.atlas = AtlasBuilder()
        self._motion = [(0.0, 0.0, 0.0, 0.0, 0.0)]
        self._surfaces: list[Surface] = []
        self._body: list[int] = []

    def add(self, *surfaces: Surface) -> None:
        """Surfaces in world coordinates."""
        self._surfaces += surfaces
        self._body += [0] * len(surfaces)

    def place(
        self,
        surfaces: list[Surface],
        along: float,
        right: float,
        turn: float = 0.0,
        speed: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Surfaces of a body in its own coordinates; it stands, or moves at ``speed`` along and to the right."""
        self._surfaces += surfaces
        self._body += [len(self._motion)] * len(surfaces)
        self._motion.append((along, right, turn, *speed))

    def build(self, camera: Camera, light: Light) -> Scene:
        """Pack everything that was added."""
        surfaces = self._surfaces
        outlines = [(outline, index) for index, surface in enumerate(surfaces) for outline in surface.outlines]
        tiles = [surface.tile for surface in surfaces]
        motion, body = np.array(self._motion), np.array(self._body)
        planes = np.stack([surface.plane for surface in surfaces])
        points = np.concatenate([outline for outline, _ in outlines])
        turn = motion[body, 2] + self.street.curvature * motion[body, 0]
        flags = np.array([(s.two_sided, s.emits, s.ground, s.casts_shadow, s.tile.cutout) for s in surfaces]).T
        two_sided, emits, ground, casts_shadow, cutout = flags
        tint = np.array([surface.tint for surface in surfaces])
        return Scene(
            street=self.street,
            camera=camera,
            light=light,
            atlas=self.atlas.build(),
            motion=motion,
            body=body,
            plane=planes,
            to_tile=np.stack([surface.to_tile for surface in surfaces]),
            tile=np.array([(tile.x, tile.y, tile.width, tile.height) for tile in tiles], np.float32),
            colour=(tint * light.on(planes, turn, two_sided, emits)).astype(np.float32),
            label=np.array([surface.label for surface in surfaces], np.uint8),
            cutout=cutout,
            ground=ground,
            two_sided=two_sided | ground,
            casts_shadow=casts_shadow,
            emits=emits,
            points=np.concatenate([points, np.ones((len(points), 1))], axis=1),
            first_point=np.cumsum([0, *(len(outline) for outline, _ in outlines)]),
            owner=np.array([index for _, index in outlines]),
        )
