"""Broker-J's initial configuration, command line and listeners, from settings."""

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from pydantic import ByteSize

from brokers.admin.base import Address
from brokers.endpoint import Endpoint, Protocol
from brokers.product import Site
from brokers.qpid_broker_j import config as qpid_broker_j_config
from brokers.qpid_broker_j.product import PRODUCT
from brokers.qpid_broker_j.settings import QpidBrokerJSettings

SETTINGS = QpidBrokerJSettings(name="q", kind="qpid-broker-j", memory=ByteSize(1024**3), cpus=2)
SITE = Site(PurePosixPath("/run/bench"), "127.0.0.1", {"amqp": 11111, "http": 11112}, PurePosixPath, "secret")


def _host(settings: QpidBrokerJSettings) -> dict[str, Any]:
    node = json.loads(qpid_broker_j_config.initial(settings, SITE))["virtualhostnodes"][0]
    host: dict[str, Any] = json.loads(node["virtualHostInitialConfiguration"])
    return {"node": node["type"], **host}


@pytest.mark.parametrize(
    ("store", "node", "host"), [("memory", "Memory", "Memory"), ("bdb", "JSON", "BDB"), ("derby", "JSON", "DERBY")]
)
def test_stores_have_their_types(store: str, node: str, host: str) -> None:
    """Each store is a type of virtual host in a node that fits it."""
    found = _host(SETTINGS.model_copy(update={"store": store}))
    assert (found["node"], found["type"]) == (node, host)


@pytest.mark.parametrize("cpus", [1, 2, 3, 8, 64, 1024])
def test_the_thread_pool_exceeds_its_selectors(cpus: int) -> None:
    """Otherwise the virtual host goes to ERROR while the broker says that it is ready."""
    size, selectors = qpid_broker_j_config.threads(cpus)
    assert size > selectors >= 1


def test_every_port_is_bound_to_loopback_and_plain_is_offered() -> None:
    """The default binding address is every interface, and PLAIN is for TLS only by default."""
    configuration = json.loads(qpid_broker_j_config.initial(SETTINGS, SITE))
    assert [port["bindingAddress"] for port in configuration["ports"]] == ["127.0.0.1", "127.0.0.1"]
    assert configuration["authenticationproviders"][0]["secureOnlyMechanisms"] == []


def test_tls_stands_on_the_port_of_amqp_alone() -> None:
    """With our PEM files, as the broker sees them; management stays as it is."""
    settings = SETTINGS.model_copy(update={"transport": "tls"})
    configuration = json.loads(qpid_broker_j_config.initial(settings, SITE))
    amqp, http = configuration["ports"]
    assert (amqp["transports"], amqp["keyStore"], amqp["needClientAuth"]) == (["SSL"], "server", "false")
    assert "transports" not in http
    assert configuration["keystores"][0]["privateKeyUrl"] == "file:/run/bench/tls/server-key.pem"
    assert configuration["truststores"][0]["certificatesUrl"] == "file:/run/bench/tls/ca.pem"


@pytest.mark.parametrize("sasl", ["plain", "external", "anonymous"])
def test_amqp_logs_in_as_asked_and_management_by_password(sasl: str) -> None:
    """EXTERNAL is the only one for which a client must show a certificate."""
    settings = SETTINGS.model_copy(update={"transport": "tls", "sasl": sasl})
    configuration = json.loads(qpid_broker_j_config.initial(settings, SITE))
    types = {provider["name"]: provider["type"] for provider in configuration["authenticationproviders"]}
    amqp, http = configuration["ports"]
    assert types[amqp["authenticationProvider"]] == sasl.capitalize()
    assert types[http["authenticationProvider"]] == "Plain"
    assert amqp["needClientAuth"] == ("true" if sasl == "external" else "false")


def test_unknown_queue_arguments_are_ignored() -> None:
    """Else an argument that another broker knows closes the connection."""
    assert _host(SETTINGS)["context"]["queue.behaviourOnUnknownDeclareArgument"] == "IGNORE"


def test_memory_is_divided_within_the_cap() -> None:
    """Half the cap is heap, a quarter direct memory, the rest the JVM's own."""
    command = qpid_broker_j_config.command(SETTINGS, SITE, PurePosixPath("/opt/lib"))
    assert "-Xmx512m" in command
    assert "-XX:MaxDirectMemorySize=256m" in command
    assert "-XX:ActiveProcessorCount=2" in command
    assert "bench.amqp=11111" in command
    assert "bench.http=11112" in command


def endpoint(protocol: Protocol) -> Endpoint:
    """Return where a driver reaches it."""
    listener = PRODUCT.listener(SETTINGS, protocol)
    assert listener is not None
    return listener.endpoint(Address("127.0.0.1", 11111, "default", "guest", "guest"))


def test_confirms_are_unadvertised_and_the_hostname_names_the_virtual_host() -> None:
    """Each protocol's endpoint carries its own trap, and not the other's."""
    assert endpoint("amqp091").confirms_unadvertised is True
    assert endpoint("amqp091").hostname is None
    assert endpoint("amqp10").confirms_unadvertised is False
    assert endpoint("amqp10").hostname == "default"
    assert endpoint("amqp10").address("a b") == "a b"


def test_every_setting_asked_is_among_those_reported() -> None:
    """So that a report can set them side by side."""
    assert set(qpid_broker_j_config.asked(SETTINGS)) <= set(qpid_broker_j_config.reported({}, {}, {}))


def test_the_runtime_names_java_vendor_and_collector() -> None:
    """From the attributes of the broker object."""
    broker = {"platform": "Debian 21.0.1+2", "jvmMemoryMaximumG1OldGen": 1}
    assert qpid_broker_j_config.runtime(broker) == "Java 21.0.1+2 (Debian), G1"


def test_a_failed_virtual_host_is_a_reason_although_the_broker_says_ready() -> None:
    """BRK-1004 is printed in either case."""
    log = 'x VHT-1011 : Open : "default" : FAILURE\ny BRK-1004 : Qpid Broker Ready\n'
    assert qpid_broker_j_config.LOG.says_failed(log)
    assert not qpid_broker_j_config.LOG.says_failed(log.replace("FAILURE", "SUCCESS"))
    assert qpid_broker_j_config.LOG.why(log) == ['x VHT-1011 : Open : "default" : FAILURE']
