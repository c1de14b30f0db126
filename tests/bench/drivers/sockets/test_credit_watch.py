"""The longest time without credit is kept, and of several senders the longest counts."""

from bench.drivers.base import add_counts
from bench.drivers.sockets.credit_watch import CreditWatch


def test_the_longest_time_counts() -> None:
    """As far as it was looked at; a time that goes on counts as well."""
    watch = CreditWatch()
    assert watch.counts() == {}
    for now_ns, credit in ((10, True), (20, False), (50, False), (60, True), (70, False), (90, True)):
        watch.look(now_ns, credit=credit)
    assert watch.counts() == {"longest_without_credit_ns": 30}
    watch.look(100, credit=False)
    watch.look(190, credit=False)
    assert watch.counts() == {"longest_without_credit_ns": 90}


def test_of_several_the_longest_counts() -> None:
    """Other counters are added up."""
    total = {"bytes_in": 1}
    for more in ({"bytes_in": 2, "longest_without_credit_ns": 5}, {"longest_without_credit_ns": 3}):
        add_counts(total, more)
    assert total == {"bytes_in": 3, "longest_without_credit_ns": 5}
