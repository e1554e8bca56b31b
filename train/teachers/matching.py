"""Which class of a teacher is which of the data, guessed from their names, for a person to confirm (no torch)."""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

How = Literal["the config", "same name", "same meaning", "same kind", "similar spelling", "none"]

_SAME: list[set[str]] = [
    {"person", "pedestrian", "people", "human"},
    {"bicyclist", "cyclist", "rider"},
    {"pavement", "sidewalk", "footpath", "footway"},
    {"tree", "vegetation", "plant"},
    {"sign", "trafficsign", "signboard", "signsymbol", "roadsign"},
    {"building", "edifice", "house"},
    {"car", "automobile", "auto", "vehicle"},
    {"road", "route", "street"},
    {"bicycle", "bike", "cycle"},
    {"motorcycle", "motorbike", "minibike"},
    {"pole", "post", "columnpole"},
    {"fence", "fencing"},
    {"trafficlight", "trafficsignal"},
    {"background", "void", "other", "unlabelled", "unlabeled"},
]
"""Names that datasets of streets and of everyday scenes use for the same."""

_KINDS: list[set[str]] = [
    {"car", "vehicle", "truck", "bus", "van", "caravan", "trailer", "lorry"},
    {"person", "pedestrian", "people", "human", "rider"},
    {"bicyclist", "cyclist", "rider", "bicycle", "bike", "motorcycle", "motorbike", "minibike"},
    {"tree", "vegetation", "plant", "palm", "grass", "terrain", "bush", "flower"},
    {"pole", "polegroup", "columnpole", "streetlight", "lamppost", "column", "pillar"},
    {"fence", "railing", "guardrail", "bannister", "barrier"},
    {"road", "lanemarking", "parking", "path", "dirttrack"},
    {"building", "house", "skyscraper", "tower", "hovel", "wall"},
    {"sign", "trafficsign", "signboard", "trafficlight", "billboard", "poster"},
]
"""What stands for each other where a data set has only one of them."""

_SIMILAR = 0.84
"""Least ratio of `difflib` between two spellings."""


class Match(NamedTuple):
    """A class of the teacher, and the class of the data that it is taken for."""

    theirs: str
    ours: str | None
    how: How


def propose(theirs: Sequence[str], ours: Sequence[str]) -> list[Match]:
    """A guess for each class of the teacher, the surest of what its names allow; several may go to one."""
    return [_match(name, ours) for name in theirs]


def _match(name: str, ours: Sequence[str]) -> Match:
    spellings = list(_spellings(name))
    rules: list[tuple[How, list[set[str]]]] = [("same meaning", _SAME), ("same kind", _KINDS)]
    for own in ours:
        if set(spellings) & set(_spellings(own)):
            return Match(name, own, "same name")
    for how, groups in rules:
        for own in ours:
            other = set(_spellings(own))
            if any(group & other and group & set(spellings) for group in groups):
                return Match(name, own, how)
    known = {spelling: own for own in ours for spelling in _spellings(own)}
    for spelling in spellings:
        near = difflib.get_close_matches(spelling, known, n=1, cutoff=_SIMILAR)
        if near:
            return Match(name, known[near[0]], "similar spelling")
    return Match(name, None, "none")


def _spellings(name: str) -> Iterator[str]:
    """Of ``person, individual;someone`` each one: lower-case letters and digits, no plural."""
    for part in re.split(r"[,;/|]", name.lower()):
        letters = re.sub(r"[^a-z0-9]", "", part)
        if letters:
            yield letters[:-1] if len(letters) > 3 and letters.endswith("s") and not letters.endswith("ss") else letters
