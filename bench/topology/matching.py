"""Which queues a key is owed to: the rules of AMQP 0-9-1 (3.1.3), for the four types of exchange. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise, takewhile

from brokers.topology import Argument, Binding, ExchangeType

_MATCH = "x-match"
_WILDCARDS = {"*", "#"}


def owed(
    kind: ExchangeType, bindings: Sequence[Binding], keys: Sequence[str], headers: Mapping[str, Argument]
) -> tuple[tuple[str, ...], ...]:
    """Return for each key the queues that get a message with it, each once, in the order of bindings.

    Args:
        kind: of the exchange.
        bindings: of this exchange.
        keys: of messages.
        headers: of every message, for an exchange of type `headers`.
    """
    if kind == "fanout":
        return (_once(one.queue for one in bindings),) * len(keys)
    if kind == "headers":
        return (_once(one.queue for one in bindings if takes(one.arguments, headers)),) * len(keys)
    exact: dict[str, list[int]] = {}
    # By the words before its first wildcard, as a thousand patterns and as many keys are a million pairs.
    patterns: dict[tuple[str, ...], list[tuple[int, re.Pattern[str]]]] = {}
    for number, one in enumerate(bindings):
        words = one.key.split(".")
        if kind == "topic" and _WILDCARDS & set(words):
            before = tuple(takewhile(lambda word: word not in _WILDCARDS, words))
            patterns.setdefault(before, []).append((number, pattern(one.key)))
        else:
            exact.setdefault(one.key, []).append(number)
    found = []
    for key in keys:
        words = key.split(".") if key else []  # an empty key has no word, not an empty one, as RabbitMQ reads it
        tried = (patterns.get(tuple(words[:length]), ()) for length in range(len(words) + 1)) if patterns else ()
        ended = "".join(f"{word}." for word in words)
        matched = (number for some in tried for number, wanted in some if wanted.fullmatch(ended))
        numbers = [*exact.get(key, ()), *matched]
        found.append(_once(bindings[number].queue for number in sorted(numbers)))
    return tuple(found)


@cache
def pattern(key: str) -> re.Pattern[str]:
    """Return what matches the keys of a topic binding, each with a dot behind it.

    Words are set apart by dots; `*` is one word, `#` any number of them.
    """
    parts = {"*": r"[^.]*\.", "#": r"(?:[^.]*\.)*"}
    words = key.split(".")
    # Two of them mean what one does, and would be tried in every way.
    words = [word for before, word in pairwise(["", *words]) if (before, word) != ("#", "#")]
    return re.compile("".join(parts.get(word, re.escape(word) + r"\.") for word in words))


def takes(wanted: Mapping[str, Argument], headers: Mapping[str, Argument]) -> bool:
    """Return whether a binding of a headers exchange takes messages with these headers."""
    match = wanted.get(_MATCH, "all")
    more = str(match).endswith("-with-x")  # RabbitMQ's: headers that begin with x- are looked at too
    asked = {name: value for name, value in wanted.items() if name != _MATCH and (more or not name.startswith("x-"))}
    # Of the same type too: in AMQP `true` is no 1, as it is in Python.
    met = [(type(headers.get(name)), headers.get(name)) == (type(value), value) for name, value in asked.items()]
    return any(met) if match in ("any", "any-with-x") else all(met)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
