"""What takes two parts of a scenario to check: names, protocols, promises a store cannot keep. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from bench.drivers.description import Driver
from bench.drivers.registry import Registry
from bench.faults import Fault
from bench.scenario import MemoryBroker, Scenario, Target
from brokers.settings import QpidBrokerJSettings

LONGEST_NAME = 32
"""As `BrokerName` has it, which folders and records rely on."""


def inconsistencies(scenario: Scenario, drivers: Registry) -> Iterator[Fault]:
    """Return a fault for each part that does not fit another, or needs a driver that is not to be had."""
    for where, names in (
        ("brokers", [broker.name for broker in scenario.brokers]),
        ("targets", [target.name for target in scenario.targets]),
        ("workloads", [workload.name for workload in scenario.workloads]),
    ):
        yield from _repeated(where, names)
    yield from _sweeps(scenario)
    for index, target in enumerate(scenario.targets):
        yield from _target(scenario, drivers, f"targets.{index}", target)
    yield from _multiplexing(scenario, drivers)
    yield from _mixed_sizes(scenario, drivers)
    yield from _durability(scenario)
    yield from _restarts(scenario)
    yield from _quick(scenario)
    yield from _schedule_lengths(scenario)


def _repeated(where: str, names: Iterable[str]) -> Iterator[Fault]:
    for name, times in Counter(names).items():
        if times > 1:
            yield Fault(where, f"{name!r} stands {times} times: names must differ")


def _sweeps(scenario: Scenario) -> Iterator[Fault]:
    """A sweep makes workloads of its own, whose names must serve as names too."""
    singles = [single.name for workload in scenario.workloads for single in workload.singles()]
    given = [workload.name for workload in scenario.workloads]
    for name, times in Counter(singles).items():
        if times > max(1, given.count(name)):
            yield Fault("workloads", f"a sweep makes {name!r}, which stands {times} times: names must differ")
    for index, workload in enumerate(scenario.workloads):
        longest = max((single.name for single in workload.singles()), key=len)
        if len(longest) > LONGEST_NAME:
            yield Fault(
                f"workloads.{index}.name",
                f"its sweep makes {longest!r}, {len(longest)} characters: at most {LONGEST_NAME}, so shorten it",
            )


def _restarts(scenario: Scenario) -> Iterator[Fault]:
    used = {target.broker for target in scenario.targets}
    external = [b.name for b in scenario.brokers if b.name in used and getattr(b, "place", "") == "external"]
    if not external:
        return
    for path, restart in (("plan.restart", scenario.plan.restart), ("quick.restart", scenario.quick.restart)):
        if restart != "run":
            yield Fault(path, f"{restart!r}: broker {', '.join(external)} is external and never restarted: use 'run'")


def _target(scenario: Scenario, drivers: Registry, path: str, target: Target) -> Iterator[Fault]:
    brokers = {broker.name: broker for broker in scenario.brokers}
    if target.broker not in brokers:
        yield Fault(f"{path}.broker", f"{target.broker!r} is no entry of brokers: there are {', '.join(brokers)}")
        return
    refusal = drivers.refusal(target.driver)
    if refusal is not None:
        yield Fault(f"{path}.driver", refusal)
        return
    speaks = drivers.installed[target.driver].driver.protocol
    if speaks != target.protocol:
        fitting = drivers.names(target.protocol)
        yield Fault(f"{path}.driver", f"{target.driver!r} speaks {speaks}, not {target.protocol}: choose {fitting}")
    yield from _options(path, target, drivers.installed[target.driver].driver)
    scripted = isinstance(brokers[target.broker], MemoryBroker)
    if scripted != (target.protocol == "memory"):
        kind = "a scripted memory broker" if scripted else "a real broker"
        allowed = "memory" if scripted else "amqp091 or amqp10"
        yield Fault(f"{path}.protocol", f"{target.protocol!r} on {kind}: use {allowed}")


def _multiplexing(scenario: Scenario, drivers: Registry) -> Iterator[Fault]:
    used = [drivers.installed[t.driver].driver for t in scenario.targets if t.driver in drivers.installed]
    cannot = sorted({driver.name for driver in used if not driver.multiplexes})
    for index, workload in enumerate(scenario.workloads):
        if workload.lanes_per_connection > 1 and cannot:
            can = [one.driver.name for one in drivers.installed.values() if one.driver.multiplexes]
            yield Fault(
                f"workloads.{index}.lanes_per_connection",
                f"{workload.lanes_per_connection}: driver {', '.join(cannot)} has a connection a lane:"
                f" use 1, or driver {', '.join(can)}",
            )


def _mixed_sizes(scenario: Scenario, drivers: Registry) -> Iterator[Fault]:
    used = [drivers.installed[t.driver].driver for t in scenario.targets if t.driver in drivers.installed]
    cannot = sorted({driver.name for driver in used if not driver.mixes})
    for index, workload in enumerate(scenario.workloads):
        if workload.mix(0) is not None and cannot:
            yield Fault(f"workloads.{index}.size", f"driver {', '.join(cannot)} sends one size only: name one")


def _options(path: str, target: Target, driver: Driver) -> Iterator[Fault]:
    known = dict(driver.options)
    for name in target.options:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "it has none"
            yield Fault(f"{path}.options.{name}", f"driver {driver.name!r} knows no such option: {there}")


def _durability(scenario: Scenario) -> Iterator[Fault]:
    durable = [workload.name for workload in scenario.workloads if workload.durable]
    if not durable:
        return
    for index, broker in enumerate(scenario.brokers):
        used = any(target.broker == broker.name for target in scenario.targets)
        if used and isinstance(broker, QpidBrokerJSettings) and broker.store == "memory":
            yield Fault(
                f"brokers.{index}.store",
                f"'memory' keeps nothing, and workload {', '.join(durable)} is durable:"
                " use bdb or derby, or durable = false",
            )


def _quick(scenario: Scenario) -> Iterator[Fault]:
    names = [workload.name for workload in scenario.workloads]
    for name in scenario.quick.workloads or ():
        if name not in names:
            yield Fault("quick.workloads", f"{name!r} is no workload: there are {', '.join(names)}")


def _schedule_lengths(scenario: Scenario) -> Iterator[Fault]:
    # The intended times of a trial are made in memory to be counted against what was sent.
    most = 200_000_000
    for index, workload in enumerate(scenario.workloads):
        rate = workload.mean_rate or 0.0
        if rate * workload.duration / 1e9 > most:
            yield Fault(
                f"workloads.{index}.duration",
                f"{rate:,.0f} messages a second for that long are more than {most:,}: shorten it",
            )
