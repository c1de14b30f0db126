"""TLS and SASL on real brokers, from the settings to messages that drivers exchange."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.drivers.base import ConnectionLost, Refused
from bench.drivers.registry import open_port
from brokers import certificates
from brokers.base import Broker, BrokerError
from brokers.endpoint import Tls
from brokers.opening import open_broker
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from tests.live.conftest import Starter
from tests.live.driver_exchange import CLOCK, TLS_DRIVERS, credentials, endpoint, exchange, port, queue, spec

KINDS: dict[str, type[RabbitMQSettings] | type[QpidBrokerJSettings]] = {
    "rabbitmq": RabbitMQSettings,
    "qpid-broker-j": QpidBrokerJSettings,
}


def _settings(kind: str, **asked: Any) -> RabbitMQSettings | QpidBrokerJSettings:
    store = {"store": "memory"} if kind == "qpid-broker-j" else {}
    return KINDS[kind].model_validate({"name": "secure", "kind": kind, **store, **asked})


def _far(kind: str, near: Broker, sasl: str, **tls: Any) -> Broker:
    """Return a broker as an external one."""
    at = near.endpoint("amqp091")
    return open_broker(
        _settings(kind, place="external", external={"port": at.port, "sasl": sasl, "tls": tls}),
        Path("unused"),
        None,
        {} if sasl != "plain" else credentials(near),
    )


def _exchange(broker: Broker) -> None:
    """Small messages in number, and large ones of several TLS records each."""
    for driver in TLS_DRIVERS:
        for size, messages in ((100, 500), (100_000, 20)):
            with queue(broker) as name, port(driver, spec(endpoint(broker, driver), (name,), (name,), size)) as opened:
                rows = exchange(opened, messages)
            assert [row[2] for row in rows.delivered] == list(range(messages)), (driver, size)


def _no_port(broker: Broker, tls: Tls | None, says: str) -> None:
    """No driver opens with these settings of TLS, and each says why, once and in one line."""
    for driver in TLS_DRIVERS:
        at = replace(endpoint(broker, driver), tls=tls)
        with pytest.raises((Refused, ConnectionLost), match=says) as caught:
            open_port(driver, spec(at, ("q",)), CLOCK)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["qpid-broker-j", pytest.param("rabbitmq", marks=pytest.mark.soak)])
def test_tls_with_a_password(start_broker: Starter, tmp_path: Path, kind: str) -> None:
    """Messages pass; a foreign CA, a wrong name, and plain TCP are refused with the reason."""
    broker = start_broker(_settings(kind, transport="tls"))
    _exchange(broker)
    facts = broker.facts()
    assert (facts.reported["transport"], facts.reported["sasl"]) == ("tls", "plain")
    assert facts.reported["cipher"].startswith("TLSv1.3 ")

    certificates.make(tmp_path)
    foreign = str(tmp_path / certificates.CA)
    tls = broker.endpoint("amqp10").tls
    assert tls is not None
    untrusted = rf"its certificate does not pass: .*{foreign}"
    _no_port(broker, Tls(foreign), untrusted)
    _no_port(broker, replace(tls, server_name="broker.example"), "not valid for 'broker.example'")
    _no_port(broker, None, "dropped|refused")
    with pytest.raises(BrokerError, match=rf"cannot be reached over TLS: correct `external\.tls`.*{untrusted}"):
        _far(kind, broker, "plain", ca=foreign).start()
    far = _far(kind, broker, "plain", ca=tls.ca_file)
    far.start()
    assert far.endpoint("amqp10").tls == tls
    far.stop()


@pytest.mark.parametrize("kind", ["rabbitmq", pytest.param("qpid-broker-j", marks=pytest.mark.soak)])
def test_tls_with_a_certificate(start_broker: Starter, kind: str) -> None:
    """SASL EXTERNAL logs in by the client's certificate; without one, or by PLAIN, nobody is let in."""
    broker = start_broker(_settings(kind, transport="tls", sasl="external"))
    _exchange(broker)
    tls = broker.endpoint("amqp10").tls
    assert tls is not None
    _no_port(broker, Tls(tls.ca_file), "refused .*certificate")
    for driver in TLS_DRIVERS:
        at = replace(endpoint(broker, driver), sasl="plain", username="guest", password="guest")
        with pytest.raises(Refused, match=r"does not offer SASL PLAIN|offers SASL .* and not PLAIN"):
            open_port(driver, spec(at, ("q",)), CLOCK)
    with pytest.raises(BrokerError, match=r"does not let us in by SASL ANONYMOUS"):
        _far(kind, broker, "anonymous", ca=tls.ca_file, certificate=tls.cert_file, key=tls.key_file).start()
    far = _far(kind, broker, "external", ca=tls.ca_file, certificate=tls.cert_file, key=tls.key_file)
    far.start()
    _exchange(far)
    far.stop()


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_tls_with_no_name(start_broker: Starter, kind: str) -> None:
    """SASL ANONYMOUS takes no account; a user name is not offered a way in."""
    broker = start_broker(_settings(kind, transport="tls", sasl="anonymous"))
    assert broker.endpoint("amqp091").username == ""
    _exchange(broker)
