"""What no peer can do the same is refused, one sentence a field."""

from typing import Any

import pytest

from bench.crosscheck.peer import bound, common_refusals
from tests.crosschecks import workload


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"confirm_window": 0, "load": {"kind": "in_flight", "in_flight": [6]}}, "confirm_window = 0"),
        ({"lanes_per_connection": 2, "producers": 2, "consumers": 2}, "lanes_per_connection = 2"),
        ({"load": {"kind": "rate", "rate": 10, "arrivals": "poisson"}}, "load.arrivals = 'poisson'"),
        ({"load": {"kind": "in_flight", "in_flight": [5]}, "producers": 2}, "load.in_flight = 5"),
    ],
)
def test_each_field_has_its_refusal(fields: dict[str, Any], field: str) -> None:
    """The sentence begins with the field and its value."""
    [refusal] = common_refusals(workload(**fields), "Tool")
    assert refusal.startswith(f"{field}: ")


def test_a_plain_workload_is_not_refused() -> None:
    """Several producers on one queue are fine, for both loads."""
    assert common_refusals(workload(producers=2, consumers=2), "Tool") == []
    assert common_refusals(workload(load={"kind": "in_flight", "in_flight": [6]}, producers=2), "Tool") == []


def test_the_bound_of_a_producer() -> None:
    """The confirm window, or the producer's share of a closed loop."""
    assert bound(workload(confirm_window=7)) == 7
    assert bound(workload(load={"kind": "in_flight", "in_flight": [6]}, producers=2)) == 3
    assert bound(workload(load={"kind": "in_flight", "in_flight": [600]}, confirm_window=7)) == 7
