"""What one wants of a broker: frozen, typed, checked settings.

Pure: no clock, socket, file or process lives here. How a setting becomes a config
file or a command line is the business of the broker's own module.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, model_validator

from brokers.endpoint import Sasl

BrokerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]
Memory = Annotated[ByteSize, Field(ge=256 * 1024**2)]


class Frozen(BaseModel):
    """Base of every model that is read from outside: immutable, unknown fields are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ClientTls(Frozen):
    """How TLS is spoken to a broker that someone else runs; files are PEM."""

    ca: Annotated[str, Field(min_length=1)] | None = None
    """File with the certificates of the authorities that are trusted; by default those of the system."""
    certificate: Annotated[str, Field(min_length=1)] | None = None
    """File with our own certificate, for brokers that ask for one."""
    key: Annotated[str, Field(min_length=1)] | None = None
    """File with the key of `certificate`, not encrypted; by default it stands in the same file."""
    server_name: Annotated[str, Field(min_length=1)] | None = None
    """The name that the broker's certificate must carry; by default `host`."""
    verify: bool = True
    """Check the broker's certificate; `false` takes any."""

    @model_validator(mode="after")
    def _a_key_has_a_certificate(self) -> "ClientTls":
        if self.key is not None and self.certificate is None:
            message = "`key` is the key of a certificate: name that one too, as `certificate`"
            raise ValueError(message)
        return self


def _on_or_off(given: Any) -> Any:
    """Return what `true` and `false` stand for; anything else as it is."""
    if isinstance(given, bool):
        return {} if given else None
    return given


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
    tls: Annotated[ClientTls | None, BeforeValidator(_on_or_off, json_schema_input_type=ClientTls | bool | None)] = None
    """TLS: `true`, or a table where more is to be said of certificates; by default plain TCP."""
    sasl: Sasl = "plain"
    """How we log in: `plain` (user name and password), `external` (the certificate of `tls`), or `anonymous`."""

    @model_validator(mode="after")
    def _external_has_a_certificate(self) -> "External":
        if self.sasl == "external" and (self.tls is None or self.tls.certificate is None):
            message = "sasl = 'external' logs in by a certificate: name its file, as `tls.certificate`"
            raise ValueError(message)
        return self


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
    transport: Literal["tcp", "tls"] = "tcp"
    """How we speak to a broker that we start; for `tls` throw-away certificates are made at each start."""
    sasl: Sasl = "plain"
    """How we log in to it: `plain` (user name and password), `external` (our certificate) or `anonymous`."""
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

    @model_validator(mode="after")
    def _its_security_fits(self) -> "BrokerSettings":
        if self.place == "external":
            for name, default, instead in (("transport", "tcp", "tls"), ("sasl", "plain", "sasl")):
                if getattr(self, name) != default:
                    message = f"`{name}` is for brokers that we start: for an external one it is `external.{instead}`"
                    raise ValueError(message)
        elif self.sasl == "external" and self.transport != "tls":
            message = (
                "sasl = 'external' logs in by the client's certificate, which only TLS shows: add transport = 'tls'"
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
