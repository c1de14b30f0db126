"""RabbitMQ's files, environment, listeners and queues, from settings."""

from pathlib import PurePosixPath

import pytest
from pydantic import ByteSize

from brokers.admin.base import Address
from brokers.endpoint import Endpoint, Protocol
from brokers.product import Site
from brokers.rabbitmq import config as rabbitmq_config
from brokers.rabbitmq.product import PRODUCT
from brokers.rabbitmq.settings import RabbitMQSettings

SETTINGS = RabbitMQSettings(name="r", kind="rabbitmq", memory=ByteSize(1024**3), cpus=3)
SITE = Site(
    PurePosixPath("/run/bench"), "127.0.0.1", {"amqp": 11111, "epmd": 11113, "dist": 11114}, PurePosixPath, "secret"
)


def test_config_listens_on_loopback_with_an_absolute_watermark() -> None:
    """The relative default differs by version and counts the host's memory, so it is never used."""
    lines = rabbitmq_config.config(SETTINGS, SITE).splitlines()
    assert "listeners.tcp.1 = 127.0.0.1:11111" in lines
    assert "vm_memory_high_watermark.absolute = 644245094" in lines
    assert not any("relative" in line for line in lines)


def test_connections_are_logged_from_warnings_on() -> None:
    """A burst of connections would overload the logger with their `info` lines; all else is logged at `info`."""
    lines = rabbitmq_config.config(SETTINGS, SITE).splitlines()
    assert "log.connection.level = warning" in lines
    assert "log.console.level = info" in lines


def secured(transport: str, sasl: str) -> tuple[list[str], str]:
    """Return the lines of rabbitmq.conf and the list of plugins."""
    files = rabbitmq_config.files(SETTINGS.model_copy(update={"transport": transport, "sasl": sasl}), SITE)
    return files["rabbitmq.conf"].splitlines(), files["enabled_plugins"]


@pytest.mark.parametrize(("sasl", "verify", "needed"), [("plain", "none", "false"), ("external", "peer", "true")])
def test_tls_is_the_only_listener_and_asks_for_a_certificate_only_to_log_in(
    sasl: str, verify: str, needed: str
) -> None:
    """Files are named as the server sees them."""
    lines, _ = secured("tls", sasl)
    assert "listeners.tcp = none" in lines
    assert "listeners.ssl.1 = 127.0.0.1:11111" in lines
    assert "ssl_options.keyfile = /run/bench/tls/server-key.pem" in lines
    assert f"ssl_options.verify = verify_{verify}" in lines
    assert f"ssl_options.fail_if_no_peer_cert = {needed}" in lines


def test_one_mechanism_is_offered_with_its_user() -> None:
    """So that what was asked for is what was measured; only EXTERNAL wants a plugin."""
    for sasl, line, plugins in (
        ("plain", "auth_mechanisms.1 = PLAIN", "[].\n"),
        ("external", "default_user = busbench", "[rabbitmq_auth_mechanism_ssl].\n"),
        ("anonymous", "anonymous_login_pass = secret", "[].\n"),
    ):
        lines, enabled = secured("tls", sasl)
        assert line in lines
        assert [part for part in lines if part.startswith("auth_mechanisms")] == [f"auth_mechanisms.1 = {sasl.upper()}"]
        assert enabled == plugins


def test_environment_holds_every_port_on_loopback() -> None:
    """epmd, distribution and scheduler count are set, and the packaged environment is shut out."""
    environment = rabbitmq_config.environment(SETTINGS, SITE)
    assert environment["ERL_EPMD_PORT"] == "11113"
    assert environment["ERL_EPMD_ADDRESS"] == "127.0.0.1"
    assert environment["RABBITMQ_DIST_PORT"] == "11114"
    assert environment["RABBITMQ_CONF_ENV_FILE"] == "/dev/null"
    assert "+S 3:3" in environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
    assert "inet_dist_use_interface {127,0,0,1}" in environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
    written = (environment[name] for name in ("HOME", "RABBITMQ_MNESIA_BASE", "RABBITMQ_LOG_BASE"))
    assert all(path.startswith("/run/bench/") for path in written)


def test_queue_types_follow_durability() -> None:
    """By default transient workloads get classic queues, durable ones quorum queues."""
    transient, durable = (PRODUCT.queue(SETTINGS, durable=durable).kind for durable in (False, True))
    assert transient.arguments == {"x-queue-type": "classic"}
    assert transient.durable is False
    assert durable.arguments == {"x-queue-type": "quorum"}
    assert durable.durable is True


def test_a_quorum_queue_is_declared_durable_for_transient_workloads_too() -> None:
    """A quorum queue that is not durable is refused by the server."""
    settings = SETTINGS.model_copy(update={"transient_queue": "quorum"})
    assert PRODUCT.queue(settings, durable=False).kind.durable is True


def endpoint(protocol: Protocol) -> Endpoint:
    """Return where a driver reaches it."""
    listener = PRODUCT.listener(SETTINGS, protocol)
    assert listener is not None
    return listener.endpoint(Address("127.0.0.1", 11111, "/", "guest", "guest"))


def test_addresses_are_version_2_over_amqp10_only() -> None:
    """`/queues/` stands before the percent-encoded name over 1.0; 0-9-1 uses the bare name."""
    assert endpoint("amqp10").address("a b") == "/queues/a%20b"
    assert endpoint("amqp10").hostname == "vhost:/"
    assert endpoint("amqp091").address("a b") == "a b"
    assert endpoint("amqp091").confirms_unadvertised is False


def test_every_setting_asked_is_among_those_reported() -> None:
    """What the server answers has the names under which it was asked, queue types aside."""
    answer = rabbitmq_config.answer(
        '{ok, "schedulers=3;memory watermark=1 bytes;disk free limit=2 bytes;credit flow={400,200};'
        'connection log=warning"}'
    )
    assert answer["credit flow"] == "{400,200}"
    asked = set(rabbitmq_config.asked(SETTINGS)) - {"transient queue", "durable queue"}
    assert asked <= set(answer)


def test_no_answer_reports_nothing() -> None:
    """Where the server did not answer, no setting is invented."""
    assert rabbitmq_config.answer("erl_call: failed to connect to node bench@localhost") == {}


def test_the_runtime_is_read_from_the_banner() -> None:
    """Erlang's version goes with its JIT mark."""
    assert rabbitmq_config.runtime("  Erlang:      27.3.4.1 [jit]\n  TLS Library: x") == "Erlang 27.3.4.1 [jit]"
    assert rabbitmq_config.runtime("") == "Erlang, version unknown"


def test_ready_is_the_end_of_the_start() -> None:
    """The line of the listener, which comes earlier, is not enough."""
    assert not rabbitmq_config.LOG.says_ready("started TCP listener on 127.0.0.1:11111")
    assert rabbitmq_config.LOG.says_ready("  Starting broker... completed with 0 plugins.")


def test_reasons_are_quoted_once_without_time_stamps() -> None:
    """Rulers and repetitions go, the reason stays."""
    log = (
        "2026-01-01 00:00:00.000000+00:00 [info] <0.1.0> fine\n"
        "2026-01-01 00:00:00.000000+00:00 [error] <0.1.0> ===========\n"
        "2026-01-01 00:00:00.000000+00:00 [error] <0.1.0> ERROR: could not bind: eaddrinuse\n"
        "2026-01-01 00:00:00.000001+00:00 [error] <0.1.0> ERROR: could not bind: eaddrinuse\n"
    )
    assert rabbitmq_config.LOG.why(log) == ["[error] ERROR: could not bind: eaddrinuse"]


@pytest.mark.parametrize(
    ("version", "prefix", "exchanges"),
    [
        ("3.10.8", "/amq/queue/", "/exchange/"),
        ("3.13.7", "/amq/queue/", "/exchange/"),
        ("4.0.5", "/queues/", "/exchanges/"),
        ("", "/queues/", "/exchanges/"),
    ],
)
def test_addresses_are_those_of_the_reported_version(version: str, prefix: str, exchanges: str) -> None:
    """Format v2 came with 4.0; a server that does not say what it is counts as a new one."""
    first, second = (PRODUCT.dialect(one, version) for one in PRODUCT.listeners(SETTINGS))
    assert first == PRODUCT.listeners(SETTINGS)[0]
    assert second.address_prefix == prefix
    at = second.endpoint(Address("h", 1, "/", "", ""))
    assert at.address("a b") == f"{prefix}a%20b"
    assert at.destination("x", "a b").address == f"{exchanges}x/a%20b"


def test_transient_messages_may_be_put_on_a_durable_queue() -> None:
    """Where a server permits no transient queues; its refusal says how to ask for that."""
    asked = SETTINGS.model_copy(update={"transient_queue": "durable-classic"})
    queue = PRODUCT.queue(asked, durable=False)
    assert (queue.name, queue.kind.durable, queue.kind.arguments) == (
        "durable-classic",
        True,
        {"x-queue-type": "classic"},
    )
    assert not PRODUCT.queue(SETTINGS, durable=False).kind.durable
    denied = "541 INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated."
    assert "use transient_queue = 'durable-classic'" in PRODUCT.advice(SETTINGS, denied, durable=False)
    assert PRODUCT.advice(SETTINGS, "403 ACCESS_REFUSED", durable=False) == ""
