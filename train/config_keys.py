"""Which keys a config has, and which of them an unknown one is near to (no torch)."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel


def hint(model: type[BaseModel], location: Sequence[int | str]) -> str:
    """The nearest key of the same group; else one of that name elsewhere; else all keys of the group."""
    groups, path = walk(model, location[:-1])
    siblings = list(dict.fromkeys(name for group in groups for name in group.model_fields))
    group = "".join(f"{part}." for part in path)
    near = [group + name for name in difflib.get_close_matches(str(location[-1]), siblings, n=1)]
    unknown = group + str(location[-1])  # of this kind; another one may have it
    near = near or [key for key in keys(model) if key.endswith(f".{location[-1]}") and key != unknown]
    if near:
        return f": did you mean '{near[0]}'?"
    return f": known here are {', '.join(siblings)}" if siblings else ""


def walk(model: type[BaseModel], location: Sequence[int | str]) -> tuple[list[type[BaseModel]], list[int | str]]:
    """The models that may stand at a location, and the location as people type it.

    The tag of a union, which pydantic puts behind the key, picks one of its models and is not typed.
    """
    groups, path, may_be_tag = [model], list[int | str](), False
    for part in location:
        tagged = [group for group in groups if part in _tags(group)]
        if tagged and may_be_tag:
            groups, may_be_tag = tagged, False
            continue
        path.append(part)
        if isinstance(part, str):
            fields = [group.model_fields[part] for group in groups if part in group.model_fields]
            groups = [inner for field in fields for inner in models_in(field.annotation)]
            may_be_tag = True
    return groups, path


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key that has a value or an option of its own; a list is given whole."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if get_origin(field.annotation) is not list:
            for inner in models_in(field.annotation):
                yield from keys(inner, f"{prefix}{name}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a key's type names, in a union, a list or alone."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    fields = (model.model_fields[key] for key in ("name", "kind") if key in model.model_fields)
    return tuple(tag for field in fields for tag in get_args(field.annotation))
