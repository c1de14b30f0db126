"""What one wants of a broker: frozen, typed, checked settings.

Pure: no clock, socket, file or process lives here. How a setting becomes a config
file or a command line is the business of the broker's own module.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, model_validator

BrokerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]
Memory = Annotated[ByteSize, Field(ge=256 * 1024**2)]


class Frozen(BaseModel):
    """Base of every model that is read from outside: immutable, unknown fields are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class External(Frozen):
    """Where a broker that someone else runs is reached.

    Credentials never stand in a scenario: they are read from the two named environment
    variables, and only there.
    """

    host: str = "127.0.0.1"
    """Host name or address."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5672
    """TCP port; the port of both protocols, as on RabbitMQ 4 and Broker-J."""
    virtual_host: str | None = None
    """Virtual host; by default `/` on RabbitMQ and `default` on Broker-J."""
    username_env: str = "BUSBENCH_USERNAME"
    """Environment variable that holds the user name (`guest` where it is unset)."""
    password_env: str = "BUSBENCH_PASSWORD"  # noqa: S105  (the name of a variable, no secret)
    """Environment variable that holds the password (`guest` where it is unset)."""


class BrokerSettings(Frozen):
    """What every broker that we start has in common."""

    name: BrokerName
    """How targets and reports call this broker."""
    place: Literal["sandbox", "external"] = "sandbox"
    """Where it runs: `sandbox` (started by us) or `external` (an address someone else runs)."""
    image: str = "stable"
    """Recipe of the cloud-services image it is started from."""
    memory: Memory = ByteSize(1024**3)
    """Memory cap of the whole broker, at least 256 MiB."""
    cpus: Annotated[int, Field(ge=1, le=1024)] = 2
    """CPUs the broker may use."""
    external: External | None = None
    """Address of an `external` broker."""

    @model_validator(mode="after")
    def _external_has_an_address(self) -> "BrokerSettings":
        if (self.place == "external") != (self.external is not None):
            message = (
                f"place = {self.place!r}: the table `external` (host, port) goes with"
                " place = 'external', and only with it"
            )
            raise ValueError(message)
        return self


class RabbitMQSettings(BrokerSettings):
    """RabbitMQ: queue types and memory watermark."""

    kind: Literal["rabbitmq"]
    """`rabbitmq`."""
    transient_queue: Literal["classic", "quorum"] = "classic"
    """Queue type of workloads that are not durable."""
    durable_queue: Literal["classic", "quorum"] = "quorum"
    """Queue type of durable workloads."""


class QpidBrokerJSettings(BrokerSettings):
    """Apache Qpid Broker-J: message store and JVM."""

    kind: Literal["qpid-broker-j"]
    """`qpid-broker-j`."""
    store: Literal["memory", "bdb", "derby"] = "bdb"
    """Message store of the virtual host; `memory` holds no durable message."""
    heap_share: Annotated[float, Field(gt=0.1, lt=0.9)] = 0.5
    """Share of the memory cap given to the Java heap; a quarter of the cap is direct memory."""


AnyBroker = Annotated[RabbitMQSettings | QpidBrokerJSettings, Field(discriminator="kind")]
