"""Where and how a driver reaches a broker: address, credentials, names. Pure."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

Protocol = Literal["amqp091", "amqp10"]


@dataclass(frozen=True)
class Endpoint:
    """One protocol of one running broker, as a driver needs it.

    What differs between brokers is data here, so that no driver asks which broker it meets.
    """

    protocol: Protocol
    host: str
    port: int
    virtual_host: str
    """0-9-1: the virtual host of connection.open."""
    hostname: str | None
    """1.0: the `hostname` of the open frame; Broker-J finds its virtual host by it."""
    username: str
    password: str = field(repr=False)
    address_prefix: str = ""
    """1.0: what stands before the percent-encoded queue name (`/queues/` on RabbitMQ 4)."""
    confirms_unadvertised: bool = False
    """0-9-1: confirm.select works although server-properties do not say so (Broker-J)."""

    def address(self, queue: str) -> str:
        """Return the address of a queue: an AMQP 1.0 node, or a 0-9-1 routing key.

        RabbitMQ's address format v2 wants the name percent-encoded
        (https://www.rabbitmq.com/docs/amqp#address-v2).
        """
        if self.protocol == "amqp091":
            return queue
        name = quote(queue, safe="") if self.address_prefix else queue
        return self.address_prefix + name
