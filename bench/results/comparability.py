"""Whether two rows may be compared: what was asked, what each broker reports, and where they differ. Pure.

A row is a target under a workload. A difference is intended where the comparison is about
it: targets with other brokers, protocols or drivers may differ in what these bring with them,
an old run and a new one in versions. Every other difference makes the rows unlike. Two clients
that share the CPUs of their brokers may also be unlike in a way that no setting shows: one may
take more CPU time than the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from bench.host.hostclass import host_class
from bench.results.records import Receipt, RunRecord, TrialRecord
from bench.scenario.scenario import Target, Workload
from brokers.ground import CPUS, DATA, EMULATED, MEMORY, NETWORK, VIRTUALISATION

By = Literal["target", "workload", "run"]
"""What the two sides of a comparison differ in by intention."""
MOST_CLIENT_COST = 1.25
"""Ratio of client CPU time a message from which on two clients on their brokers' CPUs are unequal."""
SHARED_CPUS = "shared-cores"
"""Code of the health note that broker and client ran on the same CPUs."""
BROKERS_OWN = "broker's "
"""What the names of settings begin with that a broker was asked for or reports itself."""
_NOT_DONE = {"name", "flow_of", "flow", "part_of", "at", "description", "durable", "only", "received_at"}
"""Fields of a workload that say nothing of its load; when messages count as received is told by trials."""
RECEIVED = "received"
"""The setting that says when messages counted as received. Rows may differ in it, but for their latencies: see
`unlike_receipt`."""
RECEIPTS: Mapping[Receipt, str] = {
    "kernel": "when the kernel had them",
    "read": "when they were read",
    "both": "in part when the kernel had them, else when they were read",
}
_WORKERS = "CPUs of workers"
_TOLD_LATER = {NETWORK, DATA, VIRTUALISATION, MEMORY, CPUS, _WORKERS}
"""What older results, and brokers that someone else runs, do not tell: it is compared where both sides tell it."""
_DISK = "file system of broker data"


class Sort(StrEnum):
    """What kind of thing a setting is, which decides when a difference is intended."""

    WAY = "way"
    """Broker, protocol, driver with its options: what a target is declared as."""
    VERSION = "version"
    """Product, version and runtime as reported; versions of the tools."""
    IMAGE = "image"
    """Content digest of the image a broker was started from."""
    BROKER = "broker"
    """Settings that a product has: kind of queue or store, flow control."""
    RESOURCE = "resource"
    """Place, memory cap and CPUs, and how they are applied."""
    LOAD = "load"
    """What the workload does, bounds in flight included."""
    PROMISE = "promise"
    """What a confirmed message survives."""
    HOST = "host"
    """The machine, and whether the run was a quick one."""


@dataclass(frozen=True)
class Setting:
    """One setting of a row.

    Attributes:
        sort: what kind of thing it is.
        asked: what was asked for; None where nothing was.
        reported: what the broker or the machine says; None where it says nothing.
    """

    sort: Sort
    asked: str | None = None
    reported: str | None = None

    @property
    def value(self) -> str:
        """The value that holds: the reported one, or the one asked for where none is reported."""
        return self.reported or self.asked or "–"


Row = Mapping[str, Setting]
"""The settings of a target under a workload, by name."""


@dataclass(frozen=True)
class Difference:
    """A setting in which two rows differ, and whether the comparison is about it."""

    name: str
    first: str
    second: str
    intended: bool

    def __str__(self) -> str:
        """Return it in words, such as `memory cap: 1024 MiB against 2048 MiB`."""
        return f"{self.name}: {self.first} against {self.second}"


def settings_differ(asked: Mapping[str, str], reported: Mapping[str, str]) -> tuple[str, ...]:
    """Return, in words, each setting for which a broker reports another value than was asked for.

    A setting that is not reported cannot be checked, and is no fault.
    """
    return tuple(
        f"{name}: asked {asked[name]}, reported {reported[name]}"
        for name in asked
        if name in reported and _plain(asked[name]) != _plain(reported[name])
    )


def row(run: RunRecord, target: Target, workload: Workload, trials: Sequence[TrialRecord], promise: str) -> Row:
    """Return all settings of a row.

    Args:
        run: the run it belongs to.
        target: from its scenario.
        workload: from its scenario.
        trials: the row's trials; what they report may be nothing.
        promise: what a confirmed message survives.
    """
    settings = dict(_way(run, target))
    settings |= _limits(run, target)
    settings |= _workload(run, target, workload)
    settings["durability class"] = Setting(Sort.PROMISE, reported=promise)
    settings |= _reported(trials)
    settings["mode"] = Setting(Sort.HOST, asked=run.mode)
    settings["percentiles"] = Setting(Sort.HOST, reported=estimator(trials))
    settings[RECEIVED] = Setting(Sort.WAY, reported=receipt(trials))
    settings["host class"] = Setting(Sort.HOST, reported=host_class(run.host))
    settings[_DISK] = Setting(Sort.HOST, reported=run.host.get(_DISK))
    return settings | {f"tool {name}": Setting(Sort.VERSION, reported=its) for name, its in run.tools.items()}


def estimator(trials: Sequence[TrialRecord]) -> str | None:
    """Return what percentiles of a row are of; None where it has no valid trial."""
    valid = [one for one in trials if one.valid and one.latency]
    if any(one.pauses is not None and not one.pauses.lost for one in valid):
        return "without the host's pauses"
    return "of all messages" if valid else None


def receipt(trials: Sequence[TrialRecord]) -> str | None:
    """Return when the messages of a row counted as received; None where it has no valid trial."""
    found = {one.receipt for one in trials if one.valid and one.latency}
    if len(found) == 1:
        return RECEIPTS[found.pop()]
    return RECEIPTS["both"] if found else None


def unlike_receipt(first: str | None, second: str | None) -> str | None:
    """Return why the latencies of two rows are not compared, if they count messages as received at other instants.

    Both are as of `receipt`.
    """
    if first is None or second is None or first == second:
        return None
    return f"latencies are not compared: messages of one count as received {first}, of the other {second}"


def differences(first: Row, second: Row, by: By) -> tuple[Difference, ...]:
    """Return every setting in which two rows differ; one that only one of them has is a difference as a rule.

    Args:
        first: a row.
        second: another.
        by: what they are compared by.
    """
    nothing = Setting(Sort.BROKER)
    found = []
    for name in [*first, *(name for name in second if name not in first)]:
        if name in _TOLD_LATER and not (name in first and name in second):
            continue
        a, b = first.get(name, nothing), second.get(name, nothing)
        if _plain(a.value) != _plain(b.value):
            sort = (a if name in first else b).sort
            found.append(Difference(name, a.value, b.value, _intended(sort, name, first, second, by)))
    return tuple(found)


def unlike(first: Row, second: Row, by: By) -> tuple[str, ...]:
    """Return, in words, every difference that the comparison is not about."""
    return tuple(str(found) for found in differences(first, second, by) if not found.intended)


@dataclass(frozen=True)
class Client:
    """Who drove a row, and what that cost.

    Attributes:
        protocol: of the target.
        driver: of the target.
        cpu_us: client CPU time a message, microseconds; None where unknown.
        shared: whether broker and client ran on the same CPUs.
    """

    protocol: str
    driver: str
    cpu_us: float | None
    shared: bool


def unequal_cost(first: Client, second: Client) -> str | None:
    """Return why two rows are not ranked by throughput or cost; None where they may be.

    On shared CPUs the client that needs more CPU time takes it from its broker.
    """
    if (first.protocol, first.driver) == (second.protocol, second.driver) or not (first.shared and second.shared):
        return None
    if not first.cpu_us or not second.cpu_us:
        return None
    ratio = max(first.cpu_us, second.cpu_us) / min(first.cpu_us, second.cpu_us)
    if ratio <= MOST_CLIENT_COST:
        return None
    return (
        f"not ranked by throughput or cost: broker and client share CPUs, and the clients' CPU time a message differs"
        f" by a factor of {ratio:.2f} ({first.cpu_us:.1f} µs with {first.driver}, {second.cpu_us:.1f} µs with"
        f" {second.driver})"
    )


def _intended(sort: Sort, name: str, first: Row, second: Row, by: By) -> bool:
    if name == RECEIVED:
        return True
    if name == VIRTUALISATION and any(name in row and row[name].value.startswith(EMULATED) for row in (first, second)):
        return False

    def alike(setting: str) -> bool:
        return first[setting].value == second[setting].value

    if by == "target":
        other_broker = not alike("broker")
        return {
            Sort.WAY: True,
            Sort.VERSION: other_broker,
            Sort.BROKER: other_broker,
            # Between two brokers of one kind this is what the scenario asks; between two kinds it is unfair.
            Sort.RESOURCE: other_broker and alike("kind"),
            Sort.IMAGE: other_broker and alike("kind"),
        }.get(sort, False)
    if by == "workload":
        asks_durability = not alike("durable")
        return sort is Sort.LOAD or (asks_durability and (sort is Sort.PROMISE or name == "queue"))
    return sort in {Sort.VERSION, Sort.IMAGE}


def _way(run: RunRecord, target: Target) -> Iterator[tuple[str, Setting]]:
    options = ", ".join(f"{name} = {value}" for name, value in sorted(target.options.items()))
    asked = {
        "broker": target.broker,
        "kind": run.products[target.broker].kind,
        "protocol": target.protocol,
        "driver": target.driver,
        "driver options": options or "none",
    }
    yield from ((name, Setting(Sort.WAY, asked=value)) for name, value in asked.items())


def _limits(run: RunRecord, target: Target) -> dict[str, Setting]:
    place = run.products[target.broker].place
    found = {name: Setting(Sort.RESOURCE, asked=value) for name, value in ({"place": place.words} | place.caps).items()}
    if place.image is None:
        return found
    image = run.images.get(place.image)
    digest = image.content_digest if image else None
    return found | {"image": Setting(Sort.IMAGE, asked=place.image, reported=digest)}


def _workload(run: RunRecord, target: Target, workload: Workload) -> dict[str, Setting]:
    fields = workload.model_dump(mode="json", exclude=_NOT_DONE)
    asked = {name: _text(value) for name, value in fields.items()} | {"durable": "yes" if workload.durable else "no"}
    found = {name.replace("_", " "): Setting(Sort.LOAD, asked=value) for name, value in asked.items()}
    return found | {"queue": Setting(Sort.BROKER, asked=_queue(run, target, workload))}


def _text(value: Any) -> str:
    """Return a value as a file has it; a table as its fields."""
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


def _queue(run: RunRecord, target: Target, workload: Workload) -> str:
    """Return the kind of queue that a workload uses, as the run's record has it."""
    return run.products[target.broker].queue(durable=workload.durable).kind


def _reported(trials: Sequence[TrialRecord]) -> dict[str, Setting]:
    """Return what brokers say; where trials of one row say different things, all of it."""
    brokers = [trial.broker for trial in trials]
    asked = _joined([broker.asked for broker in brokers])
    reported = _joined([broker.reported for broker in brokers])
    facts = _joined([{name: getattr(one, name) for name in ("product", "version", "runtime")} for one in brokers])
    found = {name: Setting(Sort.VERSION, reported=value) for name, value in facts.items()}
    limits = _joined([broker.limits for broker in brokers])
    found |= {f"{name} limit": Setting(Sort.RESOURCE, reported=value) for name, value in limits.items()}
    if cpus := dict.fromkeys(trial.client_cpus for trial in trials if trial.client_cpus):
        found[_WORKERS] = Setting(Sort.HOST, reported=" / ".join(cpus))
    ground = _joined([broker.ground for broker in brokers])
    found |= {name: Setting(Sort.RESOURCE, reported=value) for name, value in ground.items()}
    own = {
        f"{BROKERS_OWN}{name}": Setting(Sort.BROKER, asked.get(name), reported.get(name)) for name in asked | reported
    }
    return own | found


def _joined(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    values: dict[str, dict[str, None]] = {}
    for one in maps:
        for name, value in one.items():
            values.setdefault(name, {})[value] = None
    return {name: " / ".join(distinct) for name, distinct in values.items()}


def _plain(value: str) -> str:
    return value.strip().lower()
