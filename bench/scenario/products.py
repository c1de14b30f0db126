"""What the products and places of a scenario say: whether we start them, what they need, what goes into the record.

Asked once, when a run begins or an older record is read; reports read the record alone.
"""

from bench.results.durability import DurabilityClass
from bench.results.product_record import PlaceRecord, ProductRecord, QueueRecord
from bench.scenario.scenario import MemoryBroker, Scenario
from brokers.cpu_numbers import words
from brokers.product import Queue
from brokers.registry import places, product_of, products
from brokers.settings import BrokerSettings

_KEPT_NOWHERE = QueueRecord(kind="scripted", promises=DurabilityClass.NONE)
SCRIPTED = ProductRecord(
    kind="memory",
    title="scripted memory broker",
    short="scripted memory broker",
    package="busbench",
    started=False,
    transient=_KEPT_NOWHERE,
    durable=_KEPT_NOWHERE,
    place=PlaceRecord(name="in memory", caveats=("A real broker: rows of the memory broker are scripted.",)),
)
"""What is kept of a memory broker, which is no product."""


def starts(broker: BrokerSettings | MemoryBroker) -> bool:
    """Return whether we start a broker, and may start it anew; one in a place that is not installed counts as ours."""
    if isinstance(broker, MemoryBroker):
        return False
    found = places().installed.get(broker.place)
    return found is None or found.member.starts


def from_image(broker: BrokerSettings | MemoryBroker) -> bool:
    """Return whether a broker is started from an image."""
    if isinstance(broker, MemoryBroker):
        return False
    found = places().installed.get(broker.place)
    return found is not None and found.member.from_image


def describe(scenario: Scenario) -> dict[str, ProductRecord]:
    """Return what a record keeps of the product and the place of each broker, by the broker's name.

    A queue of a broker that someone else runs promises nothing that is known.

    Raises:
        LookupError: a product is not installed.
    """
    found = {}
    for broker in scenario.brokers:
        if isinstance(broker, MemoryBroker):
            found[broker.name] = SCRIPTED
            continue
        product = product_of(broker)
        transient, durable = (_queue(product.queue(broker, durable=durable), broker) for durable in (False, True))
        found[broker.name] = ProductRecord(
            kind=product.kind,
            title=product.title,
            short=product.short,
            package=products().installed[product.kind].package,
            started=starts(broker),
            transient=transient,
            durable=durable,
            caveats=product.caveats(broker),
            place=_place(broker),
        )
    return found


def _queue(found: Queue, broker: BrokerSettings) -> QueueRecord:
    if broker.external is not None and broker.external.queues:
        return QueueRecord(kind="named by the user", promises=None)
    return QueueRecord(kind=found.name, promises=found.promises if starts(broker) else None)


def _place(broker: BrokerSettings) -> PlaceRecord:
    installed = places().installed.get(broker.place)
    return PlaceRecord(
        name=broker.place,
        options=dict(broker.place_options),
        image=broker.image if from_image(broker) else None,
        caps={"memory cap": f"{int(broker.memory) // 1024**2} MiB", "CPUs": _cpus(broker)} if starts(broker) else {},
        caveats=() if installed is None else installed.member.caveats,
    )


def _cpus(broker: BrokerSettings) -> str:
    return f"{broker.cpu_count}, pinned to {words(broker.pinned)}" if broker.pinned else str(broker.cpu_count)


def parts(scenario: Scenario) -> tuple[str, ...]:
    """Return parts of the names of the packages that matter to the products of a scenario."""
    found = (product_of(broker).parts for broker in scenario.brokers if not isinstance(broker, MemoryBroker))
    return tuple(dict.fromkeys(part for product in found for part in product))
