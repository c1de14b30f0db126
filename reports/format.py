"""How numbers and names are printed, the same in every format. Pure."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from bench.units import NS_PER_MS
from brokers.plain_text import printable

PROTOCOLS = {"amqp091": "AMQP 0-9-1", "amqp10": "AMQP 1.0", "memory": "memory"}
Printer = Callable[[float | None], str]
"""Any of the functions below: a number to its text, without a unit."""
_SIGNIFICANT = 3
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")
_QUANTITY = re.compile(rf"({_NUMBER.pattern})( (?:%|ms|µs|s)(?!\w))")
"""A number with a unit."""


def number(value: float | None) -> str:
    """Return three significant digits, thousands apart by commas; a dash where there is no value."""
    if value is None or math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞"
    decimals = max(0, _SIGNIFICANT - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def count(value: float | None) -> str:
    """Return a whole number, thousands apart by commas."""
    return "–" if value is None or math.isnan(value) else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Return messages a second: whole from 100 up, three digits below."""
    return count(value) if value is not None and value >= 100 else number(value)  # noqa: PLR2004


def milliseconds(ns: float | None) -> str:
    """Return nanoseconds as milliseconds, without the unit."""
    return number(None if ns is None else ns / NS_PER_MS)


def overload_words(growths: Iterable[float | None]) -> str:
    """Return what is printed in place of latencies of overloaded trials: how fast the backlog grew, by the median."""
    grown = [value for value in growths if value is not None and value > 0]
    return f"overloaded: backlog grew by {rate(median(grown))} msg/s" if grown else "overloaded"


def brief(why: str) -> str:
    """Return why a number is missing, short enough for a cell of a table."""
    return why if why.startswith("overloaded") else why.partition(":")[0]


def escaped(words: str) -> str:
    """Return words for Markdown: escape what it would read as a table border or as markup, and keep it on one line."""
    words = printable(words.replace("\n", " "))
    for mark in ("\\", "|", "*", "_", "<", "`", "[", "]", "$"):
        words = words.replace(mark, f"\\{mark}")
    return words


def mebibytes(size: float | None) -> str:
    """Return bytes as MiB, without the unit."""
    return count(None if size is None else size / 2**20)


def listed(words: list[str]) -> str:
    """Return `a, b and c`."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def merged(texts: Iterable[str]) -> str:
    """Return texts that differ in numbers alone as one, with ranges such as `1.2 to 6.8`; else the first of them."""
    distinct = list(dict.fromkeys(texts))
    numbers = [_NUMBER.findall(text) for text in distinct]
    if len({_NUMBER.sub("#", text) for text in distinct}) > 1:
        return distinct[0]
    ranges = iter([_range(column) for column in zip(*numbers, strict=True)])
    return _NUMBER.sub(lambda _: next(ranges), distinct[0])


def quantities(texts: Iterable[str]) -> str:
    """Return the range of the first number with a unit of each text, such as `1.2 to 6.8 %`; empty where one has none.

    It is empty, too, where units differ.
    """
    found = [_QUANTITY.search(text) for text in texts]
    known = [match for match in found if match]
    if len(known) < len(found) or len({match[2] for match in known}) != 1:
        return ""
    return _range([match[1] for match in known]) + known[0][2]


def _range(numbers: Iterable[str]) -> str:
    rising = sorted(set(numbers), key=lambda text: float(text.replace(",", "")))
    return rising[0] if len(rising) == 1 else f"{rising[0]} to {rising[-1]}"


@dataclass(frozen=True)
class Name:
    """What a target is called.

    Attributes:
        target: its name in the scenario.
        label: short, for tables and figures.
        product, version: of its broker, as it reported itself.
        way: what tells it from other targets of the same product and version: the protocol,
            or its label where two share one.
    """

    target: str
    label: str
    product: str
    version: str
    way: str

    @property
    def who(self) -> str:
        """Product and version."""
        return f"{self.product} {self.version}"

    @property
    def full(self) -> str:
        """Product, version and protocol, as sentences say it."""
        return f"{self.who} over {self.way}"


_PLAIN = {
    "send-lag": "our client was late",
    "receive-lag": "our client read late",
    "client-bound": "our client was the limit",
    "steal": "the hypervisor took CPU time",
    "host-away": "the host was away for too long",
    "throttled": "a quota held processes back",
    "canary-shifted": "the host's speed changed",
    "settings-differ": "the broker ran otherwise than asked",
    "clock": "latencies came out negative",
    "clock-set": "the real clock was set",
    "ledger-unbalanced": "our ledger does not add up",
    "little": "our counting contradicts itself",
    "foreign-messages": "something else used the queues",
}


def plain(code: str) -> str:
    """Return what a health code means, in words; the code itself where there are none."""
    return f"{_PLAIN[code]} ({code})" if code in _PLAIN else code
