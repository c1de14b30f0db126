"""`--pin auto`: the CPUs of this host shared out between brokers and workers, as overrides of a scenario."""

import os

from bench.cli.console import EXIT_USAGE, err, fail
from bench.host.cores import read_cpus, split
from bench.scenario.products import starts
from bench.scenario.scenario import MemoryBroker, Scenario
from brokers.cpu_numbers import words


def pinned_cpus(scenario: Scenario) -> frozenset[int]:
    """Return every CPU that a scenario pins a broker or the workers to."""
    brokers = (one.pinned for one in scenario.brokers if not isinstance(one, MemoryBroker))
    return frozenset(scenario.plan.client_cpus).union(*brokers)


def pinning(scenario: Scenario) -> list[str]:
    """Return the overrides that pin brokers and workers; leave where this host, or the scenario, does not allow it."""
    started = {
        f"brokers.{index}.cpus": broker.cpu_count
        for index, broker in enumerate(scenario.brokers)
        if not isinstance(broker, MemoryBroker) and starts(broker)
    }
    if not started:
        fail(EXIT_USAGE, "--pin auto: no broker of this scenario is started by us: leave it out")
    if pinned_cpus(scenario):
        fail(EXIT_USAGE, "--pin auto: this scenario names CPUs already (cpus, plan.client_cpus): leave one out")
    ours = os.sched_getaffinity(0)
    try:
        found = split([one for one in read_cpus() if one.number in ours], max(started.values()))
    except (ValueError, OSError) as error:
        fail(EXIT_USAGE, f"--pin auto: {error}")
    err.print(f"pinned: brokers to CPU {words(found.brokers)}, workers to CPU {words(found.clients)}")
    # Brokers take turns: each may have the same CPUs, as many as it asks for.
    of_brokers = [f"{path}={[*found.brokers[-count:]]}" for path, count in started.items()]
    return [*of_brokers, f"plan.client_cpus={[*found.clients]}"]
