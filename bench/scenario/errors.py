"""Faults of a scenario: where, what was found, what is allowed, what to do. Pure."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from bench.scenario.reference import models_below, models_within
from bench.scenario.scenario import Scenario
from brokers.registry import products
from brokers.settings import BrokerSettings

_SHOWN = 60
_GIVEN_AS = {"sizes": "size", "groups": "consumers"}
"""By the field that a list is kept in, the field that it is given to."""
_TABLE_WANTED = ("model_type", "model_attributes_type", "dict_type")


@dataclass(frozen=True)
class Fault:
    """One fault: the path of a field (`workloads.0.size`) and a sentence that ends in what to do."""

    path: str
    text: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.path}: {self.text}"


class ScenarioError(Exception):
    """A scenario cannot be run.

    Attributes:
        faults: every one of them, in order of the file.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults."""
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def from_pydantic(error: ValidationError, document: dict[str, Any]) -> Iterator[Fault]:
    """Return one fault for each error that the models found."""
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # the list is short because its entries are faulty, and those faults are told already
        location = _location(detail["loc"], document)
        path = ".".join(str(part) for part in _as_written(location, document))
        if detail["type"] == "union_tag_invalid":
            path += ".kind"
        # A model that found several faults has told each in a line.
        yield from (Fault(path or "scenario", line) for line in _text(detail, location, document).split("\n"))


def _as_written(location: Sequence[int | str], document: dict[str, Any]) -> Iterator[int | str]:
    """Yield the steps of a path as the file has them: a list given to `size` or `consumers` is kept elsewhere."""
    for place, step in enumerate(location):
        given = _GIVEN_AS.get(step) if isinstance(step, str) else None
        table = _at(document, [*location[:place]])
        yield given if given and step not in table and isinstance(table.get(given), list) else step


def _location(steps: Sequence[int | str], document: dict[str, Any]) -> list[int | str]:
    """Return where a fault is, as the user wrote it: without the kinds that pydantic puts between.

    They stand where several models are allowed, after the field or the number of its entry.
    """
    location: list[int | str] = []
    chosen = False
    for step in steps:
        if not chosen and len(_allowed(document, location)) > 1 and step in _all_kinds(_allowed(document, location)):
            chosen = True
            continue
        location.append(step)
        chosen = False
    return location


def _text(detail: Any, location: list[Any], document: dict[str, Any]) -> str:
    kind: str = detail["type"]
    message: str = detail["msg"].removeprefix("Value error, ").replace("Tuple", "List").replace("tuple", "list")
    if kind == "extra_forbidden":
        return _unknown(str(location[-1]), location, document)
    if kind == "missing":
        return f"missing: {message.lower()}; see docs/scenario.md"
    if kind == "value_error":
        return message
    if kind == "union_tag_not_found":
        return f"needs a field `kind`: {detail['ctx']['discriminator']} decides what else is allowed"
    if kind == "union_tag_invalid":
        return _no_such_kind(detail["ctx"]["tag"], detail["ctx"]["expected_tags"], location)
    if kind in _TABLE_WANTED:
        message = "must be a table of fields, see docs/scenario.md"
    # The value may hold a password, in the place of an address; that is not repeated.
    given = re.sub(r"[^\s'\"]+:[^\s'\"]*@", "…@", repr(detail["input"]))
    shown = given if len(given) <= _SHOWN else given[:_SHOWN] + "…"
    return f"{shown}: {message[0].lower()}{message[1:]}"


def _no_such_kind(tag: str, allowed: str, location: list[Any]) -> str:
    """Return which kinds there are; for a broker, also which packages are at fault or may be missing."""
    if location[:1] != ["brokers"]:
        return f"{tag!r}: choose {allowed}"
    broken = "".join(f"; {one}" for one in products().unusable if one.name == tag)
    return f"{tag!r} is not an installed product: choose {allowed}, or install the package that brings it{broken}"


def _unknown(name: str, location: list[Any], document: dict[str, Any]) -> str:
    here = _model_at(document, location[:-1])
    elsewhere = [model.__name__ for model in models_below(Scenario) if name in model.model_fields]
    owners = [one.member.short for one in products().installed.values() if one.member.settings.__name__ in elsewhere]
    mine = next((one.member.short for one in products().installed.values() if one.member.settings is here), None)
    if mine is not None and owners:
        own = [field for field in here.model_fields if field not in BrokerSettings.model_fields]
        there = f"its own fields are {', '.join(own)}" if own else "and has none of its own"
        return f"{name} belongs to {', '.join(owners)}: {mine} has no such setting, {there}"
    if elsewhere:
        return f"{here.__name__} has no such field, it belongs to {', '.join(elsewhere)}: see docs/scenario.md"
    near = difflib.get_close_matches(name, here.model_fields, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"the fields are {', '.join(here.model_fields)}"
    return f"no such field: {hint}"


def _at(document: dict[str, Any], location: list[Any]) -> dict[str, Any]:
    here: Any = document
    for part in location:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return here if isinstance(here, dict) else {}


def _model_at(document: dict[str, Any], location: list[Any]) -> type[BaseModel]:
    """Return the model of a table: where several are allowed, the one of its `kind`."""
    allowed = _allowed(document, location)
    return next((model for model in allowed if _at(document, location).get("kind") in _all_kinds([model])), allowed[0])


def _allowed(document: dict[str, Any], location: list[Any]) -> list[type[BaseModel]]:
    """Return the models that a value there may be of; none where it is no table or list of tables."""
    if not location:
        return [Scenario]
    *way, last = location
    if isinstance(last, int):
        return _allowed(document, way)  # an entry is of what its list's field names
    if not _allowed(document, way):
        return []
    field = _model_at(document, way).model_fields.get(last)
    return list(models_within(field.annotation)) if field else []


def _all_kinds(models: Sequence[type[BaseModel]]) -> tuple[Any, ...]:
    fields = [model.model_fields["kind"] for model in models if "kind" in model.model_fields]
    return tuple(kind for field in fields for kind in get_args(field.annotation))
