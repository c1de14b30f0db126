"""Finds out, before a run, what a scenario asks that brokers run by someone else cannot do.

Of a broker of a generic kind only the protocol is known: what it can do is probed when it is
reached. Queues that the user named are looked at, and nothing is taken out of them.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from bench.scenario.products import starts
from bench.scenario.scenario import MemoryBroker, Scenario, Workload
from brokers.base import BrokerError, Needs
from brokers.opening import open_broker
from brokers.registry import lacks, places


def lacking(scenario: Scenario) -> tuple[str, ...]:
    """Return a sentence for each place of a scenario for which this machine lacks something."""
    used = {settings.place for settings in scenario.brokers if not isinstance(settings, MemoryBroker)}
    found = {name: lacks(places().installed[name].member) for name in sorted(used) if name in places().installed}
    return tuple(f"place {name!r}: {text}" for name, text in found.items() if text)


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
        broker = open_broker(settings, Path(), None, environ, consume_existing=consume_existing)
        try:
            broker.start()
        except BrokerError:
            continue
        try:
            workloads = [one for one in scenario.workloads if any(one.is_for(target.name) for target in targets)]
            found = [text for workload in workloads for text in broker.lacks(_needs(workload))]
            found += broker.unusable(max((one.queues for one in workloads), default=0))
            faults |= dict.fromkeys(f"brokers.{index} ({settings.name}): {text}" for text in found)
        finally:
            with contextlib.suppress(BrokerError):
                broker.stop()
    return tuple(faults)


def _needs(workload: Workload) -> Needs:
    return Needs(
        queues=workload.queues,
        body=workload.size,
        confirms=workload.confirm_window > 0,
        lanes=workload.lanes_per_connection,
    )
