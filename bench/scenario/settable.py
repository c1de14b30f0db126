"""What `--set` takes for a scenario: every path with its present value, as it would be typed. Pure."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from bench.scenario.overrides import read_value
from bench.scenario.reference import NEVER_GIVEN, SWEEP, is_duration, is_size, models_within, type_words
from bench.scenario.scenario import Scenario, Workload
from bench.units import exact_size, format_duration

_LONGEST = 60


@dataclass(frozen=True)
class Settable:
    """One path that `--set` takes.

    Attributes:
        path: as it is typed.
        value: what it is now, in TOML; None = it is not set, and has no value to show.
        given: whether the file, or an override, says so; else it is the default.
        kind: of value, in a word, with its bounds.
    """

    path: str
    value: str | None
    given: bool
    kind: str

    def __str__(self) -> str:
        """Return one line."""
        shown = self.value if self.value is None or len(self.value) <= _LONGEST else f"{self.value[:_LONGEST]}…"
        value = "not set" if shown is None else f"{self.path}={shown}"
        path = f"{self.path}  " if shown is None else ""
        return f"{path}{value}  ({self.kind}{'' if self.given or shown is None else ', default'})"


def settable(document: dict[str, Any], scenario: Scenario) -> Iterator[Settable]:
    """Yield what can be set, in the order of the models.

    Args:
        document: the scenario as the file has it, overrides applied.
        scenario: the same, checked and not resolved, each of its sweeps at its first point.
    """
    yield from _fields("", scenario, document)


def _fields(path: str, model: BaseModel, given: object) -> Iterator[Settable]:
    """Yield the fields of a table and below it; `given` is what the file has there."""
    table = given if isinstance(given, dict) else {}
    for name, field in type(model).model_fields.items():
        if (type(model).__name__, name) not in NEVER_GIVEN and not _replaced(model, name):
            here = f"{path}.{name}" if path else name
            yield from _field(here, field, getattr(model, name), table.get(name), is_given=name in table)


def _replaced(model: BaseModel, name: str) -> bool:
    """Return whether another field stands in its place, with which it is a fault."""
    return name == "duration" and isinstance(model, Workload) and model.counted is not None


def _field(path: str, field: FieldInfo, value: object, given: object, *, is_given: bool) -> Iterator[Settable]:
    as_table = (isinstance(given, dict) and SWEEP not in given) or not is_given
    if isinstance(value, BaseModel) and as_table:
        yield from _fields(path, value, given)
    elif (
        isinstance(value, tuple)
        and value
        and all(isinstance(entry, BaseModel) for entry in value)
        and isinstance(given, list)
    ):
        for step, entry, raw in zip(_steps(value), value, given, strict=False):
            yield from _fields(f"{path}.{step}", entry, raw)
    elif isinstance(value, dict) and isinstance(given, dict) and given:
        yield from (Settable(f"{path}.{name}", toml(one), given=True, kind="text") for name, one in given.items())
    else:
        yield Settable(path, _value(field, value, given, is_given=is_given), is_given, _kind(field))


def _steps(entries: tuple[Any, ...]) -> Iterator[str]:
    """Yield what a path says for each entry of a list: its name, where that means this entry alone, or its number."""
    names = [getattr(entry, "name", None) for entry in entries]
    for number, name in enumerate(names):
        # A dot parts a path, and a number is taken for that of an entry.
        plain = isinstance(name, str) and "." not in name and not name.isdigit() and names.count(name) == 1
        yield str(name) if plain else str(number)


def _value(field: FieldInfo, value: object, given: object, *, is_given: bool) -> str | None:
    if is_given:
        return toml(given)
    if value is None:
        return None
    if is_duration(field):
        return format_duration(int(str(value)))
    if is_size(field):
        return exact_size(int(str(value))).replace(" ", "").replace(",", "")
    return toml(to_jsonable_python(value, exclude_none=True))


def _kind(field: FieldInfo) -> str:
    words = type_words(field)
    tables = [model.__name__ for model in models_within(field.annotation)]
    return f"{words}; docs/scenario.md has its fields" if tables else words


def toml(value: object) -> str:
    """Return a value as `--set` reads it: in TOML, text without quotes where that is understood as the same text."""
    plain = isinstance(value, str) and value.isprintable() and read_value(value.strip()) == value
    return str(value) if plain else _inline(value)


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_inline(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # TOML writes text, numbers and truth as JSON does.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else str(value)
