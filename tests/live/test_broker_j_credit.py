"""Broker-J's credit for pre-settled senders: it dwindles, which is counted, and attaching anew avoids it."""

import pytest

from bench.drivers.base import Port
from brokers.base import Broker
from tests.live.driver_exchange import BLOCKING, CLOCK, Exchanged, endpoint, gather, port, queue, receive, send, spec
from tests.live.test_drivers_conformance import check
from tests.live.test_drivers_ends import DRIVERS_10

MESSAGES = 30_000


def push(opened: Port, rows: Exchanged) -> None:
    """Send as there is room, a thousand messages at most at a time."""
    sent, deadline_ns = 0, CLOCK.now_ns() + 30 * 10**9
    while sent < MESSAGES:
        assert CLOCK.now_ns() < deadline_ns, (sent, opened.counters())
        number = min(MESSAGES - sent, opened.room(), 1_000)
        if number:
            send(opened, rows, sent, number)
            sent += number
        gather(opened, rows, 0 if number else 10_000_000)


# Proton's own loop does not show the flow frames that came.
@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(name, marks=[pytest.mark.soak] * (name != "proton-engine"))
        for name in DRIVERS_10
        if name not in BLOCKING
    ],
)
def test_credit_dwindles_to_one_flow_a_message(qpid_broker_j: Broker, driver: str) -> None:
    """After the first 20,000 messages or so; each such flow is counted, and every message arrives."""
    rows, at = Exchanged(), endpoint(qpid_broker_j, driver)
    with queue(qpid_broker_j) as name, port(driver, spec(at, (name,), confirm_window=0)) as opened:
        push(opened, rows)
        counted = opened.counters()
        assert 5_000 < counted["credit_leak"] <= counted["flow_frames"]


def test_attaching_anew_avoids_it(qpid_broker_j: Broker) -> None:
    """Links of 7,000 messages each: no flow gives credit for one message, and nothing is lost or out of order."""
    rows, at = Exchanged(), endpoint(qpid_broker_j, "wire10")
    with queue(qpid_broker_j) as name:
        asked = spec(at, (name,), (), confirm_window=0, options={"reattach": "7000"})
        with port("wire10", asked) as opened:
            push(opened, rows)
            counted = opened.counters()
        assert counted["reattached"] in {MESSAGES // 7_000, MESSAGES // 7_000 - 1}
        assert "credit_leak" not in counted
        with port("wire10", spec(at, (), (name,))) as receiving:
            receive(receiving, rows, MESSAGES)
        check(rows, MESSAGES)
