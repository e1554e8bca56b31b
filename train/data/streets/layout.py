"""What stands where: a whole street from one seed."""

import numpy as np

from train.data.resize import Size
from train.data.streets.atlas import Tile
from train.data.streets.buildings import BuildingStyle
from train.data.streets.camera import Camera
from train.data.streets.cars import CarModel
from train.data.streets.fences import fence, fence_tile
from train.data.streets.furniture import (
    bollard,
    lamp_post,
    lights_tile,
    metal_tile,
    sign,
    sign_tiles,
    traffic_light,
    wooden_pole,
)
from train.data.streets.ground import add_ground, add_sky
from train.data.streets.light import Light
from train.data.streets.people import bicyclist, bicyclist_tile, pedestrian, pedestrian_tiles
from train.data.streets.plants import hedge, hedge_tile, tree, tree_tiles, woods
from train.data.streets.scene import Scene, SceneBuilder
from train.data.streets.section import BEGIN, END, Section
from train.data.streets.street import Street

_SIDES = (-1, 1)
_MODELS = 6


def build_scene(seed: int, size: Size) -> Scene:
    """The street of ``seed``, for a camera with frames of ``size``."""
    rng = np.random.default_rng(seed)
    scene = SceneBuilder(Street(curvature=rng.normal(0, 0.0025)))
    light, section = Light.random(rng), Section.random(rng)
    add_sky(scene, rng, light.sky, light.clouds)
    add_ground(scene, rng, section)
    _add_buildings(scene, rng, section)
    _add_plants(scene, rng, section)
    _add_furniture(scene, rng, section)
    _add_cars(scene, rng, section)
    _add_people(scene, rng, section)
    return scene.build(Camera.random(rng, scene.street, size, section.own_lane()), light)


def _add_buildings(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> None:
    style = BuildingStyle.random(rng, scene.atlas)
    for side in _SIDES:
        front = section.edge(side) + section.setback[side > 0]
        density = rng.choice((0.25, 0.75, 0.97), p=(0.2, 0.3, 0.5))
        storeys = rng.uniform(1.8, 5.5)
        for begin, end in section.between_side_roads():
            along = begin
            while along < end - 5:
                width = min(rng.uniform(6, 18), end - along)
                height = 1 + 3.1 * max(1.0, storeys + rng.normal(0, 0.8))
                if rng.random() < density:
                    building = style.building(rng, side, front + rng.choice((0, 0.4)), width, height)
                    scene.place(building, along + width / 2, 0)
                along += width
    for side in _SIDES:  # the street's end
        building = style.building(rng, side, 0, rng.uniform(8, 14), rng.uniform(8, 20))
        scene.place(building, END + rng.uniform(30, 60), side * 4, turn=-side * np.pi / 2)


def _add_plants(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> None:
    trees, leaves = tree_tiles(rng, scene.atlas), hedge_tile(rng, scene.atlas)
    for side in _SIDES:
        edge, setback = section.edge(side), section.setback[side > 0]
        avenue = rng.random() < 0.4
        for along in _stations(rng, rng.uniform(8, 25), section, margin=3):
            right = section.half_road + 0.8 if avenue else edge + rng.uniform(0.5, max(0.6, setback))
            if setback or avenue:
                scene.place(tree(rng, trees[rng.integers(len(trees))], rng.uniform(4.5, 12)), along, side * right)
        for _ in range(8):  # behind the buildings and in their gaps
            right, along = edge + setback + rng.uniform(8, 30), rng.uniform(10, END)
            scene.place(tree(rng, trees[rng.integers(len(trees))], rng.uniform(7, 15)), along, side * right)
        if setback and rng.random() < 0.5:
            height = rng.uniform(0.7, 1.9)
            for begin, end in section.between_side_roads():
                hedge_length = (end - begin) * rng.uniform(0.3, 0.9)
                row = hedge(side, side * (edge + 0.1), hedge_length, height, leaves)
                scene.place(row, rng.uniform(begin + hedge_length / 2, end - hedge_length / 2), 0)
    _add_horizon(scene, rng, leaves)


def _add_horizon(scene: SceneBuilder, rng: np.random.Generator, leaves: Tile) -> None:
    """Woods and houses far behind, so that streets and side roads do not end in the sky."""
    for right in np.arange(-240.0, 240.0, 24.0):
        half, height = rng.uniform(10, 20), rng.uniform(4, 13)
        scene.place(woods(half, height, leaves), END + rng.uniform(90, 140), right)
    for side in _SIDES:
        scene.place(hedge(side, side * rng.uniform(70, 100), END + 200, rng.uniform(4, 9), leaves), END / 2, 0)


def _add_furniture(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> None:
    metal, plates = metal_tile(rng, scene.atlas), sign_tiles(rng, scene.atlas)
    lights, fencing = lights_tile(rng, scene.atlas), fence_tile(rng, scene.atlas)
    wooden = rng.random() < 0.25
    for side in _SIDES:
        kerb, edge = section.half_road, section.edge(side)
        for along in _stations(rng, rng.uniform(14, 32), section):
            pole = wooden_pole(rng, metal) if wooden else lamp_post(rng, metal, side)
            scene.place(pole, along, side * (kerb + rng.uniform(0.4, 0.7)))
        for along in _stations(rng, rng.uniform(10, 35), section):
            scene.place(sign(rng, metal, plates), along, side * (kerb + rng.uniform(0.4, 1.0)))
        for begin, _ in section.side_roads:
            if rng.random() < 0.5:
                scene.place(traffic_light(rng, metal, lights), begin - 1, side * (kerb + 0.5))
        if rng.random() < 0.35:
            for along in _stations(rng, rng.uniform(1.8, 4), section)[: int(rng.integers(3, 14))]:
                scene.place(bollard(metal), along, side * (kerb + 0.45))
        if rng.random() < 0.55:
            at_kerb, height = rng.random() < 0.35, fencing.metres[1] if fencing.metres else 1
            for begin, end in section.between_side_roads():
                length = min(30.0, (end - begin) * rng.uniform(0.3, 0.9))
                along = rng.uniform(begin + length / 2, end - length / 2)
                row = fence(side, side * (kerb + 0.25 if at_kerb else edge), length, height, fencing)
                scene.place(row, along, 0)


def _add_cars(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> None:
    models = [CarModel.random(rng, scene.atlas) for _ in range(_MODELS)]

    def some_car() -> CarModel:
        return models[rng.integers(_MODELS)]

    for side in _SIDES:
        if section.parking[side > 0]:
            for along in _stations(rng, rng.uniform(5.8, 9), section, margin=4):
                if (car := some_car()).kind != "bus" and along > 3 and rng.random() < 0.8:
                    turn = 0.0 if side == section.drives or rng.random() < 0.2 else np.pi
                    scene.place(car.surfaces, along, side * (section.half_road - car.width / 2 - 0.2), turn)
    for along in np.arange(rng.uniform(15, 40), 150, rng.uniform(18, 60)):
        speed = -rng.uniform(0.2, 0.8)
        scene.place(some_car().surfaces, float(along) + 20, section.oncoming_lane(), np.pi, (speed, 0))
    ahead = rng.uniform(9, 45)
    for _ in range(rng.integers(1, 4)):
        scene.place(some_car().surfaces, ahead + 6, section.own_lane(), 0.0, (rng.uniform(0.55, 0.8), 0))
        ahead += rng.uniform(9, 30)


def _add_people(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> None:
    people, rider = pedestrian_tiles(rng, scene.atlas), bicyclist_tile(rng, scene.atlas)
    for _ in range(rng.integers(3, 22)):
        side = int(rng.choice(_SIDES))
        right = side * rng.uniform(section.half_road + 0.5, section.edge(side) - 0.3)
        speed = rng.choice((-1, 1)) * rng.uniform(0.0, 0.11)
        scene.place(pedestrian(rng, people[rng.integers(4)]), rng.uniform(4, 70), right, 0.0, (speed, 0))
    for along in section.crossings:
        for _ in range(rng.integers(0, 4)):
            way, start = rng.choice(_SIDES), rng.uniform(0, section.half_road)
            place = along + rng.uniform(0.5, 2.5)
            scene.place(pedestrian(rng, people[rng.integers(4)]), place, -way * start, 0.0, (0, way * 0.08))
    for _ in range(rng.integers(0, 4)):
        way = int(rng.choice(_SIDES))
        right, speed = way * section.drives * (section.half_road - rng.uniform(0.6, 1.2)), way * rng.uniform(0.2, 0.4)
        scene.place(bicyclist(rng, rider), rng.uniform(7, 50), right, 0.0, (speed, 0))


def _stations(rng: np.random.Generator, spacing: float, section: Section, margin: float = 0.5) -> list[float]:
    """Irregular places along the street that are clear of side roads."""
    places = np.arange(BEGIN + rng.uniform(0, spacing), END, spacing)
    places = places + rng.uniform(-0.2, 0.2, len(places)) * spacing
    return [float(place) for place in places if not section.in_side_road(place, margin)]
