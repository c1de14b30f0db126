"""What tests of the crosscheck share: workloads, jobs, a broker that does nothing, made-up captures."""

import ipaddress
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.crosscheck.peer import Job
from bench.scenario.scenario import Workload
from brokers.base import Broker
from brokers.endpoint import Endpoint, Protocol
from brokers.log_patterns import LogPatterns
from brokers.places.sampling import ProcessUsage, Sampled, allocated_bytes
from brokers.product import Facts

RECORDED = Path(__file__).parent / "bench" / "crosscheck" / "recorded"
AT = Endpoint("amqp091", "127.0.0.1", 5672, "/", None, "us/er", "pass word")


def workload(**fields: Any) -> Workload:
    """Return a workload of 5,000 messages a second for 4 s, changed as given."""
    given = {"name": "w", "load": {"kind": "rate", "rate": 5000}, "duration": "4s"}
    return Workload.model_validate(given | fields)


def job(work: Workload | None = None, endpoint: Endpoint = AT, report: str = "") -> Job:
    """Return a job with a warm-up of 3 s."""
    asked = work or workload()
    layout = asked.laid_out("all", ["queue"] * asked.plain_queues, 1)
    return Job(asked, endpoint, layout.flows[0], 3, report)


NEVER = re.compile(r"(?!)")
"""Matches nothing."""


class IdleBroker(Broker):
    """A broker without processes; fails when told to."""

    def __init__(self, failure: str | None = None) -> None:
        """Begin healthy, or not."""
        self.name = "idle"
        self.folder = Path("/nowhere")
        self.said = failure
        self.patterns = LogPatterns(ready=NEVER, reasons=NEVER)
        self.sampled = Sampled(self.pids)

    def start(self) -> None:
        """Do nothing."""

    def protocols(self) -> tuple[Protocol, ...]:
        """Return what it would speak."""
        return ("amqp091",)

    def endpoint(self, protocol: Protocol) -> Endpoint:  # noqa: ARG002  (the contract's signature)
        """Return an address where nothing is."""
        return AT

    def facts(self) -> Facts:
        """Return made-up facts."""
        return Facts("idle", "1", "none")

    def declare(self, queue: str, *, durable: bool, rejecting: bool = False) -> None:
        """Do nothing."""

    def depth(self, queue: str) -> int:  # noqa: ARG002
        """Return nothing."""
        return 0

    def delete(self, queue: str) -> None:
        """Do nothing."""

    def pids(self) -> tuple[int, ...]:
        """Return nothing."""
        return ()

    def usage(self) -> ProcessUsage | None:
        """Return what its processes use; None where there are none."""
        return self.sampled.usage()

    def switches(self) -> tuple[int, int] | None:
        """Return what its processes switch; None where there are none."""
        return self.sampled.switches()

    def data_bytes(self) -> int | None:
        """Return what its folder takes; None where it has no processes."""
        return allocated_bytes(self.folder) if self.pids() else None

    def failure(self) -> str | None:
        """Return what it was told to say."""
        return self.said

    def log(self) -> str:
        """Return nothing."""
        return ""

    def stop(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing."""


CLIENT, BROKER = ("127.0.0.1", 40_000), ("127.0.0.1", 5672)
"""Two ends of a connection in a made-up capture."""


@dataclass(frozen=True)
class Packet:
    """One TCP packet of a made-up capture."""

    at_ns: int
    source: tuple[str, int]
    destination: tuple[str, int]
    sequence: int
    payload: bytes = b""
    syn: bool = False


def pcap(packets: Sequence[Packet], *, order: str = "<", unit_ns: int = 1, link: int = 1) -> bytes:
    """Return packets as a file of libpcap's format."""
    magic = 0xA1B23C4D if unit_ns == 1 else 0xA1B2C3D4
    whole = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link)
    for packet in packets:
        frame = _frame(packet)
        seconds, rest_ns = divmod(packet.at_ns, 1_000_000_000)
        whole += struct.pack(order + "IIII", seconds, rest_ns // unit_ns, len(frame), len(frame)) + frame
    return whole


def recorded_port(name: str) -> int:
    """Return the broker's port in a recorded capture: the lower one of its first packet's."""
    tcp = (RECORDED / f"{name}.pcap").read_bytes()[24 + 16 + 14 + 20 :]
    return min(struct.unpack_from(">HH", tcp))


def _frame(packet: Packet) -> bytes:
    ends = [ipaddress.ip_address(host) for host, _ in (packet.source, packet.destination)]
    flags = 0x02 if packet.syn else 0x18
    ports = (packet.source[1], packet.destination[1])
    options = b"\x01" * 12  # as time stamps take them
    tcp = struct.pack(">HHIIBBHHH", *ports, packet.sequence, 0, 8 << 4, flags, 512, 0, 0) + options + packet.payload
    addresses = b"".join(end.packed for end in ends)
    if ends[0].version == 4:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses
        return bytes(12) + b"\x08\x00" + ip + tcp
    return bytes(12) + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + addresses + tcp
