"""The files and the command line of ActiveMQ Classic, from settings."""

import xml.etree.ElementTree as ET
from pathlib import PurePosixPath

import pytest
from pydantic import ByteSize

from brokers.activemq_classic import config
from brokers.activemq_classic.product import PRODUCT
from brokers.activemq_classic.settings import ActiveMQClassicSettings
from brokers.durability import DurabilityClass
from brokers.product import Site

SETTINGS = ActiveMQClassicSettings(name="a", kind="activemq-classic", memory=ByteSize(1024**3), cpus=2)
SITE = Site(PurePosixPath("/run/bench"), "10.0.2.15", {"amqp": 11111, "http": 22222}, PurePosixPath, "secret")
INSTALLATION = PurePosixPath("/opt/apache-activemq-5.17.6")
SPACES = {"b": "http://www.springframework.org/schema/beans", "a": "http://activemq.apache.org/schema/core"}


def _beans(settings: ActiveMQClassicSettings = SETTINGS) -> ET.Element:
    return ET.fromstring(config.files(settings, SITE)["etc/activemq.xml"])  # noqa: S314  (ours)


def _asked(**changes: object) -> ActiveMQClassicSettings:
    return SETTINGS.model_copy(update=changes)


def _of(path: str, settings: ActiveMQClassicSettings = SETTINGS) -> dict[str, str]:
    [found] = _beans(settings).findall(path, SPACES)
    return found.attrib


@pytest.mark.parametrize(
    ("disk_sync", "promise"),
    [
        ("always", DurabilityClass.SYSTEM),
        ("periodic", DurabilityClass.PROCESS),
        ("never", DurabilityClass.PROCESS),
    ],
)
def test_what_a_confirm_promises_is_when_the_journal_is_synchronised(disk_sync: str, promise: DurabilityClass) -> None:
    """The journal is in the broker's own folder, and the queue is told as what it promises."""
    settings = _asked(disk_sync=disk_sync)
    found = _of(".//a:kahaDB", settings)
    assert found == {"directory": "/run/bench/data/kahadb", "journalDiskSyncStrategy": disk_sync}
    assert _of("a:broker", settings)["persistent"] == "true"
    assert PRODUCT.queue(settings, durable=True).promises is promise


def test_without_a_store_nothing_is_kept() -> None:
    """Nor is a journal made."""
    settings = _asked(store="memory")
    assert _beans(settings).findall(".//a:kahaDB", SPACES) == []
    assert _of("a:broker", settings)["persistent"] == "false"
    assert PRODUCT.queue(settings, durable=False).promises is DurabilityClass.NONE


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"store": "memory"}, "store", "workload w is durable: use kahadb, or durable = false"),
        ({"store": "memory", "disk_sync": "never"}, "disk_sync", "a store in memory has no disk: leave it out"),
        ({"transport": "tls"}, "transport", "Java's own key stores, of which we make none: use 'tcp'"),
        ({"sasl": "anonymous"}, "sasl", "its management asks for a password"),
    ],
)
def test_what_does_not_go_together_is_named(changes: dict[str, object], field: str, says: str) -> None:
    """With what to do; what goes together is no fault."""
    found = dict(PRODUCT.checks(_asked(**changes), ["w"] if field == "store" else []))
    assert says in found.pop(field)
    assert found == {}
    assert [*PRODUCT.checks(SETTINGS, ["w"])] == []


def test_messages_that_end_are_gone() -> None:
    """Not in the queue of dead letters that it has otherwise; and a page holds more than a usual prefetch."""
    policies = _beans().findall(".//a:policyEntry", SPACES)
    assert [one.attrib.get("queue") or one.attrib["topic"] for one in policies] == [">", ">"]
    assert policies[0].attrib["maxPageSize"] == "5000"
    assert len(policies[0].findall("a:deadLetterStrategy/a:discarding", SPACES)) == 1
    assert {one.attrib["producerFlowControl"] for one in policies} == {"true"}


def test_only_messages_are_limited_not_the_disk() -> None:
    """Half of the heap, which is half of the cap; more disk than there is."""
    assert _of(".//a:memoryUsage/a:memoryUsage") == {"limit": "256 mb"}
    assert _of(".//a:storeUsage/a:storeUsage") == _of(".//a:tempUsage/a:tempUsage") == {"limit": "1000 gb"}


def test_amqp_and_its_management_are_all_that_it_listens_to() -> None:
    """At the site's address alone, without Java's remote management."""
    address, _, options = _of(".//a:transportConnector")["uri"].partition("?")
    assert address == "amqp://10.0.2.15:11111"
    assert "transport.wireFormat.idleTimeout=0" in options.split("&")
    web = [one.attrib["value"] for one in _beans().findall("b:bean[@id='web']/b:constructor-arg//*[@value]", SPACES)]
    assert web == ["10.0.2.15", "22222"]
    assert _of(".//a:managementContext/a:managementContext") == {"createConnector": "false"}


def test_nobody_is_let_in_without_the_password() -> None:
    """Over AMQP, as over HTTP; it stands on no command line and in no environment."""
    assert _of(".//a:simpleAuthenticationPlugin") == {}
    user = {"username": "guest", "password": "secret", "groups": "admins"}
    assert _of(".//a:authenticationUser") == user
    assert config.files(SETTINGS, SITE)["etc/realm.properties"] == "guest: secret, admin\n"
    shown = (*config.command(SETTINGS, SITE, INSTALLATION), *config.environment(SITE.home).values())
    assert not any("secret" in one for one in shown)


def test_the_command_line_keeps_to_its_folder_and_its_share() -> None:
    """Data, temporary files and configuration; half the cap is heap."""
    command = config.command(SETTINGS, SITE, INSTALLATION)
    assert {"-Xmx512m", "-XX:ActiveProcessorCount=2", "-Djava.io.tmpdir=/run/bench/tmp"} <= {*command}
    assert {"-Dactivemq.base=/run/bench", "-Dactivemq.data=/run/bench/data"} <= {*command}
    assert command[-3:] == (f"{INSTALLATION}/bin/activemq.jar", "start", "xbean:file:/run/bench/etc/activemq.xml")
