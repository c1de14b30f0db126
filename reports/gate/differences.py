"""In what the two sides of a paired run differ, as settings and their values. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.scenario.scenario import Scenario
from reports.gate.pairs import SUFFIXES

_NAMES = {"name", "broker", "label"}


def differences(scenario: Scenario) -> tuple[str, str]:
    """Return the settings of baseline and candidate that differ, such as `brokers.rabbitmq.cpus = 2`."""
    base, new = [], []
    for path, old, its in _unlike(scenario):
        base.append(f"{path} = {old}")
        new.append(f"{path} = {its}")
    same = "as in the scenario, like the other side"
    return ", ".join(base) or same, ", ".join(new) or same


def _unlike(scenario: Scenario) -> Iterator[tuple[str, Any, Any]]:
    for where, entries in (("brokers", scenario.brokers), ("targets", scenario.targets)):
        found = {entry.name: entry.model_dump(mode="json") for entry in entries}
        for name, old in found.items():
            plain = name.removesuffix(SUFFIXES[0])
            its = found.get(plain + SUFFIXES[1])
            if plain != name and its is not None:
                yield from _fields(f"{where}.{plain}", old, its)


def _fields(path: str, old: Mapping[str, Any], its: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for field in dict.fromkeys([*old, *its]):
        values = old.get(field), its.get(field)
        if field in _NAMES or values[0] == values[1]:
            continue
        if isinstance(values[0], dict) and isinstance(values[1], dict):
            yield from _fields(f"{path}.{field}", values[0], values[1])
        else:
            yield f"{path}.{field}", *values
