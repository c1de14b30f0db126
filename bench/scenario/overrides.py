"""`--set path=value`: changes to a scenario before it is checked. Pure."""

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from bench.scenario.errors import Fault
from bench.scenario.reference import SWEEP


def apply_overrides(document: dict[str, Any], overrides: Sequence[str]) -> Iterator[Fault]:
    """Change a parsed scenario in place; return a fault for each override that cannot be applied.

    A path is made of field names, numbers of list entries (`workloads.0.size`) or names of
    list entries (`workloads.steady.size`). Whether the value fits is checked by the models.
    """
    for override in overrides:
        path, equals, value = override.partition("=")
        if not equals or not path:
            yield Fault("--set", f"{override!r}: write PATH=VALUE, such as workloads.0.size=1024")
            continue
        yield from _set(document, path.strip(), read_value(value.strip()))


def read_value(text: str) -> Any:
    """Return what an override gives: a value in TOML, or else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # not TOML, a number of thousands of digits, or brackets without end
        return text


def _set(document: dict[str, Any], path: str, value: object) -> Iterator[Fault]:
    *way, last = path.split(".")
    here: Any = document
    for depth, part in enumerate(way):
        if isinstance(here, dict):
            here = here.setdefault(part, {})
            continue
        found = _entry(here, part)
        if found is None:
            yield Fault("--set", f"{path}: {'.'.join(way[: depth + 1])} is not there; {_offer(here)}")
            return
        here = found
    if isinstance(here, dict):
        here[last] = value
    elif isinstance(here, list) and (index := _index(here, last)) is not None:
        here[index] = value
    elif last == SWEEP and way and not isinstance(here, list):
        yield from _set(document, ".".join(way), {SWEEP: value})  # of a field that has one value so far
    else:
        yield Fault("--set", f"{path}: {'.'.join(way) or path} has no {last!r}; {_offer(here)}")


def _entry(here: object, part: str) -> object:
    if not isinstance(here, list):
        return None
    if (index := _index(here, part)) is not None:
        return here[index]
    return next((entry for entry in here if isinstance(entry, dict) and entry.get("name") == part), None)


def _index(here: list[Any], part: str) -> int | None:
    """Return the number of an entry that `part` means, or None."""
    return next((n for n in range(len(here)) if part == str(n)), None)


def _offer(here: object) -> str:
    if not isinstance(here, list):
        return f"{here!r} has no fields"
    names = [str(entry.get("name", n)) if isinstance(entry, dict) else str(n) for n, entry in enumerate(here)]
    return f"there are {', '.join(names) or 'none'}, counted from 0"
