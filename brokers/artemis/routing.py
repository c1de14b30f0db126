"""A topology in Artemis's own words: addresses, their settings, and queues at them. Pure.

An exchange is an address of routing type MULTICAST, and a queue that is bound to it lies at that address (fanout,
headers, by a filter) or at one below it, `exchange.key` (direct, topic): Artemis reads `*` and `#` in an address as
AMQP 0-9-1 does in a pattern. So a queue has one binding at most, and is consumed as `address::queue`. A queue without
a binding has an address of its own, of its name and of routing type ANYCAST.

Age, dead letters and limits are settings of addresses, which all queues of an exchange share.
Sources: https://artemis.apache.org/components/artemis/documentation/2.44.0/ (address model, address settings, wildcard
syntax, ring queues, filter expressions), and what the broker does.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from brokers import topology
from brokers.topology import Argument, Binding, DeclaredQueue, Topology

OWN = frozenset(
    {
        *("max-consumers", "exclusive", "group-rebalance", "group-rebalance-pause-dispatch", "group-buckets"),
        *("group-first-key", "last-value", "last-value-key", "non-destructive", "purge-on-no-consumers"),
        *("consumers-before-dispatch", "delay-before-dispatch", "consumer-priority", "auto-delete-delay"),
        *("auto-delete-message-count", "ring-size", "filter-string"),
    }
)
"""Arguments that its queues know under these names."""
MOST_PRIORITIES = 9
SHARED = (
    *(topology.TTL, topology.DEAD_LETTER_EXCHANGE, topology.DEAD_LETTER_KEY, topology.DELIVERY_LIMIT),
    topology.OVERFLOW,
)
"""Arguments that are settings of an address."""
WILDCARDS = ("*", "#")
MATCH = "x-match"


def queue_configurations(whole: Topology) -> Iterator[dict[str, Any]]:
    """Yield how each queue is created (`createQueue`)."""
    bindings, types = _bindings(whole), _types(whole)
    for queue in whole.queues:
        asked, own = queue.kind.arguments, dict[str, Any]()
        for name, value in asked.items():
            if name in OWN:
                own[name] = value
        if _drops(asked):
            own["ring-size"] = asked[topology.MAX_LENGTH]
        if asked.get(topology.SINGLE_CONSUMER):
            own["exclusive"] = True
        binding = bindings.get(queue.name)
        if binding is not None and types.get(binding.exchange) == "headers" and binding.arguments:
            own["filter-string"] = _filter(binding.arguments)
        yield {
            **own,
            "name": queue.name,
            "address": queue.name if binding is None else _address(binding, types),
            "routing-type": "ANYCAST" if binding is None else "MULTICAST",
            "durable": queue.kind.durable,
            "auto-delete": queue.kind.auto_delete,
            "auto-create-address": True,
        }


def address_settings(whole: Topology) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield addresses, as a pattern, and the settings that they get (`addAddressSettings`)."""
    bindings, types = _bindings(whole), _types(whole)
    at: dict[str, DeclaredQueue] = {}
    for queue in whole.queues:
        if (binding := bindings.get(queue.name)) is not None:
            at.setdefault(binding.exchange, queue)
        elif found := _settings(queue, types):
            yield queue.name, found
    for exchange in whole.exchanges:
        # What no queue is bound for is taken and dropped, as on other brokers.
        routing = {
            "autoCreateAddresses": True,
            "defaultAddressRoutingType": "MULTICAST",
            "defaultQueueRoutingType": "MULTICAST",
        }
        shared = _settings(at[exchange.name], types) if exchange.name in at else {}
        yield below(exchange.name), routing | shared


def below(exchange: str) -> str:
    """Return the pattern of all addresses of an exchange, its own among them."""
    return f"{exchange}.#"


def sources(whole: Topology) -> dict[str, str]:
    """Return the address of each queue that lies at an exchange."""
    types = _types(whole)
    return {name: f"{_address(one, types)}::{name}" for name, one in _bindings(whole).items()}


def faults(whole: Topology) -> Iterator[str]:
    """Yield what Artemis has not."""
    types = _types(whole)
    bound = defaultdict[str, list[Binding]](list)
    for binding in whole.bindings:
        bound[binding.queue].append(binding)
        yield from _binding_faults(binding, types)
    many = {name: len(several) for name, several in bound.items() if len(several) > 1}
    if many:
        name, number = next(iter(many.items()))
        more = f" and {len(many) - 1} more" if len(many) > 1 else ""
        yield (
            f"queue {name!r}{more}: {number} bindings: a queue of Artemis lies at one address: declare a queue for"
            " each binding, or let `only` of the workload leave Artemis out"
        )
    for whose, queues in whole.alike():
        yield from (f"{whose}: {fault}" for fault in _queue_faults(queues, bound, types))
    yield from _differences(whole, bound)


def _differences(whole: Topology, bound: Mapping[str, list[Binding]]) -> Iterator[str]:
    """Yield where queues of one exchange ask for different settings of its addresses."""
    first: dict[str, DeclaredQueue] = {}
    told: set[tuple[str, str]] = set()
    for queue in whole.queues:
        for binding in bound.get(queue.name, ())[:1]:
            other = first.setdefault(binding.exchange, queue)
            for name in SHARED:
                here, there = queue.kind.arguments.get(name), other.kind.arguments.get(name)
                if here != there and (binding.exchange, name) not in told:
                    told.add((binding.exchange, name))
                    yield (
                        f"queue {queue.name!r}: {name} = {here!r}, and {there!r} of {other.name!r}: queues that are"
                        f" bound to one exchange ({binding.exchange!r}) share it on Artemis: give them the same, or"
                        " exchanges of their own"
                    )


def _bindings(whole: Topology) -> dict[str, Binding]:
    """Return the one binding of each queue that has one."""
    return {one.queue: one for one in whole.bindings}


def _types(whole: Topology) -> dict[str, str]:
    return {one.name: one.type for one in whole.exchanges}


def _address(binding: Binding, types: Mapping[str, str]) -> str:
    keyed = binding.key and types.get(binding.exchange) in ("direct", "topic")
    return f"{binding.exchange}.{binding.key}" if keyed else binding.exchange


def _filter(arguments: Mapping[str, Argument]) -> str:
    """Return the filter that finds the headers of a binding."""
    joined = " OR " if arguments.get(MATCH) == "any" else " AND "
    return joined.join(f"{name} = {_literal(value)}" for name, value in arguments.items() if name != MATCH)


def _literal(value: Argument) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).upper() if isinstance(value, bool) else str(value)


def _drops(asked: Mapping[str, Argument]) -> bool:
    return topology.MAX_LENGTH in asked and asked.get(topology.OVERFLOW, topology.DROP_HEAD) == topology.DROP_HEAD


def _settings(queue: DeclaredQueue, types: Mapping[str, str]) -> dict[str, Any]:
    asked, found = queue.kind.arguments, dict[str, Any]()
    if topology.TTL in asked:
        found["expiryDelay"] = asked[topology.TTL]
    if topology.DELIVERY_LIMIT in asked:
        found["maxDeliveryAttempts"] = int(asked[topology.DELIVERY_LIMIT]) + 1
    if asked.get(topology.OVERFLOW) == topology.REJECT_PUBLISH:
        found |= {"maxSizeMessages": asked[topology.MAX_LENGTH], "addressFullMessagePolicy": "FAIL"}
    if topology.DEAD_LETTER_EXCHANGE in asked:
        exchange, key = str(asked[topology.DEAD_LETTER_EXCHANGE]), str(asked.get(topology.DEAD_LETTER_KEY, ""))
        to = _address(Binding(exchange, queue.name, key), types) if exchange else key
        found |= {"deadLetterAddress": to, "expiryAddress": to}
    return found


def _binding_faults(binding: Binding, types: Mapping[str, str]) -> Iterator[str]:
    whose = f"binding of {binding.queue!r} to {binding.exchange!r}"
    if types.get(binding.exchange) == "direct" and any(one in WILDCARDS for one in binding.key.split(".")):
        yield (
            f"{whose}: key = {binding.key!r}: Artemis reads `*` and `#` between dots as a pattern: use another key, or"
            " type = 'topic'"
        )
    if types.get(binding.exchange) == "headers":
        for name in binding.arguments:
            if name != MATCH and not name.isidentifier():
                yield (
                    f"{whose}: header {name!r}: a filter of Artemis names headers by letters, digits and `_`: use no"
                    " others"
                )


def _queue_faults(
    queues: tuple[DeclaredQueue, ...], bound: Mapping[str, list[Binding]], types: Mapping[str, str]
) -> Iterator[str]:
    asked = queues[0].kind.arguments
    reasons = {
        topology.QUEUE_TYPE: (
            "Artemis has one type of queue: leave it out, and let a broker that has several choose by its own settings"
        ),
        topology.EXPIRES: "Artemis deletes no queue for its age: leave it out, or use auto_delete = true",
        topology.MAX_LENGTH_BYTES: f"Artemis bounds a queue by messages: use {topology.MAX_LENGTH}",
    }
    for name, value in asked.items():
        if name in reasons:
            yield f"{name} = {value!r}: {reasons[name]}"
        elif name not in OWN | topology.COMMON:
            yield f"{name} = {value!r}: a queue of Artemis knows {', '.join(sorted(OWN))}: use one of them"
    priorities = asked.get(topology.MAX_PRIORITY, 0)
    if isinstance(priorities, int) and priorities > MOST_PRIORITIES:
        yield f"{topology.MAX_PRIORITY} = {priorities}: Artemis has priorities from 0 to 9: use 9 at most"
    yield from _overflow_faults(asked, any(one.name in bound for one in queues))
    yield from _dead_letter_faults(asked, bound, types)


def _overflow_faults(asked: Mapping[str, Argument], bound: bool) -> Iterator[str]:  # noqa: FBT001
    overflow = asked.get(topology.OVERFLOW, topology.DROP_HEAD)
    if overflow not in (topology.DROP_HEAD, topology.REJECT_PUBLISH):
        yield f"{topology.OVERFLOW} = {overflow!r}: Artemis has 'drop-head' and 'reject-publish': use one of them"
    elif overflow == topology.REJECT_PUBLISH and bound:
        yield (
            f"{topology.OVERFLOW} = {overflow!r}: Artemis refuses messages by address, for all queues of an exchange:"
            f" use {topology.DROP_HEAD!r}, or a queue without a binding"
        )
    elif overflow == topology.REJECT_PUBLISH and topology.MAX_LENGTH not in asked:
        yield f"{topology.OVERFLOW} = {overflow!r}: Artemis bounds a queue by messages: add {topology.MAX_LENGTH}"
    elif _drops(asked) and topology.DEAD_LETTER_EXCHANGE in asked:
        yield topology.DROPPED_ARE_NO_DEAD_LETTERS.format("Artemis", asked[topology.DEAD_LETTER_EXCHANGE])


def _dead_letter_faults(
    asked: Mapping[str, Argument], bound: Mapping[str, list[Binding]], types: Mapping[str, str]
) -> Iterator[str]:
    if topology.DEAD_LETTER_EXCHANGE not in asked:
        return
    exchange, key = str(asked[topology.DEAD_LETTER_EXCHANGE]), asked.get(topology.DEAD_LETTER_KEY)
    if not exchange and key is None:
        yield topology.DEAD_LETTER_WITHOUT_KEY
    elif not exchange and key in bound:
        yield (
            f"{topology.DEAD_LETTER_KEY} = {key!r}: that queue is bound to an exchange, and Artemis sends dead letters"
            " to addresses: use that exchange, or a queue without a binding"
        )
    elif exchange and exchange not in types:
        yield f"{topology.DEAD_LETTER_EXCHANGE} = {exchange!r}: the topology has no such exchange: add it"
    elif exchange and types.get(exchange) in ("direct", "topic") and key is None:
        yield (
            f"{topology.DEAD_LETTER_EXCHANGE} = {exchange!r}: dead letters lose their key on Artemis: add"
            f" {topology.DEAD_LETTER_KEY}, or use an exchange of type 'fanout'"
        )
