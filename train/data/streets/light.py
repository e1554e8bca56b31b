"""The light of a clip: sun and sky, haze, and the exposure and colour cast of the camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.streets.street import Array


@dataclass(frozen=True)
class Light:
    """One weather at one time of day."""

    sun: Array  # (3,) unit vector from the ground to the sun, world axes
    direct: float  # share of the sun in the light on a surface that faces it, 0..1
    shadow: float  # what remains of the light on the ground in a shadow, 0..1
    warmth: Array  # (3,) colour of the direct light
    sky: Array  # (2, 3) colours at the horizon and overhead, 0..1
    clouds: float  # 0 none .. 1 all over
    haze_m: float  # distance at which haze leaves 37 % of a colour
    exposure: float
    cast: Array  # (3,) white balance error
    gamma: float
    read_noise: float  # deviation, in 0..255
    shot_noise: float  # deviation in full light, in 0..255
    blur: float  # deviation in pixels of the lens's blur
    vignette: float  # loss of light in the corners

    @staticmethod
    def random(rng: np.random.Generator) -> "Light":
        """Sunny, overcast or low-sun weather."""
        weather = rng.choice(3, p=[0.5, 0.35, 0.15])
        direct = (rng.uniform(0.4, 0.7), rng.uniform(0.0, 0.12), rng.uniform(0.3, 0.55))[weather]
        elevation = np.radians((rng.uniform(25, 60), 75.0, rng.uniform(10, 22))[weather])
        azimuth = rng.uniform(0, 2 * np.pi)
        flat = np.cos(elevation)
        return Light(
            sun=np.array([flat * np.sin(azimuth), -np.sin(elevation), flat * np.cos(azimuth)]),
            direct=direct,
            shadow=rng.uniform(0.35, 0.6) if direct > 0.2 else rng.uniform(0.75, 0.9),
            warmth=np.array([1.0, (0.95, 1.0, 0.8)[weather], (0.86, 1.0, 0.6)[weather]]),
            sky=_sky_colours(rng, int(weather)),
            clouds=(rng.uniform(0, 0.6), rng.uniform(0.7, 1), rng.uniform(0, 0.6))[weather],
            haze_m=float(np.exp(rng.uniform(np.log(120), np.log(1500)))),
            exposure=float(np.exp(rng.normal(0.05, 0.24))),
            cast=np.exp(rng.normal(0, 0.05, 3)),
            gamma=float(np.exp(rng.normal(0, 0.12))),
            read_noise=rng.uniform(0.8, 3.0),
            shot_noise=rng.uniform(0.5, 5.0),
            blur=rng.uniform(0, 0.65),
            vignette=rng.uniform(0, 0.35),
        )

    def on(self, planes: Array, turn: Array, two_sided: NDArray[np.bool_], emits: NDArray[np.bool_]) -> Array:
        """``(S, 3)``: the light on planes ``(S, 4, 3)`` of bodies turned by ``turn`` ``(S,)`` radians."""
        normal = -np.cross(planes[:, :3, 0], planes[:, :3, 1])
        x = np.cos(turn) * normal[:, 0] + np.sin(turn) * normal[:, 2]
        z = np.cos(turn) * normal[:, 2] - np.sin(turn) * normal[:, 0]
        facing = np.stack([x, normal[:, 1], z], axis=1) @ self.sun
        # A leaf, a figure or a sign scatters what comes from behind, too.
        incidence = np.where(two_sided, 0.3 + 0.5 * np.abs(facing), np.maximum(facing, 0))[:, None]
        ambient = (1 - self.direct) * (0.78 - 0.22 * normal[:, 1:2])
        light = ambient * (1.0, 1.02, 1.06) + 1.25 * self.direct * incidence * self.warmth
        light[emits] = 1
        return light

    def shadow_matrix(self) -> Array:
        """``(4, 4)``: homogeneous world points to where their shadow falls on the ground."""
        matrix = np.eye(4)
        matrix[0, 1] = -self.sun[0] / self.sun[1]
        matrix[2, 1] = -self.sun[2] / self.sun[1]
        matrix[1, 1] = 0
        return matrix


def _sky_colours(rng: np.random.Generator, weather: int) -> Array:
    grey = rng.uniform(0.6, 1.0)
    horizon = ((0.85, 0.9, 0.95), (grey, grey, grey * 1.02), (1.0, 0.8, 0.6))[weather]
    overhead = ((0.3, 0.5, 0.85), (grey * 0.85, grey * 0.88, grey * 0.95), (0.45, 0.5, 0.7))[weather]
    return np.clip(np.array([horizon, overhead]) * rng.uniform(0.85, 1.1) + rng.normal(0, 0.04, (2, 3)), 0, 1)
