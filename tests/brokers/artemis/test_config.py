"""Artemis's files and command line, from settings."""

import xml.etree.ElementTree as ET
from pathlib import PurePosixPath

import pytest
from pydantic import ByteSize

from brokers.artemis import config
from brokers.artemis.settings import ArtemisSettings
from brokers.product import Site

SETTINGS = ArtemisSettings(name="a", kind="artemis", memory=ByteSize(1024**3), cpus=2)
SITE = Site(PurePosixPath("/run/bench"), "10.0.2.15", {"amqp": 11111}, PurePosixPath, "secret")
INSTALLATION = PurePosixPath("/opt/apache-artemis/2.44.0")
NAMESPACE = {"c": "urn:activemq:core"}


def _core(settings: ArtemisSettings) -> ET.Element:
    core = ET.fromstring(config.files(settings, SITE)["etc/broker.xml"]).find("c:core", NAMESPACE)  # noqa: S314  (ours)
    assert core is not None
    return core


def _text(settings: ArtemisSettings, name: str) -> str | None:
    return _core(settings).findtext(f".//c:{name}", None, NAMESPACE)


def _acceptor(settings: ArtemisSettings) -> tuple[str, dict[str, str]]:
    address, _, options = str(_text(settings, "acceptor")).partition("?")
    return address, dict(option.split("=", 1) for option in options.split(";"))


@pytest.mark.parametrize(
    ("store", "persistence"),
    [("memory", "false"), ("nio", "true")],
)
def test_the_journal_is_never_looked_for_in_libaio(store: str, persistence: str) -> None:
    """Not where nothing is kept either; it is synchronised before a message is confirmed."""
    settings = SETTINGS.model_copy(update={"store": store})
    assert _text(settings, "persistence-enabled") == persistence
    assert _text(settings, "journal-type") == "NIO"
    assert _text(settings, "journal-datasync") == "true"


def test_the_journal_waits_as_long_as_asked() -> None:
    """In its own unit, ns; by default it is left to Artemis."""
    assert _text(SETTINGS, "journal-buffer-timeout") is None
    assert _text(SETTINGS.model_copy(update={"buffer_timeout_us": 500}), "journal-buffer-timeout") == "500000"


def test_a_full_broker_holds_senders_back() -> None:
    """It neither drops nor pages; and nothing is created unasked, so that a lost queue is noticed."""
    assert _text(SETTINGS, "address-full-policy") == "BLOCK"
    assert _text(SETTINGS, "global-max-size") == "256M"
    assert [_text(SETTINGS, f"auto-create-{what}") for what in ("queues", "addresses")] == ["false", "false"]
    assert _text(SETTINGS, "default-address-routing-type") == "ANYCAST"


def test_amqp_is_all_that_it_listens_to() -> None:
    """At the site's address alone."""
    address, options = _acceptor(SETTINGS)
    assert address == "tcp://10.0.2.15:11111"
    assert (options["protocols"], options["saslMechanisms"], options["amqpIdleTimeout"]) == ("AMQP", "PLAIN", "0")
    assert "sslEnabled" not in options


@pytest.mark.parametrize(("sasl", "asks"), [("plain", "false"), ("anonymous", "false"), ("external", "true")])
def test_tls_is_spoken_with_our_pem_files(sasl: str, asks: str) -> None:
    """EXTERNAL is the only one for which a client must show a certificate."""
    settings = SETTINGS.model_copy(update={"transport": "tls", "sasl": sasl})
    _, options = _acceptor(settings)
    assert (options["sslEnabled"], options["keyStoreType"], options["needClientAuth"]) == ("true", "PEMCFG", asks)
    assert options["trustStorePath"] == "/run/bench/tls/ca.pem"
    assert config.files(settings, SITE)["etc/server.pemcfg"].splitlines() == [
        "source.key = /run/bench/tls/server-key.pem",
        "source.cert = /run/bench/tls/server.pem",
    ]


@pytest.mark.parametrize(
    ("sasl", "module", "users"),
    [
        ("plain", "PropertiesLoginModule", "guest = secret"),
        ("anonymous", "GuestLoginModule", "guest = secret"),
        ("external", "TextFileCertificateLoginModule", "guest = CN=busbench, OU=busbench, O=busbench"),
    ],
)
def test_each_mechanism_has_its_login(sasl: str, module: str, users: str) -> None:
    """One module; no other way in."""
    files = config.files(SETTINGS.model_copy(update={"transport": "tls", "sasl": sasl}), SITE)
    assert files["etc/login.config"].count("required") == 1
    assert f".{module} required" in files["etc/login.config"]
    assert files["etc/users.properties"].strip() == users
    assert files["etc/roles.properties"].strip() == f"{config.ROLE} = guest"


def test_every_file_in_xml_is_xml() -> None:
    """A broker that cannot read one ends without a sentence."""
    files = config.files(SETTINGS, SITE)
    for path in ("etc/broker.xml", "etc/bootstrap.xml", "etc/management.xml"):
        ET.fromstring(files[path])  # noqa: S314  (ours)


def test_memory_is_divided_within_the_cap() -> None:
    """Half the cap is heap, a quarter direct memory, the rest the JVM's own."""
    command = config.command(SETTINGS, SITE, INSTALLATION)
    assert "-Xmx512m" in command
    assert "-XX:MaxDirectMemorySize=256m" in command
    assert "-XX:ActiveProcessorCount=2" in command
    assert command[-2:] == ("org.apache.activemq.artemis.boot.Artemis", "run")


def test_nothing_is_written_outside_its_folder() -> None:
    """Data, temporary files and configuration."""
    command = config.command(SETTINGS, SITE, INSTALLATION)
    assert "-Djava.io.tmpdir=/run/bench/tmp" in command
    assert config.environment(SITE.home, INSTALLATION)["ARTEMIS_INSTANCE"] == "/run/bench"
    folders = [element.text for element in _core(SETTINGS) if element.tag.endswith("-directory")]
    assert len(folders) == 4
    assert all(str(folder).startswith("/run/bench/data/") for folder in folders)
