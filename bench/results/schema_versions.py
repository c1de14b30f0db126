"""Versions of stored records: a newer one is refused, an older one is brought up to date on reading. Pure.

Each file of a results folder carries `schema_version`. The same name may mean
something else in a newer version, so a newer record is refused as a whole. An older record is
upgraded as parsed JSON, one version at a time, before today's model validates it:

- new fields that have a default need no step;
- for anything else, put a function from dict to dict under the version that it leads out of,
  such as `_with_terms` of a trial, and raise the version.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from bench.record.hlog import FORMER_TAGS
from bench.results.base import Record
from bench.results.durability import DURABILITY_SCHEMA_VERSION, DurabilityRecord
from bench.results.records import SCHEMA_VERSION, RunRecord, TrialRecord
from bench.results.search import SEARCH_SCHEMA_VERSION, SearchRecord
from bench.scenario.products import describe
from bench.scenario.reference import IN_FLIGHT, RATE
from bench.scenario.scenario import Scenario
from bench.untrusted import parse_json

Document = dict[str, Any]
Upgrade = Callable[[Document], Document]
"""Leads out of one version into the next: returns the document changed, and leaves the one given as it is."""
M = TypeVar("M", bound=Record)

_FIELD = "schema_version"


class NewerVersionError(Exception):
    """A file is of a newer version than is known; the message names both versions and the next step."""


def newer_words(file: object, name: str, version: int, newest: int) -> str:
    """Return the line that refuses a file.

    Args:
        file: its path.
        name: of the field that holds the version.
        version: of the file.
        newest: that is known here.
    """
    return f"{file} has {name} {version}, and the newest that this busbench reads is {newest}: install a newer busbench"


@dataclass(frozen=True)
class Schema(Generic[M]):
    """One kind of record.

    Attributes:
        model: of the newest version.
        newest: version that is written, and the newest that is read.
        upgrades: steps by the version that they lead out of; where one is missing nothing changes.
    """

    model: type[M]
    newest: int
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)

    def parse(self, file: object, text: str) -> M:
        """Return the record that a file holds, of the newest version.

        Args:
            file: its path, for messages.
            text: what is in it.

        Raises:
            NewerVersionError: it is of a newer version.
            ValueError: it is damaged; pydantic's ValidationError is one.
        """
        document = parse_json(text)
        version = self.admit(file, document)
        if version == self.newest:
            return self.model.model_validate_json(text)
        try:
            for step in range(version, self.newest):
                document = self.upgrades.get(step, _as_it_is)(document)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            message = f"it is no whole record of version {version}: {error!r}"
            raise ValueError(message) from error
        return self.model.model_validate_json(json.dumps(document | {_FIELD: self.newest}))

    def admit(self, file: object, document: object) -> int:
        """Return the version of a parsed document.

        Raises:
            NewerVersionError: it is newer than the newest that is known.
            ValueError: it has none.
        """
        version = document.get(_FIELD) if isinstance(document, dict) else None
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            message = f"it has no {_FIELD}"
            raise ValueError(message)
        if version > self.newest:
            raise NewerVersionError(newer_words(file, _FIELD, version, self.newest))
        return version


def _as_it_is(document: Document) -> Document:
    return document


def _with_products(run: Document) -> Document:
    """Version 2 keeps what products say of themselves, version 3 also where each broker ran.

    Before, both were derived from settings whenever they were shown. A record keeps what it has: one step serves both.
    """
    scenario = Scenario.model_validate_json(json.dumps(run.get("scenario")))
    known = run.get("products", {})
    found = {name: one.model_dump(mode="json") for name, one in describe(scenario).items()}
    return run | {"products": {name: one | known.get(name, {}) for name, one in found.items()}}


_ENDS = {"baseline": "-base", "candidate": "-new"}
_STEP = re.compile(r"(.+)-(guess|[0-9.e+]+-(short|hold|curve))")


def _with_identity(run: Document) -> Document:
    """Version 3 says which of a pair and which step of a search a trial is, and what workloads are part of.

    Before, names ended in it: those of paired targets in their side, those of a search's workloads in rate and kind,
    those of a sweep in the bound or rate.
    """
    scenario, searched = run["scenario"], run.get("purpose") == "search"
    workloads = {one["name"]: one for one in scenario["workloads"]}
    steps = {name: _step(one) for name, one in workloads.items()} if searched else {}
    parts = [one | {"part_of": _part_of(one, steps.get(name))} for name, one in workloads.items()]
    paired = _paired(scenario["targets"])
    plan = [one | {"paired": paired.get(one["target"]), "step": steps.get(one["workload"])} for one in run["plan"]]
    return run | {"plan": plan, "scenario": scenario | {"workloads": parts}}


def _paired(targets: list[Document]) -> dict[str, Document]:
    found = {
        one["name"]: {"target": one["name"].removesuffix(end), "broker": one["broker"].removesuffix(end), "side": side}
        for side, end in _ENDS.items()
        for one in targets
        if one["name"].endswith(end)
    }
    base, new = ({one["target"] for one in found.values() if one["side"] == side} for side in _ENDS)
    return found if base == new and len(found) == len(targets) else {}


def _step(workload: Document) -> Document | None:
    parts = _STEP.fullmatch(workload["name"])
    if parts is None:
        return None
    return {"workload": parts[1], "kind": parts[3] or parts[2], "rate": workload["load"].get("rate")}


def _part_of(workload: Document, step: Document | None) -> str:
    load, name = workload["load"], str(workload["name"])
    if step is not None:
        return f"{step['workload']}-hold" if step["kind"] == "hold" else str(step["workload"])
    if load["kind"] == "in_flight":
        return name.removesuffix(f"-{load['in_flight'][0]}")
    whole = name.removesuffix(f"-{load['rate']:.10g}")
    return whole if whole != name else ""


def _without_rates(run: Document) -> Document:
    """Version 4 has no lists of rates any more: those of a run were empty, as each rate was a workload of its own."""
    workloads = [
        one | {"load": {name: value for name, value in one["load"].items() if name != "rates"}}
        for one in run["scenario"]["workloads"]
    ]
    return run | {"scenario": run["scenario"] | {"workloads": workloads}}


def _with_points(run: Document) -> Document:
    """Version 4 says of each point of a sweep which values it has; before, only rates and bounds were swept."""
    run = _without_rates(run)
    searched = {one["workload"] for one in run["plan"] if one.get("step")}
    workloads = [one if one["name"] in searched else one | {"at": _at(one)} for one in run["scenario"]["workloads"]]
    return run | {"scenario": run["scenario"] | {"workloads": workloads}}


def _at(workload: Document) -> Document:
    load = workload["load"]
    if not workload.get("part_of"):
        return {}
    return {IN_FLIGHT: load["in_flight"][0]} if load["kind"] == "in_flight" else {RATE: load["rate"]}


_CODES = {"tool-slip": "send-lag", "blocked": "backpressure"}


def _with_terms(trial: Document) -> Document:
    """Version 3 has the field's terms: send lag, which was slip, and backpressure, which was blocked."""
    latency = {FORMER_TAGS.get(tag, tag): record for tag, record in trial["latency"].items()}
    notes = {
        field: [note | {"code": _CODES.get(note["code"], note["code"])} for note in trial[field]]
        for field in ("health", "findings")
    }
    return trial | {"latency": latency} | notes


RUN = Schema(
    RunRecord, SCHEMA_VERSION, {2: lambda run: _with_products(_with_identity(_without_rates(run))), 3: _with_points}
)
TRIAL = Schema(TrialRecord, SCHEMA_VERSION, {2: _with_terms})
SEARCH = Schema(SearchRecord, SEARCH_SCHEMA_VERSION)
DURABILITY = Schema(DurabilityRecord, DURABILITY_SCHEMA_VERSION)
