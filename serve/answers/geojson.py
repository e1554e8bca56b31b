"""The class map as polygons: a GeoJSON FeatureCollection (RFC 7946), in pixels in place of degrees.

A position is ``[x, y]`` along the corners of pixels (`serve.answers.outlines`): ``[0, 0]`` is the upper left corner of
the image, ``[W, H]`` the lower right one, y points down. By the right-hand rule exteriors have a positive area in
``(x, y)`` and holes a negative one; on a screen, where y points down, an exterior therefore goes clockwise.
"""

from typing import Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel, Field
from pydantic_core import to_json

from export.manifest import Manifest
from serve.answers.outlines import Region, Ring, regions
from serve.segmentation import AnswerOptions, Segmentation

Position = tuple[int, int]


class RegionProperties(BaseModel):
    """What is known of a region."""

    id: int = Field(description="the class")
    name: str = Field(description="of the class")
    pixels: int = Field(description="of the region itself, before its outline was simplified")


class Polygon(BaseModel):
    """An outline and its holes, closed: the first position comes again at the end."""

    type: Literal["Polygon"]
    coordinates: list[list[Position]] = Field(
        description="the exterior, then the holes; positions are [x, y] in pixels, [0, 0] is the upper left corner"
    )


class Feature(BaseModel):
    """Pixels of one class that hang together by their sides."""

    type: Literal["Feature"]
    geometry: Polygon
    properties: RegionProperties


class FeatureCollection(BaseModel):
    """Every region of every class. Pixels of no class have no polygon."""

    type: Literal["FeatureCollection"]
    height: int = Field(description="pixels of the class map")
    width: int = Field(description="pixels of the class map")
    features: list[Feature]


def encode_geojson(
    segmentation: Segmentation, manifest: Manifest, options: AnswerOptions
) -> tuple[bytes, dict[str, str]]:
    """A `FeatureCollection`. With a tolerance above 0 neighbours may overlap or leave gaps, by no more than it.

    Raises:
        UserError: the class map is noise, its outlines too many.
    """
    height, width = segmentation.ids.shape
    found = regions(segmentation.ids, len(manifest.classes))
    features = [_feature(region, manifest.classes[region.id], options.tolerance) for region in found]
    return to_json({"type": "FeatureCollection", "height": height, "width": width, "features": features}), {}


def _feature(region: Region, name: str, tolerance: float) -> dict[str, Any]:
    rings = [_closed(simplified(ring, tolerance)) for ring in region.rings]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": rings},
        "properties": {"id": region.id, "name": name, "pixels": region.pixels},
    }


def simplified(ring: Ring, tolerance: float) -> Ring:
    """The ring with fewer corners, no further than ``tolerance`` pixels away (Ramer, Douglas and Peucker).

    One that would collapse to a line stays as it is: no region is lost.
    """
    if tolerance == 0:
        return ring
    fewer = cv2.approxPolyDP(ring, tolerance, closed=True)
    keeps_its_sense = cv2.contourArea(fewer, oriented=True) * cv2.contourArea(ring, oriented=True) > 0
    return np.asarray(fewer[:, 0], np.int32) if keeps_its_sense else ring


def _closed(ring: Ring) -> list[list[int]]:
    positions: list[list[int]] = ring.tolist()
    return [*positions, positions[0]]
