"""One more run of each tool under a packet capture: its own reading, and what the wire shows."""

import ipaddress
import time
from pathlib import Path

from bench.crosscheck.pairing import Pairing
from bench.crosscheck.peer import PeerError
from bench.crosscheck.readings import Captured
from bench.crosscheck.sides import Sides, quantiles_ns
from bench.crosscheck.tcpdump import Sniffer, SniffError
from bench.crosscheck.wire_times import response_times
from bench.run.phases import Phase
from bench.run.trial import Live
from brokers.endpoint import Endpoint


def captured(sides: Sides, pairing: Pairing, side: str, folder: Path) -> Captured:
    """Run a side once and capture the packets of its measured part.

    Raises:
        PeerError: it gave no result.
        SniffError: there was no capture, or no message in it.
        BrokerError: the broker failed.
    """
    endpoint = sides.endpoint(pairing)
    _check_loopback(endpoint)
    with Sniffer(endpoint.port, folder) as sniffer:
        if side == pairing.peer.name:
            own_ns, taken = _theirs(sides, pairing, sniffer)
        else:
            own_ns, taken = _ours(sides, pairing, side, sniffer)
    if taken is None:
        message = f"{side} was done before a capture could begin: give {pairing.workload.name} a longer duration"
        raise PeerError(message)
    capture, dropped = taken
    wire = response_times(capture, endpoint.port, endpoint.protocol, calls=pairing.workload.pattern == "rpc")
    if not wire.times_ns:
        message = f"the capture of {side} shows no message on its way to the broker and back"
        raise SniffError(message)
    return Captured(
        side=side,
        own_p50_ns=own_ns[0],
        own_p99_ns=own_ns[1],
        wire_p50_ns=wire.quantile_ns(0.50),
        wire_p99_ns=wire.quantile_ns(0.99),
        messages=len(wire.times_ns),
        unmatched=wire.unmatched,
        dropped=dropped,
    )


_Taken = tuple[bytes, int] | None


def _ours(sides: Sides, pairing: Pairing, driver: str, sniffer: Sniffer) -> tuple[tuple[int, int], _Taken]:
    taken: _Taken = None

    def watch(live: Live) -> None:
        nonlocal taken
        if live.phase is Phase.MEASURE and not sniffer.begun:
            sniffer.begin()
        elif live.phase is not Phase.MEASURE and sniffer.begun and taken is None:
            taken = sniffer.end()

    record = sides.ours(pairing, driver, watch)
    return quantiles_ns(record), taken or (sniffer.end() if sniffer.begun else None)


def _theirs(sides: Sides, pairing: Pairing, sniffer: Sniffer) -> tuple[tuple[int, int], _Taken]:
    taken: _Taken = None
    until_ns = 0

    def watch(measuring: bool) -> None:  # noqa: FBT001  (a callback's one argument)
        nonlocal taken, until_ns
        if measuring and not sniffer.begun:
            sniffer.begin()
            until_ns = time.monotonic_ns() + pairing.workload.duration
        elif sniffer.begun and taken is None and time.monotonic_ns() >= until_ns:
            taken = sniffer.end()

    measured, _, _ = sides.theirs(pairing, watch)
    return (measured.p50_ns, measured.p99_ns), taken or (sniffer.end() if sniffer.begun else None)


def _check_loopback(endpoint: Endpoint) -> None:
    host = "127.0.0.1" if endpoint.host == "localhost" else endpoint.host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        message = f"--capture listens on the loopback interface alone, and the broker is at {endpoint.host}"
        raise SniffError(message)
