"""Checks that need two parts of a scenario: names, protocols, promises that a store cannot keep. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from bench.drivers.description import Driver
from bench.drivers.registry import DriverRegistry
from bench.scenario.errors import Fault
from bench.scenario.flow_checks import flow_inconsistencies
from bench.scenario.products import starts
from bench.scenario.scenario import MemoryBroker, Scenario, Target, Workload
from brokers.cpu_numbers import words
from brokers.registry import places, product_of


def inconsistencies(scenario: Scenario, drivers: DriverRegistry) -> Iterator[Fault]:
    """Return a fault for each part that does not fit another, or that needs a driver which is not installed."""
    for where, names in (
        ("brokers", [broker.name for broker in scenario.brokers]),
        ("targets", [target.name for target in scenario.targets]),
    ):
        yield from _repeated(where, names)
    yield from _same_names(scenario)
    yield from _only(scenario)
    for index, target in enumerate(scenario.targets):
        yield from _target(scenario, drivers, f"targets.{index}", target)
    yield from _multiplexing(scenario, drivers)
    yield from _mixed_sizes(scenario, drivers)
    yield from _products(scenario)
    yield from _pins(scenario)
    yield from _restarts(scenario)
    yield from _quick(scenario)
    yield from _limits(scenario)
    yield from _schedule_lengths(scenario)
    yield from flow_inconsistencies(scenario, drivers)


def _repeated(where: str, names: Iterable[str]) -> Iterator[Fault]:
    for name, times in Counter(names).items():
        if times > 1:
            yield Fault(where, f"{name!r} occurs {times} times: names must differ")


def _same_names(scenario: Scenario) -> Iterator[Fault]:
    """Reports call a flow `<workload>-<flow>`: no workload and no other flow may be called so."""
    taken = {workload.name: f"workload {workload.name!r}" for workload in scenario.workloads if not workload.flows}
    for index, workload in enumerate(scenario.workloads):
        for number, flow in enumerate(workload.flows):
            called = f"{workload.name}-{flow.name}"
            if called in taken:
                yield Fault(
                    f"workloads.{index}.flows.{number}.name",
                    f"{flow.name!r}: reports call it {called!r}, as they call {taken[called]}: rename one of them",
                )
            taken[called] = f"flow {flow.name!r} of workload {workload.name!r}"


def _only(scenario: Scenario) -> Iterator[Fault]:
    """A workload is for targets that are there, and each target has one, with `--quick` too."""
    names = [target.name for target in scenario.targets]
    for index, workload in enumerate(scenario.workloads):
        for name in workload.only:
            if name not in names:
                yield Fault(f"workloads.{index}.only", f"{name!r} is no target: there are {', '.join(names)}")
    kept = scenario.quick.workloads
    for where, workloads in (
        ("workloads", scenario.workloads),
        ("quick.workloads", [one for one in scenario.workloads if one.is_among(kept)] if kept else ()),
    ):
        idle = [name for name in names if workloads and not any(one.is_for(name) for one in workloads)]
        if idle:
            yield Fault(where, f"no workload is for target {', '.join(idle)}: add it to `only`, or remove the target")
            return


def _limits(scenario: Scenario) -> Iterator[Fault]:
    """A limit is for a target and a workload that are there; a sweep's name, and those of its workloads, will do."""
    targets = [target.name for target in scenario.targets]
    workloads = _workload_names(scenario.workloads)
    for index, limit in enumerate(scenario.limits):
        for field, name, known in (("target", limit.target, targets), ("workload", limit.workload, workloads)):
            if name is not None and name not in known:
                yield Fault(f"limits.{index}.{field}", f"{name!r} is no {field}: there are {', '.join(known)}")


def _pins(scenario: Scenario) -> Iterator[Fault]:
    """Brokers and our workers are pinned to unlike CPUs, and only brokers that we start are pinned at all."""
    clients = {*scenario.plan.client_cpus}
    for index, broker in enumerate(scenario.brokers):
        if isinstance(broker, MemoryBroker) or not broker.pinned:
            continue
        path = f"brokers.{index}.cpus"
        if not starts(broker):
            yield Fault(path, f"{[*broker.pinned]}: broker {broker.name!r} is not started by us: leave it out")
        if both := clients.intersection(broker.pinned):
            yield Fault(
                path,
                f"CPU {words(both)} of broker {broker.name!r} is in plan.client_cpus too: give brokers and workers"
                " CPUs of their own",
            )


def _restarts(scenario: Scenario) -> Iterator[Fault]:
    used = {target.broker for target in scenario.targets}
    external = [
        broker.name
        for broker in scenario.brokers
        if broker.name in used and not isinstance(broker, MemoryBroker) and not starts(broker)
    ]
    if not external:
        return
    for path, restart in (("plan.restart", scenario.plan.restart), ("quick.restart", scenario.quick.restart)):
        if restart != "run":
            yield Fault(path, f"{restart!r}: broker {', '.join(external)} is external and never restarted: use 'run'")


def _target(scenario: Scenario, drivers: DriverRegistry, path: str, target: Target) -> Iterator[Fault]:
    brokers = {broker.name: broker for broker in scenario.brokers}
    if target.broker not in brokers:
        yield Fault(f"{path}.broker", f"{target.broker!r} is no broker of this file: it has {', '.join(brokers)}")
        return
    refusal = drivers.refusal(target.driver)
    if refusal is not None:
        yield Fault(f"{path}.driver", refusal)
        return
    speaks = drivers.installed[target.driver].member.protocol
    if speaks != target.protocol:
        fitting = drivers.speaking(target.protocol)
        yield Fault(f"{path}.driver", f"{target.driver!r} speaks {speaks}, not {target.protocol}: choose {fitting}")
    yield from _options(path, target, drivers.installed[target.driver].member)
    broker = brokers[target.broker]
    scripted = isinstance(broker, MemoryBroker)
    if not isinstance(broker, MemoryBroker) and target.protocol != "memory":
        product = product_of(broker)
        spoken = [listener.protocol for listener in product.listeners(broker)]
        if target.protocol not in spoken:
            yield Fault(f"{path}.protocol", f"{target.protocol!r}: {product.title} speaks {', '.join(spoken)}")
    if scripted != (target.protocol == "memory"):
        kind = "a scripted memory broker" if scripted else "a real broker"
        allowed = "memory" if scripted else "amqp091 or amqp10"
        yield Fault(f"{path}.protocol", f"{target.protocol!r} on {kind}: use {allowed}")


def _multiplexing(scenario: Scenario, drivers: DriverRegistry) -> Iterator[Fault]:
    for index, workload in enumerate(scenario.workloads):
        used = [
            drivers.installed[target.driver].member
            for target in scenario.targets
            if target.driver in drivers.installed and workload.is_for(target.name)
        ]
        cannot = sorted({driver.name for driver in used if not driver.multiplexes})
        if workload.lanes_per_connection > 1 and cannot:
            can = [one.member.name for one in drivers.installed.values() if one.member.multiplexes]
            yield Fault(
                f"workloads.{index}.lanes_per_connection",
                f"{workload.lanes_per_connection}: driver {', '.join(cannot)} opens a connection for each lane:"
                f" use 1, or driver {', '.join(can)}",
            )


def _mixed_sizes(scenario: Scenario, drivers: DriverRegistry) -> Iterator[Fault]:
    used = [drivers.installed[t.driver].member for t in scenario.targets if t.driver in drivers.installed]
    cannot = sorted({driver.name for driver in used if not driver.mixes})
    for index, workload in enumerate(scenario.workloads):
        if workload.mix(0) is not None and cannot:
            yield Fault(f"workloads.{index}.size", f"driver {', '.join(cannot)} sends one size only: name one")


def _options(path: str, target: Target, driver: Driver) -> Iterator[Fault]:
    known = dict(driver.options)
    for name in target.options:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "it has none"
            yield Fault(f"{path}.options.{name}", f"driver {driver.name!r} has no such option: {there}")


def _products(scenario: Scenario) -> Iterator[Fault]:
    """Yield what products and places object to in their settings and workloads."""
    for index, broker in enumerate(scenario.brokers):
        if isinstance(broker, MemoryBroker):
            continue
        product = product_of(broker)
        users = [target.name for target in scenario.targets if target.broker == broker.name]
        durable = [one.name for one in scenario.workloads if one.durable and any(map(one.is_for, users))]
        for field, text in product.checks(broker, durable):
            yield Fault(f"brokers.{index}.{field}", text)
        refusal = places().unknown(broker.place)
        if refusal is not None and broker.optional:
            continue  # it is left out with a word when it is to be run
        if refusal is not None:
            yield Fault(f"brokers.{index}.place", f"{refusal}, or install the package that brings it")
            continue
        place = places().installed[broker.place].member
        if place.starts and not product.starts:
            fitting = [name for name, one in places().installed.items() if not one.member.starts]
            yield Fault(
                f"brokers.{index}.place",
                f"{broker.place!r}: a broker of kind {broker.kind} is never started by us: use {', '.join(fitting)}",
            )
        if place.starts and broker.external is not None:
            yield Fault(f"brokers.{index}.external", f"place {place.name!r} starts its brokers: leave this table out")
        known = dict(place.options)
        for name in broker.place_options:
            if name not in known:
                there = f"there are {', '.join(known)}" if known else "it has none"
                yield Fault(f"brokers.{index}.place_options.{name}", f"place {place.name!r} has no such: {there}")


def _workload_names(workloads: Iterable[Workload]) -> list[str]:
    """Return what workloads can be called by: the name of a sweep, too."""
    return list(dict.fromkeys(name for one in workloads for name in (one.part_of, one.name) if name))


def _quick(scenario: Scenario) -> Iterator[Fault]:
    names = _workload_names(scenario.workloads)
    for name in scenario.quick.workloads or ():
        if name not in names:
            yield Fault("quick.workloads", f"{name!r} is no workload: there are {', '.join(names)}")


def _schedule_lengths(scenario: Scenario) -> Iterator[Fault]:
    # All intended times of a trial are held in memory, to be compared with what was sent.
    most = 200_000_000
    for index, workload in enumerate(scenario.workloads):
        rate = workload.mean_rate or 0.0
        if rate * workload.duration / 1e9 > most:
            yield Fault(
                f"workloads.{index}.duration",
                f"{rate:,.0f} messages a second for that long are more than {most:,}: shorten it",
            )
