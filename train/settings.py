"""Read a config: YAML file < environment < command line, with errors that name the nearest known key."""

import difflib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from train.errors import UserError

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
    if path is not None:
        _check_yaml(path)
    try:
        loaded = _settings_class(model, program, path, arguments)()
    except SettingsError as error:
        raise UserError(_explain_arguments(model, str(error))) from None
    except ValidationError as error:
        raise UserError(explain(model, error, str(path or "command line"))) from None
    return model.model_validate(loaded.model_dump(exclude_unset=True))


def explain(model: type[BaseModel], error: ValidationError, where: str) -> str:
    """The first error of a validation as one line: where, which key, what is wrong, what is known."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if part not in _union_tags(model))
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'{_nearest(key, list(_keys(model)))}"
    given = "" if first["type"] == "missing" else f" (given: {first['input']!r})"
    return f"{where}: {key or 'config'}: {first['msg']}{given}"


def _settings_class(
    model: type[BaseModel], program: str, path: Path | None, arguments: list[str]
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
            file = [YamlConfigSettingsSource(settings_cls, yaml_file=path)] if path else []
            return command_line, env_settings, *file

    Settings.__doc__ = model.__doc__
    return Settings


def _check_yaml(path: Path) -> None:
    if not path.is_file():
        shipped = [str(config) for config in Path("configs").rglob("*.yaml")]
        raise UserError(f"{path}: no such config file{_nearest(str(path), shipped)}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: a config is a mapping of keys to values, this is {type(content).__name__}")


def _explain_arguments(model: type[BaseModel], message: str) -> str:
    unknown = re.search(r"unrecognized arguments: --([\w.]+)", message)
    if unknown:
        return f"command line: unknown option '--{unknown[1]}'{_nearest(unknown[1], list(_keys(model)))}"
    return "command line: " + " ".join(message.removeprefix("error parsing CLI: ").split())


def _nearest(key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f": did you mean '{nearest[0]}'?" if nearest else ""


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key of a model, list items without their number."""
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in _models_in(field.annotation):
            yield from _keys(inner, f"{prefix}{name}.")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _union_tags(model: type[BaseModel]) -> set[str]:
    """Values of discriminators: pydantic puts them into the location of an error, people do not type them."""
    tags: set[str] = set()
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            if "name" in inner.model_fields:
                tags.update(
                    value for value in get_args(inner.model_fields["name"].annotation) if isinstance(value, str)
                )
            tags |= _union_tags(inner)
    return tags


def environment_keys() -> list[str]:
    """The variables of the environment that configs read."""
    return [key for key in os.environ if key.startswith(ENVIRONMENT_PREFIX)]
