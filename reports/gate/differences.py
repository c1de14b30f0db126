"""In what the two sides of a paired run differ, as settings and their values. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from bench.results.records import RunRecord

_NAMES = {"name", "broker", "label"}


def differences(run: RunRecord) -> tuple[str, str]:
    """Return the settings of baseline and candidate that differ, such as `brokers.rabbitmq.cpus = 2`."""
    found = {path: values for path, *values in _unlike(run)}  # targets of one broker tell of it alike
    base, new = (", ".join(f"{path} = {values[side]}" for path, values in found.items()) for side in (0, 1))
    same = "as in the scenario, like the other side"
    return base or same, new or same


def _unlike(run: RunRecord) -> Iterator[tuple[str, Any, Any]]:
    paired = {line.target: line.paired for line in run.plan if line.paired is not None}
    there = [(paired[target.name], target) for target in run.scenario.targets if target.name in paired]
    candidates = {one.target: target for one, target in there if one.side == "candidate"}
    pairs = [(one, (target, candidates[one.target])) for one, target in there if one.side == "baseline"]
    for one, sides in pairs:
        yield from _fields(f"brokers.{one.broker}", *(_dumped(run.scenario.broker(side.broker)) for side in sides))
    for one, sides in pairs:
        yield from _fields(f"targets.{one.target}", *map(_dumped, sides))


def _dumped(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json")


def _fields(path: str, old: Mapping[str, Any], its: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for field in dict.fromkeys([*old, *its]):
        values = old.get(field), its.get(field)
        if field in _NAMES or values[0] == values[1]:
            continue
        if isinstance(values[0], dict) and isinstance(values[1], dict):
            yield from _fields(f"{path}.{field}", values[0], values[1])
        else:
            yield f"{path}.{field}", *values
