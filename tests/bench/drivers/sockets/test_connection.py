"""Connections with TLS: refusals in words, and no byte that a selector does not see is left behind."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.drivers.base import ConnectionLost, ConsumerLane, PortSpec, ProducerLane, Refused
from bench.drivers.sockets.connection import connect
from bench.drivers.sockets.port import SocketPort
from bench.host.clock import RealClock
from brokers import certificates
from brokers.endpoint import Endpoint, Tls
from tests.bench.drivers.lane_server import StampConsumer, StampProducer
from tests.tls_server import tls_server

SECOND = 1_000_000_000


class SipConsumer(StampConsumer):
    """Reads seven bytes at a time."""

    def _read(self) -> None:
        for _ in self._receive(7):
            self.pending += 1
            self.delivered(self.context.clock.now_ns())


@contextmanager
def opened(endpoint: Endpoint, *, producers: int = 0, consumers: int = 0) -> Iterator[SocketPort]:
    """Open a port of the test's own lanes."""
    spec = PortSpec(
        endpoint,
        tuple(ProducerLane(n, "q") for n in range(producers)),
        tuple(ConsumerLane(n, "q") for n in range(consumers)),
        32,
        ack_batch=10,
    )
    port = SocketPort(spec, RealClock(), StampProducer, SipConsumer)
    try:
        yield port
    finally:
        port.close()


def test_a_foreign_authority_and_a_wrong_name_are_refusals_with_the_address(certified: Path, tmp_path: Path) -> None:
    """What is wrong is the broker's certificate, and the message says so."""
    certificates.make(tmp_path)
    for wrong, says in (
        (Tls(str(tmp_path / certificates.CA)), f"checked against the CA in {tmp_path}"),
        (Tls(str(certified / certificates.CA), server_name="broker.example"), r"not valid for 'broker\.example'"),
    ):
        with (
            tls_server(certified) as server,
            pytest.raises(Refused, match=rf"^no TLS with the broker at 127\.0\.0\.1:\d+: its certificate .*{says}"),
        ):
            connect(replace(server.endpoint, tls=wrong))


def test_a_record_longer_than_a_read_is_read_to_its_end(certified: Path) -> None:
    """7 bytes at a time, from one record of 1,000 that made the socket readable once."""
    with tls_server(certified) as server, opened(server.endpoint, consumers=1) as port:
        other = server.client()
        other.sendall(bytes(1_000))
        acknowledged = 0
        while acknowledged < 1_000:
            port.poll(SECOND // 100)
            other.settimeout(0.001)
            try:
                acknowledged += sum(other.recv(1_000))
            except TimeoutError:
                assert port.counters().get("bytes_in", 0) < 1_000
        assert port.counters()["bytes_in"] == 1_000


def test_settlements_come_through_tls(certified: Path) -> None:
    """More than the buffers on the way hold goes out and comes back, in order."""
    with tls_server(certified) as server, opened(server.endpoint, producers=1) as port:
        other = server.client()
        other.settimeout(0.001)
        sent = 0
        settled: list[int] = []
        while len(settled) < 20_000:
            number = min(20_000 - sent, port.room())
            if number:
                port.send(np.zeros(number, np.int64), np.arange(sent, sent + number), np.zeros(number, np.int64))
                sent += number
            try:
                while data := other.recv(320):
                    other.sendall(data)
            except TimeoutError:
                pass
            settled += port.poll(0)[0].seq.tolist()
        assert settled == list(range(20_000))


@pytest.mark.parametrize(
    ("asks", "says"),
    [(True, "TLS: tlsv13 alert certificate required"), (False, "right after the TLS handshake: does it want a client")],
    ids=["alert", "hang-up"],
)
def test_the_want_of_a_certificate_is_a_refusal(certified: Path, asks: bool, says: str) -> None:  # noqa: FBT001
    """As an alert, and also where the broker only hangs up, which TLS 1.3 lets it do after the handshake."""

    class Opening(SipConsumer):
        ready = property(lambda _self: False, lambda _self, _value: None)  # type: ignore[assignment]

    with tls_server(certified, asks=asks) as server:
        hang_up = threading.Thread(target=lambda: asks or server.client().close())
        hang_up.start()
        spec = PortSpec(server.endpoint, (), (ConsumerLane(0, "q"),), 32)
        with pytest.raises(Refused, match=rf"refused consumer 0 of queue 'q' .*{says}"):
            SocketPort(spec, RealClock(), StampProducer, Opening)
        hang_up.join(5)


def test_an_end_after_words_is_a_loss(certified: Path) -> None:
    """It was let in, so no certificate is missing."""
    with tls_server(certified) as server, opened(server.endpoint, consumers=1) as port:
        other = server.client()
        other.sendall(b"x")
        other.settimeout(0.001)
        acknowledged = b""
        while not acknowledged:
            port.poll(SECOND // 100)
            with suppress(TimeoutError):
                acknowledged = other.recv(1)
        other.close()  # with an acknowledgement unread it would be a reset
        with pytest.raises(ConnectionLost, match=r"connection closed without a word$"):
            port.poll(5 * SECOND)
