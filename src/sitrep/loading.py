"""From a composed config to a frozen dataclass: the only calls into OmegaConf."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from sitrep.errors import InputError, did_you_mean

Config = TypeVar("Config")

LISTS = ("run", "runs")  # a single value of these is taken as a list of one


def load(schema: type[Config], composed: DictConfig | dict) -> Config:
    """Return `composed` as a frozen `schema`, types checked and interpolations resolved.

    The plain container is merged back onto the structured schema, since Hydra lets `+trainer.epoch=3` through. A plain dict,
    as a run keeps it, holds values only: `${` in it is no reference.

    Raises:
        InputError: for an unknown key (with the nearest known), a missing value, a wrong type or a broken rule.
    """
    twin = OmegaConf.structured(_unfrozen(schema))  # type: ignore[arg-type]
    try:
        references = composed if isinstance(composed, DictConfig) else escape_references(composed)
        plain = OmegaConf.to_container(OmegaConf.create(references), resolve=True, throw_on_missing=True)
        assert isinstance(plain, dict)
        plain.pop("hydra", None)
        for key in LISTS:
            if key in plain and get_type_hints(schema)[key] is not str and not isinstance(plain[key], list):
                plain[key] = [plain[key]]
        return _freeze(schema, OmegaConf.to_container(OmegaConf.merge(twin, escape_references(plain)), resolve=True, throw_on_missing=True))
    except MissingMandatoryValue as error:
        raise InputError(f"{error.full_key}= is missing; give it on the command line") from error
    except ConfigKeyError as error:
        known = [key for key in known_keys(OmegaConf.create(composed)) if key != error.full_key]
        raise InputError(f"unknown option {error.full_key}{did_you_mean(str(error.full_key), known)}") from error
    except OmegaConfBaseException as error:
        reason = str(error.msg or error).splitlines()[0]
        raise InputError(f"{error.full_key or 'config'}: {reason}") from error


def flatten(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings under dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


@cache
def _unfrozen(schema: Any) -> type:
    """Return a twin of a dataclass that OmegaConf can merge into: it takes frozen ones for read-only, nested ones too."""
    defaults = {item.name: item.default for item in fields(schema) if item.default is not MISSING}
    twins: list[tuple[str, Any, Any]] = []
    for name, hint in get_type_hints(schema).items():
        nested = _nested(hint)
        twin = _unfrozen(nested) if nested else hint
        default = field(default=defaults[name]) if name in defaults else field()
        twins.append((name, twin if nested in (None, hint) else twin | None, default))
    return make_dataclass(schema.__name__, twins)


def _freeze(schema: Any, values: Any) -> Any:
    hints = get_type_hints(schema)
    nested = {name: _nested(hints[name]) for name, value in values.items() if value is not None}
    return schema(**{name: _freeze(nested[name], value) if nested.get(name) else value for name, value in values.items()})


def _nested(hint: Any) -> Any:
    """Return the dataclass that a field's type is, or is beside None, or None if it is neither."""
    return next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)


def escape_references(value: Any) -> Any:
    """Keep a resolved `${` (a path may hold it) from being read as a reference once more."""
    if isinstance(value, dict):
        return {key: escape_references(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape_references(item) for item in value]
    return escape_reference(value) if isinstance(value, str) else value


def escape_reference(text: str) -> str:
    """Return `text` so that OmegaConf reads it as it is: `${` escaped, and the backslashes before it doubled."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def known_keys(node: DictConfig, prefix: str = "") -> list[str]:
    """Return every key of a composed config, dotted, for `did you mean`."""
    return list(_keys(node, prefix))


def _keys(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in node:
        yield f"{prefix}{key!s}"
        value = node._get_node(key)
        if isinstance(value, DictConfig) and not (value._is_missing() or value._is_none() or value._is_interpolation()):
            yield from _keys(value, f"{prefix}{key!s}.")
