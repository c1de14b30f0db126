"""What a broker lets a driver do over one protocol, compared with what a workload asks. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from brokers.byte_sizes import exact_size
from brokers.endpoint import PROTOCOL_NAMES, Protocol

DATA_SECTION_10 = 5
"""Bytes that a message of AMQP 1.0 is longer than its body, at least: descriptor, type and length (part 3, 3.2.6)."""


@dataclass(frozen=True)
class Admission:
    """What was found.

    Attributes:
        protocol: what was spoken.
        channels: of a connection, each of which serves one lane (0-9-1: channel-max); None = any number.
        message: bytes of a message (1.0: max-message-size of the attach); None = not announced.
        refused_size: the smallest body that was refused when it was sent; None = none was.
        refused: what else was refused, as in "publish to", each with the broker's words.
        size_words: the broker's words on that body.
    """

    protocol: Protocol
    channels: int | None = None
    message: int | None = None
    refused_size: int | None = None
    size_words: str = ""
    refused: tuple[tuple[str, str], ...] = ()

    def faults(self, workload: str, body: int, lanes: int) -> Iterator[tuple[str, str]]:
        """Yield each field of a workload that asks for too much, as a path, with the limit and what to change.

        Args:
            workload: its name.
            body: bytes of its largest message.
            lanes: producers or consumers that share a connection.
        """
        spoken = PROTOCOL_NAMES[self.protocol]
        size, smaller = f"workloads.{workload}.size", "make messages smaller, or raise that limit of the broker"
        if self.message is not None and body + DATA_SECTION_10 > self.message:
            most = f"messages of {exact_size(self.message)} at most, what encloses a body included"
            how = "max-message-size of its attach"
            yield size, f"{exact_size(body)}: over {spoken} the broker takes {most} ({how}): {smaller}"
        if self.refused_size is not None and body >= self.refused_size:
            what = "a message of that size" if body == self.refused_size else f"{exact_size(self.refused_size)} already"
            yield size, f"{exact_size(body)}: over {spoken} the broker refuses {what} ({self.size_words}): {smaller}"
        if self.channels is not None and lanes > self.channels:
            most = f"{self.channels} channels a connection (channel-max of connection.tune), one for each lane"
            remedy = f"use {self.channels} at most, or raise that limit of the broker"
            yield (
                f"workloads.{workload}.lanes_per_connection",
                f"{lanes}: over {spoken} the broker takes {most}: {remedy}",
            )
