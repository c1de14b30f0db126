"""What programs of this folder share that run single trials on one broker, outside a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.cli.image import ensure_images
from bench.crosscheck.pairing import Pairing
from bench.crosscheck.peer import Peer
from bench.crosscheck.perftest import PerfTest
from bench.crosscheck.sides import Sides
from bench.record.account import warm_kernels
from bench.run.running_brokers import Fleet
from bench.run.scratch_folder import scratch_folder
from bench.scenario.loading import load_scenario
from bench.scenario.scenario import Scenario

HERE = Path(__file__).parent
_NONE: Mapping[str, Path] = {}


def of_file(name: str) -> Scenario:
    """Return a scenario of this folder."""
    return load_scenario(str(HERE / f"{name}.toml"), []).scenario


def pairings_of(scenario: Scenario, peer: Peer | None = None) -> list[Pairing]:
    """Return each workload of the first target, to be run by our driver and a peer; not all of them fit the peer."""
    target = scenario.targets[0]
    return [Pairing(target, one, (target.driver,), peer or PerfTest()) for one in scenario.workloads]


@contextmanager
def sides_of(
    scenario: Scenario, folders: Mapping[str, Path] = _NONE, warm_up_s: int = 3
) -> Iterator[tuple[Sides, Path]]:
    """Have the scenario's first broker run; yield both sides on it, and a folder for files."""
    warm_kernels()
    roots = {name: found.root for name, found in ensure_images(scenario).items()}
    with scratch_folder() as scratch:
        fleet = Fleet(scenario, scratch, roots, lambda _text: None)
        try:
            yield Sides(scenario, fleet.get(scenario.brokers[0].name, 0), folders, warm_up_s, scratch), scratch
        finally:
            fleet.stop_all()
