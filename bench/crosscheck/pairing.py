"""From a scenario to what is crosschecked: which of our drivers meet which peer under which load. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.crosscheck.peer import Peer, bound
from bench.drivers.registry import driver_named, registry
from bench.scenario.errors import Fault, ScenarioError
from bench.scenario.scenario import InFlightLoad, Scenario, Target, Workload
from bench.units import NS_PER_S

_RUN_OVERHEAD_S = 3.0  # start, drain and clean-up of one run, as seen on two cores


@dataclass(frozen=True)
class Pairing:
    """One target under one workload, through some drivers of ours and one peer.

    Attributes:
        target, workload: from the scenario; a closed loop's confirm window is its bound.
        drivers: names of ours, that of the target first.
        peer: the other tool.
    """

    target: Target
    workload: Workload
    drivers: tuple[str, ...]
    peer: Peer

    @property
    def name(self) -> str:
        """Words for people."""
        return f"{self.target.name} · {self.workload.name}"

    @property
    def sides(self) -> tuple[str, ...]:
        """Drivers, then the peer."""
        return (*self.drivers, self.peer.name)

    @property
    def asked(self) -> str:
        """The load, for people."""
        load, size = self.workload.load, self.workload.size
        if isinstance(load, InFlightLoad):
            window = self.workload.confirm_window * self.workload.producers
            held = f"{load.in_flight[0]} in flight" if window >= load.in_flight[0] else f"{window} unconfirmed"
            return f"closed loop, {held}, {size} B"
        return f"{load.rate:,.10g} msg/s, {size} B"


def pairings(
    scenario: Scenario, peers: Sequence[Peer], drivers: Sequence[str] = ()
) -> tuple[tuple[Pairing, ...], tuple[str, ...]]:
    """Return what can be crosschecked, and a sentence for each thing that cannot.

    Args:
        scenario: as resolved.
        peers: the other tools.
        drivers: more drivers of ours beside that of each target.

    Raises:
        ScenarioError: a driver that is not there or fits no target, or nothing can be crosschecked.
    """
    faults = list(_driver_faults(scenario, drivers))
    if faults:
        raise ScenarioError(faults)
    found, refused = [], []
    for index, target in enumerate(scenario.targets):
        peer = next((one for one in peers if one.protocol == target.protocol), None)
        if peer is None:
            refused.append(f"targets.{index}.protocol = {target.protocol!r}: no other tool speaks it")
            continue
        more = (name for name in drivers if driver_named(name).protocol == target.protocol)
        ours = tuple(dict.fromkeys((target.driver, *more)))
        for place, workload in enumerate(scenario.workloads):
            against = peer.refusals(workload)
            refused += [f"{target.name}: workloads.{place}.{reason}" for reason in against]
            if not against:
                found.append(Pairing(target, _same(workload), ours, peer))
    if not found:
        raise ScenarioError([Fault("scenario", f"nothing to crosscheck: {reason}") for reason in refused])
    return tuple(found), tuple(refused)


def estimate_s(checks: Sequence[Pairing], settle_s: float, pairs: int, warm_up_s: int, *, capture: bool) -> float:
    """Return about how long a crosscheck takes, starts of brokers left out."""
    total = 0.0
    for one in checks:
        length_s = one.workload.duration // NS_PER_S
        ours = len(one.drivers) * (settle_s + length_s + _RUN_OVERHEAD_S)
        theirs = one.peer.seconds(length_s, warm_up_s) + _RUN_OVERHEAD_S
        total += (pairs + 1 + (capture and not one.workload.closed)) * (ours + theirs)
    return total


def _same(workload: Workload) -> Workload:
    """Return the workload as both sides can do it: peers bound a closed loop by its confirms alone."""
    return workload.model_copy(update={"confirm_window": bound(workload)})


def _driver_faults(scenario: Scenario, drivers: Sequence[str]) -> Iterator[Fault]:
    protocols = {target.protocol for target in scenario.targets}
    for name in drivers:
        refusal = registry().refusal(name)
        if refusal is not None:
            yield Fault("--driver", refusal)
        elif driver_named(name).protocol not in protocols:
            speaks = ", ".join(sorted(protocols))
            yield Fault(
                "--driver",
                f"{name!r} speaks {driver_named(name).protocol}; the targets of {scenario.name} speak {speaks}",
            )
