"""What a scenario may ask of a broker of any product: frozen, typed, checked settings.

Pure: no clock, socket, file or process lives here. A product derives its own model from
`BrokerSettings`, in its own folder.
"""

import ipaddress
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from brokers.cpu_numbers import CpuCount, CpuNumbers, count_or_numbers
from brokers.endpoint import Sasl
from brokers.plain_text import is_plain, printable

BrokerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]
_SHOWN = 40
Memory = Annotated[ByteSize, Field(ge=256 * 1024**2)]


class Frozen(BaseModel):
    """Base of every model that is read from outside: immutable, unknown fields are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @field_validator("*", mode="after")
    @classmethod
    def _on_one_line(cls, given: Any) -> Any:
        """Join lines, and refuse what would move a cursor or end a line where it is shown."""
        if isinstance(given, tuple):
            return tuple(map(cls._on_one_line, given))
        if type(given) is dict:
            return {cls._on_one_line(key): cls._on_one_line(value) for key, value in given.items()}
        if type(given) is not str:
            return given
        joined = " ".join(given.split()) if "\n" in given or "\t" in given else given
        if not is_plain(joined):
            message = f"{printable(given)[:_SHOWN]!r} holds control characters: write plain text"
            raise ValueError(message)
        return joined


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


def _unlike(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse names that stand twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"{', '.join(twice)}: stands more than once: names must differ"
        raise ValueError(message)
    return names


QueueName = Annotated[str, Field(min_length=1, max_length=255)]


class External(Frozen):
    """Where a broker that someone else runs is reached.

    Credentials never stand in a scenario: they are read from the two named environment
    variables, and only there.
    """

    host: str = "127.0.0.1"
    """Host name or address, `host:port`, or a URI such as `amqps://user@broker.example:5671/vhost`, whose parts are
    read as the fields below; an IPv6 address may stand in brackets."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5672
    """TCP port, of every protocol; by default 5672, or 5671 where `host` is an `amqps` URI."""
    virtual_host: str | None = None
    """Virtual host; by default that of the product."""
    username: str | None = None
    """User name; by default it is read from `username_env`."""
    username_env: str = "BUSBENCH_USERNAME"
    """Environment variable that holds the user name (`guest` where it is unset)."""
    password_env: str = "BUSBENCH_PASSWORD"  # noqa: S105  (the name of a variable, no secret)
    """Environment variable that holds the password (`guest` where it is unset)."""
    tls: Annotated[ClientTls | None, BeforeValidator(_on_or_off, json_schema_input_type=ClientTls | bool | None)] = None
    """TLS: `true`, or a table where more is to be said of certificates; by default plain TCP."""
    sasl: Sasl = "plain"
    """How we log in: `plain` (user name and password), `external` (the certificate of `tls`), or `anonymous`."""

    queues: Annotated[tuple[QueueName, ...], Field(max_length=10_000), AfterValidator(_unlike)] = ()
    """Queues that are there already, for users who may not declare any: they are used in this order, and never
    declared or deleted. One that holds messages or has consumers is refused, unless the command line says
    `--consume-existing`. By default queues are declared and deleted."""
    pid_file: Annotated[str, Field(min_length=1)] | None = None
    """File with the id of its main process, where it runs on this host: its CPU time and memory are measured then."""

    @model_validator(mode="before")
    @classmethod
    def _parts_of_a_uri(cls, given: Any) -> Any:
        """Take `host` apart where it is a URI or has a port."""
        if not isinstance(given, dict) or not isinstance(given.get("host"), str):
            return given
        read = _uri(given["host"]) if "://" in given["host"] else _host_and_port(given["host"])
        if read.get("tls") and isinstance(given.get("tls"), dict):
            del read["tls"]  # the table says more of the same
        for name, value in read.items():
            if name != "host" and given.get(name) not in (None, value):
                message = f"host = {given['host']!r} says {name} = {value!r} and {name} {given[name]!r}: leave one out"
                raise ValueError(message)
        return given | read

    @model_validator(mode="after")
    def _external_has_a_certificate(self) -> "External":
        if self.sasl == "external" and (self.tls is None or self.tls.certificate is None):
            message = "sasl = 'external' logs in by a certificate: name its file, as `tls.certificate`"
            raise ValueError(message)
        return self


def _uri(text: str) -> dict[str, Any]:
    """Return the fields that a URI stands for (https://www.rabbitmq.com/docs/uri-spec)."""
    advice = "write amqp://user@host:port/virtual-host, or amqps:// for TLS"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        # Neither the text nor the reason is quoted, as either may hold a password; nor is the cause kept.
        message = f"host is no URI: {advice}"
        raise ValueError(message) from None
    if fault := _uri_fault(parts):
        message = f"{fault}: {advice}"
        raise ValueError(message)
    read: dict[str, Any] = {"host": host, "port": port or (5671 if parts.scheme == "amqps" else 5672)}
    if parts.scheme == "amqps":
        read["tls"] = True
    if parts.username:
        read["username"] = unquote(parts.username)
    if parts.path not in ("", "/"):
        read["virtual_host"] = unquote(parts.path[1:])
    return read


def _uri_fault(parts: SplitResult) -> str | None:
    """Return what is wrong with a URI, quoting nothing that may be a password."""
    faults = {
        f"host is a URI of scheme {parts.scheme!r}": parts.scheme not in ("amqp", "amqps"),
        "host holds a password, which has no place in a file: set the variable of `password_env`": bool(parts.password),
        "host is a URI that names no host": not parts.hostname,
        "host has a `@` behind the host's name, where a password with a `/` may have led (in a name it is %40)": "@"
        in parts.path,
        "host is a URI with a query or fragment, which mean nothing here": bool(parts.query or parts.fragment),
        "host names a virtual host with a `/`, which is written %2F": "/" in parts.path[1:],
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def _host_and_port(text: str) -> dict[str, Any]:
    """Return host and port of `host`, `host:port`, `[address]:port`, or of a bare IPv6 address."""
    try:
        return {"host": str(ipaddress.ip_address(text))}
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, None
    if "@" in text:
        message = "host names a user: write amqp://user@host:port, and a password nowhere"
        raise ValueError(message)
    if not host or parts is None or parts.path or parts.query or parts.fragment:
        message = f"host = {text!r} is no host name, address, host:port or URI: write it in one of these ways"
        raise ValueError(message)
    return {"host": host} | ({"port": port} if port is not None else {})


class BrokerSettings(Frozen):
    """What every broker has in common."""

    name: BrokerName
    """How targets and reports call this broker."""
    kind: str
    """Its product; `bench broker list` tells which there are."""
    place: str = "sandbox"
    """Where it runs: `sandbox` (started by us), `external` (an address someone else runs), or one of another
    package; `bench broker list` tells which there are."""
    place_options: dict[str, str] = Field(default_factory=dict)
    """What only this place understands, by name; `bench broker list` tells."""
    optional: bool = False
    """Whether a run leaves this broker out, with its targets, where this host lacks its place or something for
    that, and says so; by default such a run is refused."""
    image: str = "stable"
    """Recipe of the cloud-services image it is started from."""
    memory: Memory = ByteSize(1024**3)
    """Memory cap of the whole broker, at least 256 MiB."""
    cpus: Annotated[CpuCount | CpuNumbers, BeforeValidator(count_or_numbers)] = 2
    """CPUs that the broker may use: how many, or a list of their numbers, such as `[2, 3]`, to which it is pinned."""
    transport: Literal["tcp", "tls"] = "tcp"
    """How we speak to a broker that we start; for `tls` throw-away certificates are made at each start."""
    sasl: Sasl = "plain"
    """How we log in to it: `plain` (user name and password), `external` (our certificate) or `anonymous`."""
    external: External | None = None
    """Address of an `external` broker."""

    @property
    def cpu_count(self) -> int:
        """How many CPUs it may use."""
        return self.cpus if isinstance(self.cpus, int) else len(self.cpus)

    @property
    def pinned(self) -> tuple[int, ...]:
        """The CPUs that it is pinned to; none where it may use any."""
        return () if isinstance(self.cpus, int) else self.cpus

    @model_validator(mode="after")
    def _external_has_an_address(self) -> "BrokerSettings":
        if (self.place == "external") != (self.external is not None) and self.place in ("external", "sandbox"):
            message = (
                f"place = {self.place!r}: the table `external` (host, port) goes with"
                " place = 'external', and only with it"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _its_security_fits(self) -> "BrokerSettings":
        if self.external is not None:
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
