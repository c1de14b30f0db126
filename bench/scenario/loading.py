"""Reading scenarios: from a name or a path and `--set` overrides to a resolved Scenario, or every fault at once.

Nothing else in the suite sees TOML. What a single model cannot check, because it takes
two parts of the file, is in `bench.scenario.checks`.
"""

import contextlib
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.drivers.registry import driver_named, registry
from bench.scenario.checks import inconsistencies
from bench.scenario.errors import Fault, ScenarioError, from_pydantic
from bench.scenario.overrides import apply_overrides
from bench.scenario.scenario import MemoryBroker, Plan, Quick, Scenario, Workload
from bench.scenario.settable import Settable, settable
from bench.scenario.sweep import Points, expand

_MOST_BYTES = 2**18
_DEEP = re.compile(r"""(?<![^\s.,=\[\]{}])(?:(?:"[^"\n]{0,99}"|'[^'\n]{0,99}'|[^\s.,=\[\]{}"']{1,99})\s*\.\s*){40}""")
"""A key of so many parts that tomllib would take seconds."""
SHIPPED = Path(__file__).parents[1] / "scenarios"


@dataclass(frozen=True)
class Loaded:
    """A scenario ready to run.

    Attributes:
        scenario: as resolved: overrides, driver, `--quick` and sweeps applied.
        text: the file as given.
        overrides: as given.
        quick: whether `--quick` was applied.
        not_here: optional brokers that were left out of it, as this host lacks something for them, and why.
    """

    scenario: Scenario
    text: str
    overrides: tuple[str, ...]
    quick: bool
    not_here: Mapping[str, str] = field(default_factory=dict)


def load_scenario(
    name_or_path: str, overrides: Sequence[str] = (), *, quick: bool = False, driver: str | None = None
) -> Loaded:
    """Read, check and resolve a scenario.

    Args:
        name_or_path: name of a shipped scenario, or path of a TOML file.
        overrides: `path=value` each, the value in TOML syntax or plain text.
        quick: apply the scenario's `quick` table.
        driver: use this driver for every target whose protocol it speaks; `memory` for all.

    Raises:
        ScenarioError: with every fault found.
    """
    return load_text(_read(_find(name_or_path)), name_or_path, overrides, quick=quick, driver=driver)


def load_text(
    text: str, name: str, overrides: Sequence[str] = (), *, quick: bool = False, driver: str | None = None
) -> Loaded:
    """Check and resolve a scenario that was read; as `load_scenario`, with what to call it in faults."""
    _, _, scenario = _checked(text, name, overrides, driver)
    return Loaded(resolve(scenario, quick=quick, driver=driver), text, tuple(overrides), quick)


def what_can_be_set(name_or_path: str, overrides: Sequence[str] = ()) -> Iterator[Settable]:
    """Return every path that an override may name, with what it is now.

    Raises:
        ScenarioError: with every fault found.
    """
    document, points, scenario = _checked(_read(_find(name_or_path)), name_or_path, overrides, None)
    return settable(document, points.whole(scenario))


def _checked(
    text: str, name: str, overrides: Sequence[str], driver: str | None
) -> tuple[dict[str, Any], Points, Scenario]:
    """Return a scenario as the file has it, overrides applied, its sweeps taken apart, and as a model that is sound."""
    document = _parse(name, text)
    faults = list(apply_overrides(document, overrides))
    points = expand(document)
    faults += points.faults
    found: list[Fault] = []
    try:
        scenario = Scenario.model_validate(points.document)
    except ValidationError as error:
        found += from_pydantic(error, points.document)
        scenario = _salvage(points.document)
    found += inconsistencies(scenario, registry())
    faults += points.as_given(found)
    if driver is not None:
        faults += _driver_faults(scenario, driver)
    if faults:
        raise ScenarioError(faults)
    return document, points, scenario


def shipped_scenarios() -> Iterator[Scenario]:
    """Return the shipped scenarios, in order of name."""
    for path in sorted(SHIPPED.glob("*.toml")):
        yield Scenario.model_validate(expand(tomllib.loads(path.read_text(encoding="utf-8"))).document)


def resolve(scenario: Scenario, *, quick: bool = False, driver: str | None = None) -> Scenario:
    """Return what is run: `--driver` and `--quick` applied."""
    if driver is not None:
        scenario = _with_driver(scenario, driver)
    return _quickened(scenario) if quick else scenario


def _find(name_or_path: str) -> Path:
    if os.sep not in name_or_path and not name_or_path.endswith(".toml"):
        path = SHIPPED / f"{name_or_path}.toml"
        if path.exists():
            return path
        names = sorted(found.stem for found in SHIPPED.glob("*.toml"))
        near = difflib.get_close_matches(name_or_path, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(names)}, or name a file"
        raise ScenarioError([Fault("scenario", f"{name_or_path!r} is no shipped scenario: {hint}")])
    return Path(name_or_path)


def _read(path: Path) -> str:
    try:
        return _bounded(path)
    except OSError as error:
        fault = Fault(
            "scenario", f"{path} cannot be read ({error.strerror}): name a TOML file, or see `bench scenarios`"
        )
    except UnicodeDecodeError as error:
        fault = Fault("scenario", f"{path} is no UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8")
    raise ScenarioError([fault])


def _bounded(path: Path) -> str:
    # A shell's `<(…)` is a pipe, and a link may be what the user named: both are read, so far and no further.
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ScenarioError([Fault("scenario", f"{path} is larger than {_MOST_BYTES:,} bytes: name a scenario")])
    return text.decode("utf-8")


def _parse(name: str, text: str) -> dict[str, Any]:
    if _DEEP.search(text):
        raise ScenarioError([Fault("scenario", f"{name} has a key of 40 parts or more: none of ours has five")])
    try:
        return tomllib.loads(text)
    except RecursionError:
        fault = Fault("scenario", f"{name} is no valid TOML: brackets are nested too deeply")
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        fault = Fault("scenario", f"{name} is no valid TOML: {error}")
    raise ScenarioError([fault])


def _salvage(document: dict[str, Any]) -> Scenario:
    """Return the sound parts of a faulty scenario, so that what is wrong between them is told at once too."""
    # A faulty plan is told by itself: one that suits every broker stands for it.
    parts: dict[str, Any] = {"name": "faulty", "quick": Quick(), "plan": Plan(restart="run")}
    for name, model in (("quick", Quick), ("plan", Plan)):
        with contextlib.suppress(ValidationError):
            parts[name] = model.model_validate(document.get(name, {}))
    for part in ("brokers", "targets", "workloads"):
        entries = TypeAdapter[Any](Scenario.model_fields[part].annotation or Any)
        parts[part] = _sound(entries, document.get(part))
    # A reference to a part that is itself faulty is reported only after that part is corrected.
    hidden = _may_be_faulty(document.get("brokers"), parts["brokers"])
    parts["targets"] = tuple(target for target in parts["targets"] if not hidden(target.broker))
    hidden = _may_be_faulty(document.get("workloads"), parts["workloads"])
    kept = tuple(name for name in parts["quick"].workloads or () if not hidden(name))
    parts["quick"] = parts["quick"].model_copy(update={"workloads": kept})
    return Scenario.model_construct(**parts)


def _sound(adapter: TypeAdapter[Any], given: object) -> tuple[Any, ...]:
    found: list[Any] = []
    for entry in _tables(given):
        with contextlib.suppress(ValidationError):
            found += adapter.validate_python([entry])
    return tuple(found)


def _may_be_faulty(given: object, sound: tuple[Any, ...]) -> Callable[[str], bool]:
    """Return a test of whether a name may mean an entry that is faulty: one so called, or one without a name."""
    known = {name for entry in sound for name in (entry.name, getattr(entry, "part_of", ""))}
    if not isinstance(given, list):
        return lambda name: name not in known
    tables = [entry if isinstance(entry, dict) else {} for entry in given]
    names = [table.get(field) for table in tables for field in ("name", "part_of")]
    nameless = any(not isinstance(table.get("name"), str) for table in tables)
    return lambda name: name not in known and (nameless or name in names)


def _tables(given: object) -> Iterator[dict[str, Any]]:
    yield from (entry for entry in given if isinstance(entry, dict)) if isinstance(given, list) else ()


def _driver_faults(scenario: Scenario, name: str) -> Iterator[Fault]:
    refusal = registry().refusal(name)
    if refusal is not None:
        yield Fault("--driver", refusal)
        return
    driver = driver_named(name)
    if driver.protocol != "memory" and all(target.protocol != driver.protocol for target in scenario.targets):
        protocols = ", ".join(sorted({target.protocol for target in scenario.targets}))
        yield Fault("--driver", f"{name!r} speaks {driver.protocol}; the targets of {scenario.name} speak {protocols}")


def _with_driver(scenario: Scenario, name: str) -> Scenario:
    protocol = driver_named(name).protocol
    if protocol != "memory":
        targets = tuple(
            t.model_copy(update={"driver": name}) if t.protocol == protocol else t for t in scenario.targets
        )
        return scenario.model_copy(update={"targets": targets})
    brokers = tuple(
        b if isinstance(b, MemoryBroker) else MemoryBroker(name=b.name, kind="memory") for b in scenario.brokers
    )
    scripted = tuple(t.model_copy(update={"driver": "memory", "protocol": "memory"}) for t in scenario.targets)
    return scenario.model_copy(update={"brokers": brokers, "targets": scripted})


def _shortened(workload: Workload, quick: Quick) -> dict[str, Any]:
    """Return what makes a workload short: its duration, or the number of its messages."""
    if workload.counted is None:
        return {"duration": quick.duration}
    return {
        "messages": min(workload.messages, quick.messages),
        "flows": tuple(
            flow.model_copy(update={"messages": min(flow.messages, quick.messages)}) if flow.messages else flow
            for flow in workload.flows
        ),
    }


def _quickened(scenario: Scenario) -> Scenario:
    quick = scenario.quick
    kept = tuple(
        workload if "duration" in workload.at else workload.model_copy(update=_shortened(workload, quick))
        for workload in scenario.workloads
        if quick.workloads is None or workload.is_among(quick.workloads)
    )
    plan = scenario.plan.model_copy(
        update={
            "repetitions": quick.repetitions,
            "restart": quick.restart,
            "warm_up": quick.warm_up,
            "idle": quick.idle,
        }
    )
    return scenario.model_copy(update={"workloads": kept, "plan": plan})
