"""Laying a workload out: the names on the broker, what is declared, each flow's route and who is owed what. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bench.arrivals import keys as arrivals
from bench.arrivals.keys import Int64
from bench.results.base import Record
from bench.scenario.flow import FlowFields
from bench.scenario.topology import NUMBER, QueueSettings, TopologySettings
from bench.topology.matching import owed
from brokers.topology import Argument, Binding, DeclaredQueue, Exchange, QueueKind, Topology

DEAD_LETTERS = ("x-dead-letter-exchange", "x-dead-letter-routing-key")
"""Arguments of queues that name an exchange and a key, by their names in the scenario."""
RULES = {"x-message-ttl", "x-max-length", "x-max-length-bytes", "x-delivery-limit", "x-expires"}
"""Arguments of queues by which messages end."""
BROKERS_OWN = "amq."
"""What the names of exchanges begin with that a broker has of itself."""
_MOST_MATCHES = 5_000_000
_MOST_PAIRS = 2_000_000


class TopologyError(Exception):
    """A workload cannot be laid out; `faults` says why, a sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep the faults."""
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class FlowRoute(Record):
    """One flow as its workers and the ledger need it; names are those on the broker.

    Attributes:
        first_producer: number of its first producer in the whole trial.
        exchange: where producers publish.
        keys: routing keys.
        choice: which of them a message has, see `bench.arrivals.keys`.
        queues: those that its consumers use.
        owed: by key, which of `queues` get a copy.
        columns: by queue, in which column of the ledger its messages are.
        used_by: by kind of consumer, which of `queues` it uses.
        replies: by requester, the queue of its replies; empty where there is no queue for them.
        exclusive: those of `queues` that consumers declare themselves.
        nowhere: those of `keys`, by their place, that no queue is bound to.
    """

    name: str
    first_producer: int = 0
    exchange: str = ""
    keys: tuple[str, ...]
    choice: tuple[int, ...]
    queues: tuple[str, ...]
    owed: tuple[tuple[int, ...], ...]
    columns: tuple[int, ...]
    used_by: tuple[tuple[int, ...], ...]
    replies: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    nowhere: tuple[int, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether each producer has a queue of the default exchange."""
        return not self.exchange and self.choice[0] == arrivals.BY_PRODUCER and self.keys == self.queues

    @cached_property
    def choosing(self) -> Int64:
        """The choice as kernels take it."""
        return np.array(self.choice, np.int64)

    @cached_property
    def copies(self) -> Int64:
        """Copies owed of a message with each key, int64."""
        return np.array([len(queues) for queues in self.owed], np.int64)

    @property
    def uniform(self) -> int | None:
        """Copies owed of every message; None where that depends on its key."""
        first = int(self.copies[0])
        return first if (self.copies == first).all() else None

    @cached_property
    def mean_copies(self) -> float:
        """Copies owed of a message, on average."""
        if self.choice[0] != arrivals.DRAWN:
            return float(self.copies.mean())
        shares = np.diff(np.array([0, *self.choice[3:]], np.float64)) / self.choice[-1]
        return float((self.copies * shares).sum())

    @property
    def column_count(self) -> int:
        """Columns of the ledger; at least one."""
        return max(self.columns, default=0) + 1

    def owed_by_column(self) -> Int64:
        """Return whether a message is owed to a queue of a column, int64 (columns, keys) of 0 and 1."""
        owed = np.zeros((self.column_count, len(self.keys)), np.int64)
        for key, queues in enumerate(self.owed):
            owed[[self.columns[queue] for queue in queues], key] = 1
        return owed


@dataclass(frozen=True)
class Layout:
    """A workload as it is laid out on a broker.

    Attributes:
        plain: queues of the broker's own kind for such a workload, by name, with whether they are durable.
        declared: everything else.
        flows: each flow's route.
        dead: queues to which messages are dead-lettered and that nobody consumes.
        rules: queues that may end messages by a rule, of which no dead letters tell.
    """

    plain: Mapping[str, bool]
    declared: Topology
    flows: tuple[FlowRoute, ...]
    dead: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def told(self, kind: Callable[[bool], QueueKind]) -> tuple[Mapping[str, bool], Topology]:
        """Return what a broker is told: queues of its own kind by themselves, and the rest.

        Args:
            kind: what its own queues are declared as, durable or not; queues with bindings are told with these, and
                of the arguments of others those that are not given.
        """
        bound = {one.queue for one in self.declared.bindings}
        own = [DeclaredQueue(name, kind(durable)) for name, durable in self.plain.items() if name in bound]
        asked = [_completed(one, kind(one.kind.durable)) for one in self.declared.queues]
        alone = {name: durable for name, durable in self.plain.items() if name not in bound}
        return alone, replace(self.declared, queues=(*own, *asked))

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that consumers use, whose messages can be counted."""
        exclusive = {queue for flow in self.flows for queue in flow.exclusive}
        names = (queue for flow in self.flows for queue in flow.queues if queue not in exclusive)
        return tuple(dict.fromkeys(names))

    def early_ends(self, route: FlowRoute, most: int, flow: FlowFields) -> Iterator[str]:
        """Yield how messages of a flow end on the broker though at most so many are on their way at once.

        Of a flow of calls that is no matter: a call that nobody answers times out.
        """
        if flow.pattern == "rpc":
            return
        if flow.properties.expiration is not None:
            yield "messages expire (properties.expiration)"
        asked = [one.kind.arguments for one in self.declared.queues if one.name in route.queues]
        if any("x-message-ttl" in one for one in asked):
            yield "messages expire (x-message-ttl)"
        for name, held in (("x-max-length", most), ("x-max-length-bytes", most * flow.size)):
            bounds = [one[name] for one in asked if one.get("x-overflow", "drop-head") == "drop-head" and name in one]
            least = min((bound for bound in bounds if isinstance(bound, int)), default=held)
            if least < held:
                yield f"queues drop what is beyond {name} = {least}"


def _completed(queue: DeclaredQueue, kind: QueueKind) -> DeclaredQueue:
    """Return a queue with the arguments that it would have by itself, but for those that are asked for."""
    asked = queue.kind
    # What only its consumer can declare, or goes with it, is a queue of the simplest kind.
    usual = {} if asked.exclusive or asked.auto_delete else dict(kind.arguments)
    durable = asked.durable or (kind.durable and not asked.exclusive and "x-queue-type" not in asked.arguments)
    return replace(queue, kind=replace(asked, durable=durable, arguments=usual | dict(asked.arguments)))


def plain_queues(flows: Sequence[FlowFields], topology: TopologySettings | None) -> int:
    """Return how many queues of the broker's own kind a workload needs."""
    return sum(flow.queues for flow in flows if _is_plain(flow, topology))


def _is_plain(flow: FlowFields, topology: TopologySettings | None) -> bool:
    if flow.pattern in ("fanout", "topic") or flow.exchange or flow.keys is not None:
        return False
    return topology is None or not flow.consume


def lay_out(
    flows: Sequence[FlowFields], topology: TopologySettings | None, prefix: str, plain: Sequence[str], seed: int
) -> Layout:
    """Lay a workload out.

    Args:
        flows: of the workload.
        topology: of the workload.
        prefix: of every name that is declared.
        plain: names of as many queues as `plain_queues` says.
        seed: of keys that are drawn.

    Raises:
        TopologyError: the parts do not fit.
    """
    durable = any(flow.durable for flow in flows)
    built = _Builder(topology or TopologySettings(), prefix, seed, durable=durable, several=len(flows) > 1)
    routes, taken, first = [], 0, 0
    for flow in flows:
        own: Sequence[str] = ()
        if _is_plain(flow, topology):
            own, taken = plain[taken : taken + flow.queues], taken + flow.queues
        route = built.route(flow, own)
        if route is not None:
            routes.append(route.model_copy(update={"first_producer": first}))
        first += flow.producers
    built.shared(routes)
    if built.faults:
        raise TopologyError(tuple(dict.fromkeys(built.faults)))
    return built.layout(routes)


class _Builder:
    """Gathers what flows need, and what is wrong with it."""

    def __init__(self, topology: TopologySettings, prefix: str, seed: int, *, durable: bool, several: bool) -> None:
        self._topology, self._prefix, self._seed, self._several = topology, prefix, seed, several
        self.faults: list[str] = []
        self._half_bound: set[str] = set()
        """Exchanges with a binding that is at fault: which keys they take is not known."""
        self._plain: dict[str, bool] = {}
        self._expiring: set[str] = set()
        self._durable = durable
        self._exchanges = {
            one.name: Exchange(self._name(one.name), one.type, one.durable) for one in topology.exchanges
        }
        self._groups = {one.name: tuple(self._numbered(one)) for one in topology.queues}
        self._queues = {name: one for one in topology.queues for name in self._groups[one.name]}
        self._keys_at: dict[str, dict[str, Mapping[str, Argument]]] = {
            name: {} for name, one in self._queues.items() if DEAD_LETTERS[0] in one.arguments
        }
        self._bindings: list[Binding] = []
        for where, names in (
            ("topology.exchanges", [one.name for one in topology.exchanges]),
            ("topology.queues", [one.name for one in topology.queues]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            self.faults += [f"{where}: {name!r} occurs twice: names must differ" for name in twice]
        self._bind()
        self._check_dead_letters()

    def _name(self, name: str) -> str:
        return f"{self._prefix}-{name}" if self._prefix else name

    def _fault(self, flow: FlowFields, text: str) -> None:
        self.faults.append(f"flow {flow.name!r}: {text}" if self._several else text)

    def _numbered(self, one: QueueSettings) -> Iterator[str]:
        name = self._name(one.name)
        yield from (name,) if one.count == 1 else (f"{name}-{number}" for number in range(one.count))

    def _bind(self) -> None:
        for place, one in enumerate(self._topology.bindings):
            where = f"topology.bindings.{place}"
            queues = self._groups.get(one.queue)
            if queues is None:
                self.faults.append(f"{where}.queue = {one.queue!r}: {_choose(self._groups, 'topology.queues')}")
            if one.exchange not in self._exchanges:
                self.faults.append(
                    f"{where}.exchange = {one.exchange!r}: {_choose(self._exchanges, 'topology.exchanges')}"
                )
            if queues is None or one.exchange not in self._exchanges:
                self._half_bound.add(one.exchange)
                continue
            count = len(queues) if one.count is None else one.count
            if one.count is not None and one.count > 1 and NUMBER not in one.key:
                self._half_bound.add(one.exchange)
                self.faults.append(
                    f"{where}.key = {one.key!r}: of {count} bindings each needs its number: write {{n}} into it"
                )
            exchange = self._exchanges[one.exchange].name
            for number in range(count):
                key = one.key.replace(NUMBER, str(number))
                self._bindings.append(Binding(exchange, queues[number % len(queues)], key, dict(one.arguments)))

    def _check_dead_letters(self) -> None:
        """Note dead letters that go nowhere: a broker drops them without a word."""
        for place, one in enumerate(self._topology.queues):
            where, exchange = f"topology.queues.{place}.arguments", one.arguments.get(DEAD_LETTERS[0])
            if not isinstance(exchange, str):
                continue  # what it must be is for the product to say
            key = one.arguments.get(DEAD_LETTERS[1])
            if exchange not in self._exchanges and exchange and not exchange.startswith(BROKERS_OWN):
                choice = _choose(self._exchanges, "topology.exchanges")
                self.faults.append(f"{where}.{DEAD_LETTERS[0]} = {exchange!r}: {choice}, or '' (the default exchange)")
            elif not exchange and isinstance(key, str) and key not in {*self._groups, *map(self._short, self._queues)}:
                self.faults.append(f"{where}.{DEAD_LETTERS[1]} = {key!r}: {_choose(self._groups, 'topology.queues')}")

    def _short(self, name: str) -> str:
        """Return a name on the broker as the scenario has it."""
        return name.removeprefix(f"{self._prefix}-")

    def route(self, flow: FlowFields, plain: Sequence[str]) -> FlowRoute | None:
        """Return the route of a flow, whose first producer is number 0; None where it has faults."""
        if flow.pattern in ("fanout", "topic"):
            return self._pattern(flow)
        if _is_plain(flow, self._topology if self._groups else None):
            self._plain |= dict.fromkeys(plain, flow.durable)
            keys = tuple(plain)
            return self._finish(flow, "", keys, arrivals.by_producer(len(keys)), [(key,) for key in keys], keys)
        return self._by_exchange(flow) if flow.exchange else self._by_name(flow)

    def _by_exchange(self, flow: FlowFields) -> FlowRoute | None:
        exchange, keys = self._exchanges.get(flow.exchange), self._keys(flow)
        if exchange is None:
            self._fault(flow, f"exchange = {flow.exchange!r}: {_choose(self._exchanges, 'topology.exchanges')}")
            return None
        bindings = [one for one in self._bindings if one.exchange == exchange.name]
        if len(bindings) * len(keys) > _MOST_MATCHES and exchange.type == "topic":
            self._fault(flow, f"keys: {len(keys)} keys and {len(bindings)} bindings are too many to match: use fewer")
            return None
        found = owed(exchange.type, bindings, keys, flow.properties.headers)
        return self._finish(flow, exchange.name, keys, self._choice(flow, len(keys)), found, None)

    def _by_name(self, flow: FlowFields) -> FlowRoute | None:
        """Return the route by the default exchange, where a key is the name of a queue."""
        keys, names = self._keys(flow), {self._short(name): name for name in self._queues}
        missing = [key for key in keys if key not in names]
        if missing:
            self._fault(
                flow,
                f"keys: {missing[0]!r} names no queue, as keys of the default exchange do:"
                f" {_choose(names, 'topology.queues')}, or name an `exchange`",
            )
            return None
        own = tuple(names[key] for key in keys)
        return self._finish(flow, "", own, self._choice(flow, len(keys)), [(name,) for name in own], None)

    def _pattern(self, flow: FlowFields) -> FlowRoute | None:
        exchange = Exchange(self._name(flow.name), "fanout" if flow.pattern == "fanout" else "topic")
        self._exchanges[f"{flow.pattern} {flow.name}"] = exchange
        queues = tuple(self._name(f"{flow.name}-{number}") for number in range(flow.queues))
        self._plain |= dict.fromkeys(queues, flow.durable)
        if flow.pattern == "fanout":
            keys: tuple[str, ...] = self._keys(flow) if flow.keys else ("",)
            bindings = [Binding(exchange.name, queue) for queue in queues]
        else:
            keys = self._keys(flow) if flow.keys else tuple(f"key.{number}" for number in range(flow.queues))
            bindings = [Binding(exchange.name, queues[n % len(queues)], key) for n, key in enumerate(keys)]
        self._bindings += bindings
        found = owed(exchange.type, bindings, keys, {})
        return self._finish(flow, exchange.name, keys, self._choice(flow, len(keys)), found, queues)

    def _keys(self, flow: FlowFields) -> tuple[str, ...]:
        return ("",) if flow.keys is None else flow.keys.texts

    def _choice(self, flow: FlowFields, count: int) -> Int64:
        keys = flow.keys
        if keys is None or keys.order == "round-robin":
            return arrivals.in_turn(count)
        if keys.order == "by-producer":
            return arrivals.by_producer(count)
        weights = keys.weights if keys.order == "weights" else arrivals.zipf(count, keys.exponent)
        return arrivals.drawn(weights, self._seed)

    def _finish(
        self,
        flow: FlowFields,
        exchange: str,
        keys: tuple[str, ...],
        choice: Int64,
        found: Sequence[tuple[str, ...]],
        queues: tuple[str, ...] | None,
    ) -> FlowRoute | None:
        """Return the route of a flow whose keys are owed to the queues of `found`, of which consumers use some."""
        reached = tuple(dict.fromkeys(name for names in found for name in names)) if queues is None else queues
        if not reached:
            if flow.exchange not in self._half_bound:
                self._fault(
                    flow, f"exchange = {flow.exchange!r}: no binding takes one of its keys ({keys[0]!r}): add one"
                )
            return None
        # Of a pattern the flow itself tells: `queues` of too few consumers.
        by_kind = self._used_by(flow, reached, told=queues is not None and not flow.groups)
        if by_kind is None:
            return None
        used: dict[str, int] = {}
        used_by = [tuple(used.setdefault(name, len(used)) for name in names) for names in by_kind]
        mine = [tuple(used[name] for name in names if name in used) for names in found]
        if used and not any(mine):
            self.faults.append(f"consume: the queues that consumers of flow {flow.name!r} use get none of its messages")
        if sum(len(names) for names in mine) > _MOST_PAIRS:
            self._fault(flow, f"keys: {len(keys)} keys to {len(used)} queues are too many copies to follow: use fewer")
            return None
        if flow.pattern == "rpc":  # what is owed is a reply, to its requester
            if any(len(names) != 1 for names in mine):
                self._fault(flow, "keys: a call goes to no queue, or to several: let one binding take each key")
            mine = [(0,)] * len(keys)
        self._note_ends(flow, keys, found, used)
        replies: tuple[str, ...] = ()
        if flow.pattern == "rpc" and flow.reply == "queue":
            replies = tuple(self._name(f"{flow.name}-reply-{number}") for number in range(flow.producers))
            self._plain |= dict.fromkeys(replies, False)
        return FlowRoute(
            name=flow.name,
            exchange=exchange,
            keys=keys,
            choice=tuple(choice.tolist()),
            queues=tuple(used),
            owed=tuple(mine),
            columns=(0,) * len(used) if flow.pattern == "rpc" else _columns(mine, len(used)),
            used_by=tuple(used_by),
            replies=replies,
            exclusive=tuple(name for name in used if name in self._queues and self._queues[name].exclusive),
            nowhere=tuple(number for number, names in enumerate(found) if not names),
        )

    def _used_by(self, flow: FlowFields, reached: tuple[str, ...], *, told: bool) -> list[tuple[str, ...]] | None:
        """Return the queues that each kind of consumers uses; None where one names none that there is.

        That a kind has too few consumers is `told` elsewhere, or here.
        """
        found = []
        for kind in flow.kinds:
            names = self._used(kind, reached)
            if names is None:
                return None
            if len(names) > kind.consumers and not told:
                each = " of each kind" if flow.groups else ""
                fewer = "use fewer queues" if kind.consume else "let `consume` name those that are used"
                self._fault(
                    flow,
                    f"consumers = {kind.consumers}: {len(names)} queues get messages, and each needs a consumer{each}:"
                    f" use {len(names)} or more (lanes_per_connection lets them share connections), or {fewer}",
                )
            found.append(names)
        return found

    def _note_ends(
        self, flow: FlowFields, keys: Sequence[str], found: Sequence[tuple[str, ...]], used: Iterable[str]
    ) -> None:
        """Note what tells how messages of a flow may end in their queues."""
        for key, names in zip(keys, found, strict=True):
            for name in self._keys_at.keys() & names:
                self._keys_at[name][key] = flow.properties.headers
        if flow.properties.expiration is not None:
            self._expiring |= {*used}

    def _used(self, kind: FlowFields, reached: tuple[str, ...]) -> tuple[str, ...] | None:
        if not kind.consume:
            return reached
        names = self._groups.get(kind.consume)
        if names is None:
            self._fault(kind, f"consume = {kind.consume!r}: {_choose(self._groups, 'topology.queues')}")
        return names

    def shared(self, routes: Sequence[FlowRoute]) -> None:
        """Note queues that two flows use, where nobody could say whose messages are whose; and names of two things."""
        for what, names in (
            ("queues", [*self._plain, *(name for group in self._groups.values() for name in group)]),
            ("exchanges", [one.name for one in self._exchanges.values()]),
        ):
            self.faults += [
                f"topology.{what}: two {what} would be called {name.removeprefix(f'{self._prefix}-')!r}, by names of"
                " flows and numbers of queues: choose another name"
                for name, times in Counter(names).items()
                if times > 1
            ]
        owner: dict[str, str] = {}
        twice: dict[tuple[str, str], list[str]] = {}
        for route in routes:
            for queue in route.queues:
                other = owner.setdefault(queue, route.name)
                if other != route.name:
                    twice.setdefault((other, route.name), []).append(self._short(queue))
        for (one, other), queues in twice.items():
            more = f" and {len(queues) - 1} more" if len(queues) > 1 else ""
            self.faults.append(
                f"flows {one!r} and {other!r} both use queue {queues[0]!r}{more}: give each flow queues of its own, by"
                " keys and bindings that differ, as nobody could tell whose message is whose"
            )

    def layout(self, routes: Sequence[FlowRoute]) -> Layout:
        """Return the whole."""
        declared, rules, dead = [], [], []
        by_name = {one.name: self._exchanges[one.name] for one in self._topology.exchanges}
        used = {queue for route in routes for queue in route.queues}
        for name, one in self._queues.items():
            arguments = {key: self._own(key, value, by_name) for key, value in one.arguments.items()}
            kind = QueueKind(
                self._durable if one.durable is None else one.durable, arguments, one.exclusive, one.auto_delete
            )
            declared.append(DeclaredQueue(name, kind))
            letters = list(self._dead(name, arguments))
            dead += [queue for queues in letters for queue in queues]
            told = letters and all(set(queues) - used for queues in letters)
            if (RULES & set(one.arguments) or name in self._expiring) and not told:
                rules.append(name)
        return Layout(
            plain=self._plain,
            declared=Topology(tuple(self._exchanges.values()), tuple(declared), tuple(self._bindings)),
            flows=tuple(routes),
            dead=tuple(name for name in dict.fromkeys(dead) if name not in used),
            rules=(*rules, *(name for name in self._plain if name in self._expiring)),
        )

    def _own(self, argument: str, value: Argument, exchanges: Mapping[str, Exchange]) -> Argument:
        """Return an argument with names of this topology as they are on the broker."""
        if argument == DEAD_LETTERS[0] and value in exchanges:
            return exchanges[str(value)].name
        if argument == DEAD_LETTERS[1] and value in self._groups:
            return self._groups[str(value)][0]
        return value

    def _dead(self, name: str, arguments: Mapping[str, Argument]) -> Iterator[tuple[str, ...]]:
        """Yield, for each key that a queue's messages have, the queues to which their dead letters go."""
        exchange, instead = arguments.get(DEAD_LETTERS[0]), arguments.get(DEAD_LETTERS[1])
        kind = next((one.type for one in self._exchanges.values() if one.name == exchange), None)
        bindings = [one for one in self._bindings if one.exchange == exchange]
        for key, headers in self._keys_at.get(name, {}).items():
            sent = key if instead is None else str(instead)
            if kind is None:  # by the default exchange, or by one that nobody declared
                yield (sent,) if exchange == "" and sent in self._queues else ()
            else:
                yield owed(kind, bindings, (sent,), headers)[0]


def _columns(owed_to: Sequence[tuple[int, ...]], queues: int) -> tuple[int, ...]:
    """Return a column for each queue, so that no message is owed to two queues of one; few, not always the fewest."""
    keys_of: list[list[int]] = [[] for _ in range(queues)]
    distinct = dict.fromkeys(owed_to)  # keys with the same queues forbid the same
    for key, names in enumerate(distinct):
        for queue in names:
            keys_of[queue].append(key)
    columns = [-1] * queues
    taken = [0] * len(distinct)  # a bit for each column
    for queue in range(queues):
        forbidden = 0
        for key in keys_of[queue]:
            forbidden |= taken[key]
        columns[queue] = (~forbidden & (forbidden + 1)).bit_length() - 1
        for key in keys_of[queue]:
            taken[key] |= 1 << columns[queue]
    return tuple(columns)


def _choose(known: Mapping[str, object], where: str) -> str:
    return f"choose one of {', '.join(known)} ({where})" if known else f"add it to {where}"
