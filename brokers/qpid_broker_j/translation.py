"""A topology in Broker-J's own words: attributes of its queues, which queue.declare takes as arguments. Pure.

Sources: https://qpid.apache.org/releases/qpid-broker-j-10.1.0/book/ (queues: overflow policy, message expiry, dead
letters), `QueueArgumentsConverter` of its sources, and what the broker does.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping

from brokers import topology
from brokers.endpoint import Protocol
from brokers.topology import Argument, DeclaredQueue, FlowNeeds, QueueKind, Topology

ALTERNATE = "alternateBinding"
"""Exchange or queue that gets what a queue hands on: what was refused, is too old, or was in it when it was deleted;
in JSON."""
RENAMED = {
    topology.TTL: "maximumMessageTtl",
    topology.MAX_LENGTH: "maximumQueueDepthMessages",
    topology.MAX_LENGTH_BYTES: "maximumQueueDepthBytes",
    topology.SINGLE_CONSUMER: topology.SINGLE_CONSUMER,
}
OVERFLOWS = {topology.DROP_HEAD: "RING", topology.REJECT_PUBLISH: "REJECT"}
PRIORITIES = 10
"""Where it has fewer, the lowest of them share one."""
REFUSED_ONCE: Mapping[str, Argument] = {"maximumDeliveryAttempts": 1}
"""Of every queue of a topology, and of those whose consumers reject: otherwise a message that is refused for good is
delivered again at once, for ever. Over 1.0 what a lost consumer held is gone with it."""
LIMITS = {topology.MAX_LENGTH, topology.MAX_LENGTH_BYTES}


def translated(whole: Topology) -> Topology:
    """Return a topology as it is declared, queues of dead letters first: they must be there, and go last.

    Who deletes a queue or an exchange that is the alternate of another ends this broker: it does not catch its own
    MessageDestinationIsAlternateException (10.1).
    """
    queues = (dataclasses.replace(one, kind=_translated(one)) for one in whole.dead_letters_first())
    return dataclasses.replace(whole, queues=tuple(queues))


def _translated(queue: DeclaredQueue) -> QueueKind:
    asked = queue.kind.arguments
    found = dict(REFUSED_ONCE)
    for name, value in asked.items():
        if name in RENAMED:
            found[RENAMED[name]] = value
        elif name not in topology.COMMON:
            found[name] = value
    if LIMITS & asked.keys():
        found["overflowPolicy"] = OVERFLOWS[str(asked.get(topology.OVERFLOW, topology.DROP_HEAD))]
    if topology.DEAD_LETTER_EXCHANGE in asked:
        to = queue.dead_letter_queue or asked[topology.DEAD_LETTER_EXCHANGE]
        found[ALTERNATE] = json.dumps({"destination": to})
        found["expiryPolicy"] = "ROUTE_TO_ALTERNATE"
    if topology.MAX_PRIORITY in asked:
        found["priorities"] = PRIORITIES
    return dataclasses.replace(queue.kind, arguments=found)


def faults(whole: Topology, protocol: Protocol) -> Iterator[str]:
    """Yield what Broker-J has not, or has otherwise over this protocol."""
    circles = set(whole.dead_letter_circles())
    for whose, queues in whole.alike():
        asked = queues[0].kind.arguments
        yield from (f"{whose}: {fault}" for fault in _queue_faults(asked, protocol))
        if any(one.name in circles for one in queues):
            yield (
                f"{whose}: {topology.DEAD_LETTER_KEY} = {asked[topology.DEAD_LETTER_KEY]!r}: dead letters would come"
                " back to the queue, and Broker-J deletes no queue that another hands dead letters to: end the circle"
            )
    yield from _durability_faults(whole)
    if protocol != "amqp10":
        return
    for exchange in whole.exchanges:
        if "/" in exchange.name:
            yield (
                f"exchange {exchange.name!r}: Broker-J parts an address of AMQP 1.0 at its `/`: choose a name without"
            )
    for binding in whole.bindings:
        for name, value in binding.arguments.items():
            if type(value) is int:
                yield (
                    f"binding of {binding.queue!r} to {binding.exchange!r}: {name} = {value}: over AMQP 1.0 Broker-J"
                    f" finds no whole number equal to that of a message, which has more bits: use text, {str(value)!r}"
                )


def flow_faults(needs: FlowNeeds, protocol: Protocol) -> Iterator[tuple[str, str]]:
    """Yield what a flow cannot ask of Broker-J over this protocol: the field, and what is wrong with it."""
    if needs.expiration_ms is not None and protocol == "amqp091":
        text = (
            f"{needs.expiration_ms}: over AMQP 0-9-1 Broker-J takes it for an instant, in milliseconds since 1970, so"
            f" that every message is too old at once: use {topology.TTL} of a queue, or AMQP 1.0"
        )
        yield "properties.expiration", text
    if needs.reply == "direct":
        yield "reply", "'direct': Broker-J knows no direct reply-to: use 'dynamic' or 'queue'"
    if needs.requeue and protocol == "amqp10":
        text = (
            f"{needs.requeue:g}: over AMQP 1.0 Broker-J takes what is given back (modified) for a failed delivery, of"
            " which its queues have one at most, so that the message is gone: leave it out, or consume over AMQP 0-9-1"
        )
        yield "requeue", text


def _durability_faults(whole: Topology) -> Iterator[str]:
    """Yield each durable queue whose dead letters go to what is not durable: Broker-J refuses it."""
    transient = {one.name for one in whole.exchanges if not one.durable}
    transient_queues = {one.name for one in whole.queues if not one.kind.durable}
    for whose, queues in whole.alike():
        kind = queues[0].kind
        exchange, key = kind.arguments.get(topology.DEAD_LETTER_EXCHANGE), queues[0].dead_letter_queue
        if kind.durable and (exchange in transient or key in transient_queues):
            yield (
                f"{whose}: durable = true: Broker-J lets it hand dead letters to what is durable alone: add durable ="
                f" true to {key or exchange!r}"
            )


def _queue_faults(asked: Mapping[str, Argument], protocol: Protocol) -> Iterator[str]:
    instead = f"use {topology.DEAD_LETTER_EXCHANGE}, so that queues are deleted in an order that Broker-J survives"
    reasons = {
        topology.QUEUE_TYPE: (
            "Broker-J has one type of queue: leave it out, and let a broker that has several choose by its own settings"
        ),
        topology.EXPIRES: "Broker-J deletes no queue for its age: leave it out, or use auto_delete = true",
        topology.DELIVERY_LIMIT: (
            "Broker-J does not count how often a message is given back, but only how often it is refused: leave it out"
        ),
        ALTERNATE: instead,
        "alternateExchange": instead,
    }
    for name in asked:
        if name in reasons:
            yield f"{name} = {asked[name]!r}: {reasons[name]}"
        elif name.startswith("x-") and not name.startswith("x-qpid-") and name not in topology.COMMON:
            yield f"{name} = {asked[name]!r}: Broker-J knows no such argument, and refuses the queue: leave it out"
    yield from _overflow_faults(asked, protocol)
    yield from _dead_letter_faults(asked)
    priorities = asked.get(topology.MAX_PRIORITY, 0)
    if isinstance(priorities, int) and priorities >= PRIORITIES:
        yield f"{topology.MAX_PRIORITY} = {priorities}: Broker-J has {PRIORITIES} priorities, from 0: use 9 at most"


def _overflow_faults(asked: Mapping[str, Argument], protocol: Protocol) -> Iterator[str]:
    if not LIMITS & asked.keys():
        return
    overflow = asked.get(topology.OVERFLOW, topology.DROP_HEAD)
    if overflow not in OVERFLOWS:
        yield f"{topology.OVERFLOW} = {overflow!r}: Broker-J has {', '.join(map(repr, OVERFLOWS))}: use one of them"
    elif overflow == topology.REJECT_PUBLISH and protocol == "amqp10":
        yield (
            f"{topology.OVERFLOW} = {overflow!r}: over AMQP 1.0 Broker-J ends the link of a sender to a full queue: use"
            f" {topology.DROP_HEAD!r}, or AMQP 0-9-1"
        )
    elif overflow == topology.DROP_HEAD and topology.DEAD_LETTER_EXCHANGE in asked:
        yield topology.DROPPED_ARE_NO_DEAD_LETTERS.format("Broker-J", asked[topology.DEAD_LETTER_EXCHANGE])


def _dead_letter_faults(asked: Mapping[str, Argument]) -> Iterator[str]:
    exchange, key = asked.get(topology.DEAD_LETTER_EXCHANGE), asked.get(topology.DEAD_LETTER_KEY)
    if exchange == "" and key is None:
        yield topology.DEAD_LETTER_WITHOUT_KEY
    elif exchange and key is not None:
        yield (
            f"{topology.DEAD_LETTER_KEY} = {key!r}: dead letters keep their key on Broker-J: leave it out, or use"
            f' {topology.DEAD_LETTER_EXCHANGE} = "" with the name of a queue'
        )
