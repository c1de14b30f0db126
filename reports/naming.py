"""What targets are called, everywhere alike. Pure."""

from collections import Counter

from bench.results.records import BrokerRecord
from bench.scenario.scenario import Target
from reports.dataset import Dataset
from reports.format import PROTOCOLS, Name


def names(data: Dataset) -> dict[str, Name]:
    """Return what each target is called, by its name in the scenario."""
    found = brokers(data)
    ways: Counter[tuple[str, str, str]] = Counter()
    unversioned: Counter[tuple[str, str]] = Counter()
    plain = {}
    for target in data.scenario.targets:
        broker = found.get(target.broker)
        product = broker.product if broker else target.broker
        version = broker.version if broker else "(never started)"
        way = PROTOCOLS[target.protocol]
        plain[target.name] = (product, version, way)
        ways[product, version, way] += 1
        unversioned[product, way] += 1
    labels = {}
    for target in data.scenario.targets:
        product, _, way = plain[target.name]
        known = data.products.get(target.broker)
        short = product if known is None or product != known.title else known.short
        labels[target.name] = target.label or _label(target, short, way, shared=unversioned[product, way] > 1)
    times = Counter(labels.values())
    return {
        target.name: Name(
            target=target.name,
            # A figure with two lines of one name would tell nothing.
            label=labels[target.name] if times[labels[target.name]] == 1 else target.name,
            product=plain[target.name][0],
            version=plain[target.name][1],
            way=plain[target.name][2] if ways[plain[target.name]] == 1 else target.label or target.name,
        )
        for target in data.scenario.targets
    }


def brokers(data: Dataset) -> dict[str, BrokerRecord]:
    """Return what each broker reported itself to be, by its name in the scenario."""
    return {record.broker.name: record.broker for record in data.records.values()}


def _label(target: Target, short: str, way: str, *, shared: bool) -> str:
    return target.name if shared else f"{short} {way}"
