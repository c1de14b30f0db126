"""Faults of a scenario: where, what was found, what is allowed, what to do. Pure."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bench.scenario import MemoryBroker, Scenario
from brokers.settings import Frozen, QpidBrokerJSettings, RabbitMQSettings

_SHOWN = 60
_KINDS: dict[str, type[Frozen]] = {
    "rabbitmq": RabbitMQSettings,
    "qpid-broker-j": QpidBrokerJSettings,
    "memory": MemoryBroker,
}


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
            continue  # an echo: the list is short because its entries are faulty, which is told already
        location = _location(detail["loc"], document)
        path = ".".join(str(part) for part in location)
        yield Fault(path or "scenario", _text(detail, location, document))


def _location(steps: Sequence[int | str], document: dict[str, Any]) -> list[int | str]:
    """Return where a fault is, as the user wrote it: without the kinds that pydantic puts between."""
    location: list[int | str] = []
    here: Any = document
    entered = True
    for step in steps:
        if entered and isinstance(here, dict) and here.get("kind") == step:
            entered = False
            continue
        location.append(step)
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        entered = True
    return location


def _text(detail: Any, location: list[Any], document: dict[str, Any]) -> str:
    kind: str = detail["type"]
    message: str = detail["msg"].removeprefix("Value error, ").replace("tuple", "list")
    if kind == "extra_forbidden":
        return _unknown(str(location[-1]), location, document)
    if kind == "missing":
        return f"missing: {message.lower()}; see docs/scenario.md"
    if kind == "value_error":
        return message
    if kind == "union_tag_not_found":
        return f"needs a field `kind`: {detail['ctx']['discriminator']} decides what else is allowed"
    given = repr(detail["input"])
    shown = given if len(given) <= _SHOWN else given[:_SHOWN] + "…"
    return f"{shown}: {message[0].lower()}{message[1:]}"


def _unknown(name: str, location: list[Any], document: dict[str, Any]) -> str:
    table = _at(document, location[:-1])
    if table.get("kind") == "qpid-broker-j" and name in RabbitMQSettings.model_fields:
        return f"{name} belongs to RabbitMQ: Broker-J has no quorum or classic queues, its store is `store`"
    if table.get("kind") == "rabbitmq" and name in QpidBrokerJSettings.model_fields:
        return f"{name} belongs to Broker-J: RabbitMQ chooses by queue type, `transient_queue` and `durable_queue`"
    near = difflib.get_close_matches(name, _fields(location, table), 1)
    hint = f"did you mean {near[0]!r}?" if near else "see docs/scenario.md for the fields there are"
    return f"no such field: {hint}"


def _at(document: dict[str, Any], location: list[Any]) -> dict[str, Any]:
    here: Any = document
    for part in location:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return here if isinstance(here, dict) else {}


def _fields(location: list[Any], table: dict[str, Any]) -> list[str]:
    """Return the names allowed where an unknown one stands."""
    kinds: dict[str, type[Frozen]] = {
        "rabbitmq": RabbitMQSettings,
        "qpid-broker-j": QpidBrokerJSettings,
        "memory": MemoryBroker,
    }
    if location[:1] == ["brokers"] and table.get("kind") in kinds:
        return list(kinds[table["kind"]].model_fields)
    schema: Any = Scenario.model_json_schema()
    names: list[str] = []
    for part in [schema, *schema["$defs"].values()]:
        names += part.get("properties", {})
    return names
