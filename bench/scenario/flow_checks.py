"""Checks of flows against what drivers and brokers can do; of files, those that bodies are made of are looked at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bench.drivers.description import Driver, Shape
from bench.drivers.registry import DriverRegistry
from bench.scenario.errors import Fault
from bench.scenario.flow import MOST_BYTES
from bench.scenario.scenario import MemoryBroker, Scenario, Target, Workload
from bench.scenario.topology import PropertySettings
from bench.topology.layout import Layout, TopologyError
from brokers.registry import product_of
from brokers.topology import FlowNeeds

_Side = Literal["producer", "consumer"]
_WORDS: dict[Shape, str] = {
    "route": "publishes to queues of the default exchange only",
    "properties": "sends no properties but the delivery mode",
    "body": "sends bodies of zeros only",
    "compact": "knows no compact stamps",
    "consuming": "consumes without arguments, and accepts every message",
    "requests": "neither calls nor answers",
}


def flow_inconsistencies(scenario: Scenario, drivers: DriverRegistry) -> Iterator[Fault]:
    """Yield a fault for each flow that a driver or a broker of its targets cannot do."""
    for index, workload in enumerate(scenario.workloads):
        try:
            layout = workload.laid_out("", [f"#{number}" for number in range(workload.plain_queues)], 0)
        except TopologyError:
            continue  # the workload itself tells
        targets = [target for target in scenario.targets if workload.is_for(target.name)]
        for number, part in enumerate(workload.parts()):
            path = f"workloads.{index}.flows.{number}" if workload.flows else f"workloads.{index}"
            yield from _file(path, part)
            yield from dict.fromkeys(
                fault
                for target in targets
                for fault in (
                    *_drivers(scenario, drivers, path, target, part, layout),
                    *_product(scenario, drivers, path, target, part),
                )
            )
        yield from dict.fromkeys(
            Fault(f"workloads.{index}.{field}", text)
            for target in targets
            for field, text in _broker(scenario, drivers, target, workload, layout)
        )


def _file(path: str, part: Workload) -> Iterator[Fault]:
    name = part.body.file
    if name is None:
        return
    file = Path(name)
    if not file.is_file():
        yield Fault(f"{path}.body.file", f"{name!r} is no file: name one that is there")
    elif not 0 < file.stat().st_size <= MOST_BYTES:
        yield Fault(f"{path}.body.file", f"{name!r} has {file.stat().st_size:,} bytes: 1 to {MOST_BYTES:,}")


def _drivers(
    scenario: Scenario, drivers: DriverRegistry, path: str, target: Target, part: Workload, layout: Layout
) -> Iterator[Fault]:
    sides: tuple[_Side, ...] = ("producer", "consumer") if part.consumers else ("producer",)
    for side in sides:
        own = part.producer_driver if side == "producer" else part.consumer_driver
        refusal = None if own is None else drivers.refusal(own)
        if refusal is not None:
            yield Fault(f"{path}.{side}_driver", refusal)
        name = target.driver if own is None else own
        if name not in drivers.installed:
            continue  # the target itself tells
        driver = drivers.installed[name].member
        if own is not None:
            yield from _spoken(scenario, f"{path}.{side}_driver", target, driver)
        for field, shape in _needs(part, side, layout):
            if shape not in driver.shapes:
                able = [one.member.name for one in drivers.installed.values() if _alike(one.member, driver, shape)]
                use = f"use driver {', '.join(able)}" if able else "leave it out"
                yield Fault(f"{path}.{field}", f"driver {name} {_WORDS[shape]}: {use}")
        if part.pattern == "rpc" and part.reply == "direct" and driver.protocol == "amqp10":
            yield Fault(f"{path}.reply", "'direct' is a way of AMQP 0-9-1: over 1.0 use 'dynamic' or 'queue'")


def _product(scenario: Scenario, drivers: DriverRegistry, path: str, target: Target, part: Workload) -> Iterator[Fault]:
    """Yield what the product of a target cannot do for a flow, beside what is declared."""
    broker = next((one for one in scenario.brokers if one.name == target.broker), None)
    if broker is None or isinstance(broker, MemoryBroker):
        return
    produces = FlowNeeds(part.properties.expiration, part.reply if part.pattern == "rpc" else "")
    consumes = FlowNeeds(requeue=max((kind.requeue for kind in part.kinds), default=0.0))
    for own, needs in ((part.producer_driver, produces), (part.consumer_driver, consumes)):
        driver = drivers.installed.get(own or target.driver)
        if driver is not None and driver.member.protocol != "memory":  # else the target itself tells
            for field, text in product_of(broker).flow_faults(broker, needs, driver.member.protocol):
                yield Fault(f"{path}.{field}", text)


def _alike(member: Driver, driver: Driver, shape: Shape) -> bool:
    return member.protocol == driver.protocol and shape in member.shapes


def _spoken(scenario: Scenario, path: str, target: Target, driver: Driver) -> Iterator[Fault]:
    broker = next((one for one in scenario.brokers if one.name == target.broker), None)
    if broker is None:
        return
    if isinstance(broker, MemoryBroker) or driver.protocol == "memory":
        if driver.protocol != target.protocol:
            yield Fault(path, f"{driver.name!r} speaks {driver.protocol}: the target speaks {target.protocol}")
        return
    product = product_of(broker)
    spoken = [listener.protocol for listener in product.listeners(broker)]
    if driver.protocol not in spoken:
        yield Fault(path, f"{driver.name!r} speaks {driver.protocol}: {product.title} speaks {', '.join(spoken)}")


def _needs(part: Workload, side: _Side, layout: Layout) -> Iterator[tuple[str, Shape]]:
    """Yield what a side of a flow asks of its driver: the field, and what is meant by it."""
    if part.body.stamp == "compact":
        yield "body.stamp", "compact"
    if part.pattern == "rpc":
        yield "pattern", "requests"
    if side == "producer":
        route = next(route for route in layout.flows if route.name == part.name)
        if not route.plain:
            yield "exchange" if part.exchange else "keys" if part.keys else "pattern", "route"
        if part.properties != PropertySettings():
            yield "properties", "properties"
        if part.body.content != "zeros":
            yield "body.content", "body"
        return
    for kind in part.kinds:
        asked = {
            "consumer_arguments": kind.consumer_arguments,
            "exclusive_consumer": kind.exclusive_consumer,
            "reject": kind.reject,
            "requeue": kind.requeue,
        }
        yield from ((field, "consuming") for field, value in asked.items() if value)


def _broker(
    scenario: Scenario, drivers: DriverRegistry, target: Target, workload: Workload, layout: Layout
) -> Iterator[tuple[str, str]]:
    """Yield what the broker of a target has not."""
    broker = next((one for one in scenario.brokers if one.name == target.broker), None)
    if broker is None:
        return
    if isinstance(broker, MemoryBroker):
        if len(workload.flows) > 1:
            yield "flows", f"broker {broker.name}: a scripted memory broker carries one flow: use a real broker"
        return
    declares = layout.declared.exchanges or layout.declared.queues or len(layout.plain) > workload.plain_queues
    if broker.external is not None and broker.external.queues and declares:
        text = (
            f"broker {broker.name}: queues that are there already (external.queues) are used as they are: leave"
            " external.queues out, so that exchanges and queues may be declared"
        )
        yield "topology" if workload.topology else "pattern", text
    product = product_of(broker)
    _, topology = layout.told(lambda durable: product.queue(broker, durable=durable).kind)
    for protocol in _protocols(drivers, target, workload):
        for text in product.topology_faults(broker, topology, protocol):
            yield "topology" if workload.topology else "pattern", f"broker {broker.name}: {text}"


def _protocols(drivers: DriverRegistry, target: Target, workload: Workload) -> tuple[Literal["amqp091", "amqp10"], ...]:
    names = {
        name or target.driver
        for part in workload.parts()
        for name in (part.producer_driver, part.consumer_driver if part.consumers else None)
    }
    spoken = {drivers.installed[name].member.protocol for name in names if name in drivers.installed}
    return tuple(protocol for protocol in ("amqp091", "amqp10") if protocol in spoken)
