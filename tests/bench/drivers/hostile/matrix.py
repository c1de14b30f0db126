"""Every driver with every way to misbehave: which of it runs always, and what holds of each."""

import re
from collections.abc import Collection, Iterable, Iterator

import pytest

from brokers.plain_text import is_plain
from tests.bench.drivers.hostile.exchange import Exchange, exchange
from tests.bench.drivers.hostile.expected091 import Ending
from tests.bench.drivers.hostile.peer091 import Hostile091
from tests.bench.drivers.hostile.peer10 import Hostile10

MOST_S = 15.0


def every(drivers: Iterable[str], modes: Collection[str], quick: Collection[tuple[str, str]]) -> Iterator[object]:
    """Yield every driver with every mode; all but a few are left to soak."""
    for driver in drivers:
        for mode in modes:
            marks = () if (driver, mode) in quick else (pytest.mark.soak,)
            yield pytest.param(driver, mode, marks=marks, id=f"{driver}-{mode}")


def ends_as_expected(driver: str, peer: Hostile091 | Hostile10, expected: Ending) -> Exchange:
    """Exchange messages with a broker and stop it; return what came of it, which is what was expected."""
    try:
        found = exchange(driver, peer.endpoint)
    finally:
        peer.stop()
    assert found.outcome == expected.outcome, found
    assert re.search(expected.says, found.said), found.said
    assert found.took_s < MOST_S, found.took_s
    assert is_plain(found.said), found.said
    assert not expected.counts or found.counters.get(expected.counts, 0) > 0, found.counters
    assert found.merged is not None
    assert found.merged.ledger.sent >= found.merged.ledger.confirmed
    return found
