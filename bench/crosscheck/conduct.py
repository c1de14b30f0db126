"""Carrying out a crosscheck: one broker at a time, both sides in turn on it, nothing left behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.crosscheck import ratios
from bench.crosscheck.capture import captured
from bench.crosscheck.pairing import Pairing
from bench.crosscheck.readings import Captured, Checked, Reading
from bench.crosscheck.sides import Sides
from bench.drivers.registry import driver_named
from bench.run.precompile import warm_up
from bench.run.running_brokers import Fleet
from bench.run.scratch_folder import scratch_folder
from bench.scenario.scenario import Scenario


@dataclass(frozen=True)
class CrosscheckOptions:
    """What a crosscheck is to do.

    Attributes:
        scenario: with `plan.restart` set to `run`, so that each broker starts once.
        pairings: from `bench.crosscheck.pairing`.
        pairs: counted pairs of each.
        capture: whether each tool runs once more under a packet capture, where the rate is fixed.
        warm_up_s: of each JVM.
        folders: of each peer by name.
        image_roots: root file systems by recipe.
    """

    scenario: Scenario
    pairings: tuple[Pairing, ...]
    pairs: int
    capture: bool
    warm_up_s: int
    folders: Mapping[str, Path]
    image_roots: Mapping[str, Path]


def conduct(wanted: CrosscheckOptions, say: Callable[[str], None]) -> tuple[tuple[Checked, ...], dict[str, str]]:
    """Run every pairing; return what came of each, and product and version of each broker.

    Whatever ends it, KeyboardInterrupt included, brokers, JVMs, workers and queues are gone afterwards.

    Raises:
        PeerError: a tool of either side gave no result.
        SniffError: there was no packet capture.
        BrokerError: a broker failed.
    """
    warm_up((driver for pairing in wanted.pairings for driver in pairing.drivers), say)
    checked, brokers = [], {}
    with scratch_folder() as scratch:
        fleet = Fleet(wanted.scenario, scratch, wanted.image_roots, say)
        try:
            for name in dict.fromkeys(pairing.target.broker for pairing in wanted.pairings):
                instance = fleet.get(name, 0)
                brokers[name] = f"{instance.facts.product} {instance.facts.version}"
                sides = Sides(wanted.scenario, instance, wanted.folders, wanted.warm_up_s, scratch)
                checked += [
                    _check(one, wanted, sides, scratch, say) for one in wanted.pairings if one.target.broker == name
                ]
                fleet.stop(name)
        finally:
            fleet.stop_all()
    return tuple(checked), brokers


def _check(
    pairing: Pairing, wanted: CrosscheckOptions, sides: Sides, scratch: Path, say: Callable[[str], None]
) -> Checked:
    """Run a pair that warms the broker, the counted ones, and those under a capture."""
    readings: list[Reading] = []
    for pair in range(wanted.pairs + 1):
        for side in ratios.order(pairing.sides, pair):
            which = f"pair {pair} of {wanted.pairs}" if pair else "warming the broker, not counted"
            say(f"{pairing.name}  {which}  {side}")
            readings.append(sides.reading(pairing, side, pair))
    captures: list[Captured] = []
    for side in pairing.sides if wanted.capture and not pairing.workload.closed else ():
        say(f"{pairing.name}  under a packet capture  {side}")
        captures.append(captured(sides, pairing, side, scratch))
    peer = pairing.peer
    versions = {side: driver_named(side).client_version() or side for side in pairing.drivers}
    versions[peer.name] = f"{peer.name} {peer.version}"
    return Checked(
        target=pairing.target.name,
        workload=pairing.workload.name,
        protocol=pairing.target.protocol,
        peer=peer.name,
        asked=pairing.asked,
        medians=tuple(ratios.medians(readings, side, versions[side]) for side in pairing.sides),
        ratios=tuple(ratio for side in pairing.drivers for ratio in ratios.ratios(readings, side, peer.name)),
        readings=tuple(readings),
        captured=tuple(captures),
        drivers={side: driver_named(side).description for side in pairing.drivers},
        command=sides.command(pairing),
        differs=peer.differs,
    )
