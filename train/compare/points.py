"""The points of a search space that an arm tries: the same for any number of processes, and comparable between arms."""

import copy
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.compare.config import DimensionConfig, SearchSpace
from train.compare.results import Parameters
from train.errors import UserError

_DIGITS = 4


def search_points(space: SearchSpace, start: Parameters, count: int, seed: int) -> list[Parameters]:
    """``count`` points; the first is ``start``, the others are a Latin hypercube.

    Each key is drawn for itself, by its name and ``seed``: arms that search a key see the same values of it in points
    of the same number, whatever else they search. (McKay, Beckman and Conover 1979,
    https://doi.org/10.1080/00401706.1979.10489755)

    Raises:
        UserError: a range is searched where ``start`` has no number.
    """
    for key, dimension in space.items():
        if not dimension.choices and (isinstance(start[key], bool) or not isinstance(start[key], (int, float))):
            raise UserError(f"search: {key}: the config has {start[key]!r} there, which is in no range: give choices")
    columns = {key: _stratified(key, count - 1, seed) for key in space}
    drawn = [{key: _value(space[key], columns[key][number]) for key in space} for number in range(count - 1)]
    return [start, *drawn]


def values_at(config: dict[str, Any], keys: SearchSpace) -> Parameters:
    """What a config says at ``keys``. `UserError`: there is no such key."""
    return {key: _holder(config, key)[0][_holder(config, key)[1]] for key in keys}


def with_values(config: dict[str, Any], parameters: Parameters) -> dict[str, Any]:
    """The config with other values at some keys. `UserError`: there is no such key."""
    changed = copy.deepcopy(config)
    for key, value in parameters.items():
        holder, name = _holder(changed, key)
        holder[name] = value
    return changed


def _stratified(key: str, count: int, seed: int) -> NDArray[np.float64]:
    """One number in each of ``count`` equal parts of 0..1, in random order."""
    random = np.random.default_rng([seed, zlib.crc32(key.encode())])
    values: NDArray[np.float64] = (random.permutation(count) + random.random(count)) / max(1, count)
    return values


def _value(dimension: DimensionConfig, share: float) -> float | int | str:
    if dimension.low is None or dimension.high is None:
        return dimension.choices[int(share * len(dimension.choices))]
    low, high = dimension.low, dimension.high
    value = float(low * (high / low) ** share if dimension.log else low + (high - low) * share)
    return _rounded(value)


def _rounded(value: float) -> float:
    return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value)))) if value else 0.0


def _holder(config: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The group that a dotted key is in, and its own name; a loss is found by its name, ``losses.kd.weight``."""
    *groups, last = key.split(".")
    found: Any = config
    for group in groups:
        if isinstance(found, list):
            found = next((item for item in found if isinstance(item, dict) and item.get("name") == group), None)
        else:
            found = found.get(group) if isinstance(found, dict) else None
    if not isinstance(found, dict) or last not in found:
        raise UserError(f"search: {key}: the training's config has no such key: losses are found by their names")
    return found, last
