"""The classes that a client asks for, by name or id."""

import difflib

from export.manifest import Manifest
from serve.problem import ProblemError


def chosen_classes(text: str | None, manifest: Manifest) -> frozenset[int] | None:
    """Ids of the classes in ``text``, names or ids with commas between; None for all.

    Raises:
        ProblemError: 422 one that the model does not have; the message names the nearest.
    """
    if text is None:
        return None
    ids = {name: index for index, name in enumerate(manifest.classes)}
    return frozenset(_id(entry.strip(), ids) for entry in text.split(","))


def _id(entry: str, ids: dict[str, int]) -> int:
    if entry in ids:
        return ids[entry]
    if len(entry) <= 3 and entry.isascii() and entry.isdigit() and int(entry) < len(ids):
        return int(entry)
    near = difflib.get_close_matches(entry, ids, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(ids)}"
    raise ProblemError(422, "invalid-parameter", f"classes: '{entry[:100]}' is no class of this model: {hint}")
