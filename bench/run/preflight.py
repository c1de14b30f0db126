"""Finds out, before a trial, what a scenario asks that its brokers cannot do.

Of a broker of a generic kind only the protocol is known: what it can do is probed when it is
reached. Queues that the user named are looked at, and nothing is taken out of them. What a broker
announces and allows is compared with the workloads: before the run where someone else runs it,
before its first trial where we start it.
"""

import contextlib
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.host.cores import online
from bench.scenario.absent_brokers import without
from bench.scenario.products import starts
from bench.scenario.scenario import MemoryBroker, Scenario, Workload
from brokers.admin.base import AdminError, SilentError, UnreachableError
from brokers.base import Broker, BrokerError, Needs
from brokers.cpu_numbers import unusable
from brokers.endpoint import PROTOCOL_NAMES, Protocol
from brokers.opening import open_broker
from brokers.places.external import exposed, forbidden
from brokers.registry import lacks, places

_FIELD = "workloads."
_DENIED = re.compile(r"\(403\)|\b403 |ACCESS_REFUSED|unauthorized-access")
_MAY_DECLARE = ": let its user declare queues named busbench-…, or name queues that are there in `external.queues`"


class UnfitError(Exception):
    """A broker that was started does not allow what a scenario asks.

    Attributes:
        faults: a sentence each.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep the faults."""
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def lacking(scenario: Scenario) -> tuple[str, ...]:
    """Return a sentence for each place of a scenario for which this machine lacks something."""
    used = {settings.place for settings in scenario.brokers if not isinstance(settings, MemoryBroker)}
    found = {name: lacks(places().installed[name].member) for name in sorted(used) if name in places().installed}
    return tuple(f"place {name!r}: {text}" for name, text in found.items() if text)


def without_optional(scenario: Scenario) -> tuple[Scenario | None, dict[str, str]]:
    """Return a scenario without its optional brokers that this host cannot start, and why, by their names.

    None where nothing is left.
    """
    found = {
        settings.name: f"place {settings.place!r}: {text}"
        for settings in scenario.brokers
        if not isinstance(settings, MemoryBroker) and settings.optional and (text := _missing(settings.place))
    }
    return without(scenario, found), found


def _missing(place: str) -> str | None:
    """Return what this host lacks for a place; None where nothing is missing."""
    if place not in places().installed:
        return "it is not installed"
    return lacks(places().installed[place].member)


def unpinnable(scenario: Scenario) -> tuple[str, ...]:
    """Return a sentence for each list of CPUs that cannot be had on this host."""
    asked = {"plan.client_cpus": scenario.plan.client_cpus} | {
        f"brokers.{index}.cpus": settings.pinned
        for index, settings in enumerate(scenario.brokers)
        if not isinstance(settings, MemoryBroker)
    }
    if not any(asked.values()):
        return ()
    ours, there = os.sched_getaffinity(0), online()
    return tuple(f"{path}: {text}" for path, cpus in asked.items() for text in unusable(cpus, ours, there))


def unfit(scenario: Scenario, environ: Mapping[str, str], *, consume_existing: bool) -> tuple[str, ...]:
    """Return a sentence for each thing that a broker cannot do, or that must not be done to it.

    A broker that cannot be reached is passed over: the run itself tells, and tries once more.

    Args:
        scenario: as resolved.
        environ: where credentials are looked up.
        consume_existing: whether messages in queues that the user named may be consumed.
    """
    faults: dict[str, None] = {}
    for index, settings in enumerate(scenario.brokers):
        targets = [target for target in scenario.targets if target.broker == settings.name]
        if isinstance(settings, MemoryBroker) or starts(settings) or not targets:
            continue
        if secrets := list(forbidden(settings.external, environ)) if settings.external else []:
            faults |= dict.fromkeys(f"brokers.{index}.{text}" for text in secrets)
            continue
        broker = open_broker(settings, Path(), None, environ, consume_existing=consume_existing)
        try:
            broker.start()
        except BrokerError:
            continue
        try:
            workloads = [one for one in scenario.workloads if any(one.is_for(target.name) for target in targets)]
            found = [text for workload in workloads for text in broker.lacks(_needs(workload))]
            unusable = list(broker.unusable(max((one.plain_queues for one in workloads), default=0)))
            found += unusable
            found += misfits(scenario, broker, permissions=not unusable)
            faults |= dict.fromkeys(f"brokers.{index} ({settings.name}): {text}" for text in found)
        finally:
            with contextlib.suppress(BrokerError):
                broker.stop()
    return tuple(faults)


def exposures(scenario: Scenario) -> tuple[str, ...]:
    """Return a sentence for each broker to which our password goes in clear text over a network."""
    return tuple(
        f"the password for broker {settings.name!r} goes to {settings.external.host} in clear text: add `tls = true` to"
        " `external`, or write amqps://, where that network is not yours alone"
        for settings in scenario.brokers
        if not isinstance(settings, MemoryBroker) and settings.external is not None and exposed(settings.external)
    )


def misfits(scenario: Scenario, broker: Broker, *, permissions: bool = True) -> Iterator[str]:
    """Yield what workloads ask that a running broker does not allow, by what it announces and by trying.

    Args:
        scenario: as resolved.
        broker: one of its brokers, running.
        permissions: whether to tell what is refused on a queue; a queue that cannot be used tells of itself.
    """
    targets = [target for target in scenario.targets if target.broker == broker.name]
    told: set[str] = set()
    for durable, protocol in itertools.product((False, True), broker.protocols()):
        names = [target.name for target in targets if target.protocol == protocol]
        workloads = [one for one in scenario.workloads if one.durable is durable and any(map(one.is_for, names))]
        if not workloads:
            continue
        for what, text in _not_allowed(broker, protocol, workloads, durable=durable):
            if what not in told and (permissions or what.startswith(_FIELD)):  # by one protocol is enough
                told.add(what)
                yield f"{what} = {text}" if what.startswith(_FIELD) else text


def _not_allowed(
    broker: Broker, protocol: Protocol, workloads: Sequence[Workload], *, durable: bool
) -> Iterator[tuple[str, str]]:
    try:
        found = broker.admission(protocol, [one.size for one in workloads], durable=durable)
    except BrokerError as error:
        # One that cannot be reached, or is silent, is passed over: the run itself tells, and tries once more.
        if isinstance(error.__cause__, AdminError) and not isinstance(error.__cause__, (SilentError, UnreachableError)):
            denied = _DENIED.search(str(error.__cause__))
            yield f"declare, durable = {durable}", f"{error}{_MAY_DECLARE if denied else ''}"
        return
    for what, words in found.refused:
        refused = f"over {PROTOCOL_NAMES[protocol]} it does not let us {what} a queue that it let us declare"
        yield what, f"{refused} ({words}): give the user that permission"
    for one in workloads:
        yield from found.faults(one.name, one.size, one.lanes_per_connection)


def _needs(workload: Workload) -> Needs:
    return Needs(queues=workload.plain_queues, confirms=workload.confirm_window > 0)
