"""Read a config: YAML file < environment < command line, with errors that name the nearest known key."""

import difflib
import json
import os
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

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

from train.config_keys import hint, keys, models_in, walk
from train.errors import UserError
from train.yaml_file import read_yaml

ENVIRONMENT_PREFIX = "SEGDISTILL_"
_UNKNOWN_TAG = "union_tag_invalid"
"""What pydantic calls a `kind` or `name` that there is not."""

Config = TypeVar("Config", bound=BaseModel)


def load_config(model: type[Config], program: str, arguments: Sequence[str] | None = None) -> Config:
    """Read ``program [FILE.yaml] [--key value ...]`` into a config; nested keys are dotted, ``--data.root DIR``.

    Environment variables are ``SEGDISTILL_`` + the key, levels joined by ``__``: ``SEGDISTILL_DATA__ROOT``.

    Raises:
        UserError: no such file, not YAML, an unknown key (naming the nearest known one) or an invalid value.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    path = Path(arguments.pop(0)) if arguments and not arguments[0].startswith("-") else None
    content = {} if path is None else _without_other_kinds(model, _read_config(path), arguments)
    _check_environment(model)
    try:
        loaded = _settings_class(model, program, content, arguments)()
    except SettingsError as error:
        raise UserError(_explain_arguments(model, str(error))) from None
    except ValidationError as error:
        key = _typed_key(model, _worst(error))
        raise UserError(explain(model, error, _origin(key, path, arguments))) from None
    return model.model_validate(loaded.model_dump(exclude_unset=True))


def explain(model: type[BaseModel], error: ValidationError, where: str) -> str:
    """The worst error of a validation as one line: where, which key, what is wrong, what is known."""
    first = _worst(error)
    key = _typed_key(model, first)
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'{hint(model, first['loc'])}"
    if first["type"] == _UNKNOWN_TAG:
        known = re.findall(r"'(\w+)'", first["ctx"]["expected_tags"])
        near = difflib.get_close_matches(first["ctx"]["tag"], known, n=1)
        advice = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
        return f"{where}: {key}: there is no '{first['ctx']['tag']}': {advice}"
    # Of a whole group, every value that was given would be printed.
    given = "" if first["type"] == "missing" or isinstance(first["input"], dict) else f" (given: {first['input']!r})"
    return f"{where}: {key or 'config'}: {first['msg']}{given}"


def _typed_key(model: type[BaseModel], error: ErrorDetails) -> str:
    """The key that is wrong as people type it; where it is the ``kind`` or ``name`` of a group, that one."""
    path = walk(model, error["loc"])[1]
    if error["type"] == _UNKNOWN_TAG:
        path = [*path, "name" if error["ctx"]["discriminator"] == "'name'" else "kind"]
    return ".".join(str(part) for part in path)


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


def _without_other_kinds(model: type[BaseModel], content: dict[str, Any], arguments: list[str]) -> dict[str, Any]:
    """What a file says, but for keys that the command line or the environment makes another kind of thing."""
    kept = dict(content)
    for key, field in model.model_fields.items():
        kinds = [group.model_fields["kind"] for group in models_in(field.annotation) if "kind" in group.model_fields]
        wanted = _wanted_kind(key, arguments)
        if wanted is None or not isinstance(content.get(key), dict):
            continue
        default = next((kind.default for kind in kinds if not kind.is_required()), None)
        if kinds and wanted != content[key].get("kind", default):
            del kept[key]
    return kept


def _wanted_kind(key: str, arguments: list[str]) -> str | None:
    """The kind that the command line says, or else the environment; None: neither does."""
    given = dict(pairwise(arguments))
    given |= dict(argument.split("=", 1) for argument in arguments if argument.startswith("--") and "=" in argument)
    try:
        whole = json.loads(given.get(f"--{key}", "{}"))
    except ValueError:
        whole = {}
    kind = given.get(f"--{key}.kind") or (whole.get("kind") if isinstance(whole, dict) else None)
    return kind or os.environ.get(_variable(f"{key}.kind"))


def _explain_arguments(model: type[BaseModel], message: str) -> str:
    unknown = re.search(r"unrecognized arguments: --([\w.]+)", message)
    if unknown:
        known = list(keys(model))
        groups = {key.rpartition(".")[0] for key in known}
        whole = next((key for key in known if unknown[1].startswith(f"{key}.") and key not in groups), None)
        advice = f": give --{whole} as a whole, as JSON" if whole else hint(model, unknown[1].split("."))
        return f"command line: unknown option '--{unknown[1]}'{advice}"
    return "command line: " + " ".join(message.removeprefix("error parsing CLI: ").split())


def _check_environment(model: type[BaseModel]) -> None:
    """Unknown variables that look like a key are typing errors; the others belong to the project's other programs."""
    known = list(keys(model))
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
