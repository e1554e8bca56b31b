"""Read a config: YAML file < environment < command line, with errors that name the nearest known key."""

import difflib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from train.errors import UserError
from train.yaml_file import read_yaml

ENVIRONMENT_PREFIX = "SEGDISTILL_"

Config = TypeVar("Config", bound=BaseModel)


def load_config(model: type[Config], program: str, arguments: Sequence[str] | None = None) -> Config:
    """Read ``program [FILE.yaml] [--key value ...]`` into a config; nested keys are dotted, ``--data.root DIR``.

    Environment variables are ``SEGDISTILL_`` + the key, levels joined by ``__``: ``SEGDISTILL_DATA__ROOT``.

    Raises:
        UserError: no such file, not YAML, an unknown key (naming the nearest known one) or an invalid value.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    path = Path(arguments.pop(0)) if arguments and not arguments[0].startswith("-") else None
    content = {} if path is None else _read_config(path)
    _check_environment(model)
    try:
        loaded = _settings_class(model, program, content, arguments)()
    except SettingsError as error:
        raise UserError(_explain_arguments(model, str(error))) from None
    except ValidationError as error:
        key = ".".join(str(part) for part in _worst(error)["loc"])
        raise UserError(explain(model, error, _origin(key, path, arguments))) from None
    return model.model_validate(loaded.model_dump(exclude_unset=True))


def explain(model: type[BaseModel], error: ValidationError, where: str) -> str:
    """The worst error of a validation as one line: where, which key, what is wrong, what is known."""
    first = _worst(error)
    key = ".".join(str(part) for part in _walk(model, first["loc"])[1])
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'{_hint(model, first['loc'])}"
    given = "" if first["type"] == "missing" else f" (given: {first['input']!r})"
    return f"{where}: {key or 'config'}: {first['msg']}{given}"


def _worst(error: ValidationError) -> ErrorDetails:
    """An unknown key if there is one, for it explains the missing one beside it; else the first error."""
    errors = error.errors()
    return next((found for found in errors if found["type"] == "extra_forbidden"), errors[0])


def _settings_class(
    model: type[BaseModel], program: str, content: dict[str, Any], arguments: list[str]
) -> type[BaseSettings]:
    class Settings(model, BaseSettings):  # type: ignore[misc, valid-type]
        model_config = SettingsConfigDict(
            extra="forbid",
            env_prefix=ENVIRONMENT_PREFIX,
            env_nested_delimiter="__",
            cli_prog_name=f"{program} [FILE.yaml]",
            cli_implicit_flags=True,
            cli_avoid_json=True,
            cli_exit_on_error=False,
        )

        @classmethod
        def settings_customise_sources(  # type: ignore[override]  # called by keyword
            cls, settings_cls: type[BaseSettings], env_settings: PydanticBaseSettingsSource, **_: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            command_line = CliSettingsSource[Any](settings_cls, cli_parse_args=arguments)
            return command_line, env_settings, InitSettingsSource(settings_cls, content)

    Settings.__doc__ = model.__doc__
    return Settings


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        shipped = [str(config) for config in Path("configs").rglob("*.yaml")]
        near = difflib.get_close_matches(str(path), shipped, n=1)
        raise UserError(f"{path}: no such config file" + (f": did you mean '{near[0]}'?" if near else ""))
    return read_yaml(path)


def _explain_arguments(model: type[BaseModel], message: str) -> str:
    unknown = re.search(r"unrecognized arguments: --([\w.]+)", message)
    if unknown:
        known = list(_keys(model))
        groups = {key.rpartition(".")[0] for key in known}
        whole = next((key for key in known if unknown[1].startswith(f"{key}.") and key not in groups), None)
        hint = f": give --{whole} as a whole, as JSON" if whole else _hint(model, unknown[1].split("."))
        return f"command line: unknown option '--{unknown[1]}'{hint}"
    return "command line: " + " ".join(message.removeprefix("error parsing CLI: ").split())


def _check_environment(model: type[BaseModel]) -> None:
    """Unknown variables that look like a key are typing errors; the others belong to the project's other programs."""
    known = list(_keys(model))
    for variable in sorted(os.environ):
        key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
        if not variable.startswith(ENVIRONMENT_PREFIX) or any((key + ".").startswith(k + ".") for k in known):
            continue
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
        if nearest:
            raise UserError(f"environment: unknown variable {variable}: did you mean {_variable(nearest[0])}?")


def _origin(key: str, path: Path | None, arguments: list[str]) -> str:
    """Where the value of a key came from; the strongest source has it."""
    if any(argument.split("=")[0] == f"--{key}" for argument in arguments):
        return "command line"
    if _variable(key) in os.environ:
        return f"environment: {_variable(key)}"
    return str(path or "command line")


def _variable(key: str) -> str:
    return ENVIRONMENT_PREFIX + key.replace(".", "__").upper()


def _hint(model: type[BaseModel], location: Sequence[int | str]) -> str:
    """The nearest key of the same group; else one of that name elsewhere; else all keys of the group."""
    groups, path = _walk(model, location[:-1])
    siblings = list(dict.fromkeys(name for group in groups for name in group.model_fields))
    group = "".join(f"{part}." for part in path)
    near = [group + name for name in difflib.get_close_matches(str(location[-1]), siblings, n=1)]
    near = near or [key for key in _keys(model) if key.endswith(f".{location[-1]}")]
    if near:
        return f": did you mean '{near[0]}'?"
    return f": known here are {', '.join(siblings)}" if siblings else ""


def _walk(model: type[BaseModel], location: Sequence[int | str]) -> tuple[list[type[BaseModel]], list[int | str]]:
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
            groups = [inner for field in fields for inner in _models_in(field.annotation)]
            may_be_tag = True
    return groups, path


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key that has a value or an option of its own; a list is given whole."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if get_origin(field.annotation) is not list:
            for inner in _models_in(field.annotation):
                yield from _keys(inner, f"{prefix}{name}.")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    fields = (model.model_fields[key] for key in ("name", "kind") if key in model.model_fields)
    return tuple(tag for field in fields for tag in get_args(field.annotation))
