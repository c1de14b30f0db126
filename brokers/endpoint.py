"""Where and how a driver reaches a broker: address, credentials, names. Pure."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

Protocol = Literal["amqp091", "amqp10"]
PROTOCOL_NAMES: dict[Protocol, str] = {"amqp091": "AMQP 0-9-1", "amqp10": "AMQP 1.0"}
"""As people call them."""
Sasl = Literal["plain", "external", "anonymous"]
"""How a client says who it is: by password, by the certificate it showed, or not at all
(RFC 4616, RFC 4422 appendix A, RFC 4505)."""


@dataclass(frozen=True)
class Tls:
    """What a client needs to talk TLS to a broker; files are PEM."""

    ca_file: str | None
    """Certificates of the authorities that are trusted; None = those of the system."""
    cert_file: str | None = None
    """The client's own certificate, for brokers that ask for one."""
    key_file: str | None = None
    """The key of that certificate; None = it is in the same file."""
    server_name: str | None = None
    """The name that the broker's certificate must carry; None = the endpoint's host."""
    verify: bool = True
    """Whether the broker's certificate is checked at all."""


@dataclass(frozen=True)
class Destination:
    """Where messages with a routing key go over AMQP 1.0, on one broker.

    Attributes:
        address: of the target that a link attaches; None = the anonymous terminus, a target without address.
        key_in: what carries the key: the link's address, so that a link serves one key alone, or of each message's
            properties `to` or `subject`.
        to: the text of `to` for that key, where messages can be sent to the anonymous terminus; else None.
    """

    address: str | None
    key_in: Literal["address", "to", "subject"]
    to: str | None = None


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
    exchange_prefix: str = ""
    """1.0: what stands before the percent-encoded names of an exchange and a key (`/exchanges/` on RabbitMQ 4)."""
    key_in_subject: bool = False
    """1.0: the target is the exchange, and each message's `subject` its key (Broker-J)."""
    confirms_unadvertised: bool = False
    """0-9-1: confirm.select works although server-properties do not say so (Broker-J)."""
    tls: Tls | None = None
    """None: plain TCP."""
    sasl: Sasl = "plain"
    """The one SASL mechanism that is used; only `plain` sends user name and password."""

    def address(self, queue: str) -> str:
        """Return the address of a queue: an AMQP 1.0 node, or a 0-9-1 routing key.

        RabbitMQ's address format v2 wants the name percent-encoded
        (https://www.rabbitmq.com/docs/amqp#address-v2).
        """
        if self.protocol == "amqp091":
            return queue
        name = quote(queue, safe="") if self.address_prefix else queue
        return self.address_prefix + name

    def destination(self, exchange: str, key: str) -> Destination:
        """Return where messages of an exchange with a key go over AMQP 1.0; an empty name is the default exchange.

        Where a product knows no exchanges, a key is an address. Addresses of exchanges:
        https://www.rabbitmq.com/docs/amqp#target-address-v2
        """
        if exchange and self.key_in_subject:
            return Destination(exchange, "subject")
        if exchange and self.exchange_prefix:
            names = [quote(exchange, safe=""), *([quote(key, safe="")] if key else [])]
            address = self.exchange_prefix + "/".join(names)
        else:
            address = self.address(key)
        return Destination(address, "address", to=address)
