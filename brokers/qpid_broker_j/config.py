"""Apache Qpid Broker-J: from settings to its initial configuration, command line; its words in the log. Pure.

Sources: https://qpid.apache.org/releases/qpid-broker-j-10.1.0/book/ (initial configuration,
virtual host nodes, context variables), and what the broker does.
"""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from brokers import certificates, java
from brokers.log_patterns import LogPatterns
from brokers.product import USER, Site
from brokers.qpid_broker_j.settings import QpidBrokerJSettings

MODEL_VERSION = "9.1"
VIRTUAL_HOST = "default"
DIRECT_SHARE = 0.25
STORES = {"memory": "Memory", "bdb": "BDB", "derby": "DERBY"}
"""Type of the virtual host, by store."""


def heap(settings: QpidBrokerJSettings) -> int:
    """Return the Java heap in MiB."""
    return java.heap(settings.memory, settings.heap_share)


def direct(settings: QpidBrokerJSettings) -> int:
    """Return the direct memory, where message bodies live, in MiB."""
    return int(settings.memory * DIRECT_SHARE) // 1024**2


def threads(cpus: int) -> tuple[int, int]:
    """Return size and selectors of the connection thread pool.

    A virtual host whose pool is not larger than its number of selectors goes to ERROR.
    """
    return max(4, 2 * cpus), max(1, cpus // 2)


def initial(settings: QpidBrokerJSettings, site: Site) -> str:
    """Return the initial configuration, JSON.

    Args:
        settings: what is wanted.
        site: where it runs.
    """
    size, selectors = threads(settings.cpu_count)
    host = {
        "type": STORES[settings.store],
        "context": {
            "virtualhost.connectionThreadPool.size": str(size),
            "virtualhost.connectionThreadPool.numberOfSelectors": str(selectors),
            # Otherwise an unknown argument of queue.declare closes the connection (542).
            "queue.behaviourOnUnknownDeclareArgument": "IGNORE",
        },
    }
    node = {
        "name": VIRTUAL_HOST,
        "type": "Memory" if settings.store == "memory" else "JSON",
        "defaultVirtualHostNode": "true",
        "virtualHostInitialConfiguration": json.dumps(host),
    }
    configuration: dict[str, Any] = {
        "name": "bench",
        "modelVersion": MODEL_VERSION,
        "authenticationproviders": _logins(settings, site.password),
        "brokerloggers": [_logger()],
        "ports": [
            _port("AMQP", site.host, ["AMQP_0_9_1", "AMQP_1_0"], settings.sasl),
            _port("HTTP", site.host, ["HTTP"], "plain"),
        ],
        "plugins": [{"type": "MANAGEMENT-HTTP", "name": "httpManagement", "httpBasicAuthenticationEnabled": "true"}],
        "virtualhostnodes": [node],
    }
    if settings.transport == "tls":
        configuration |= _stores(site.home / certificates.FOLDER)
        configuration["ports"][0] |= {
            "transports": ["SSL"],
            "keyStore": "server",
            "trustStores": ["clients"],
            "needClientAuth": str(settings.sasl == "external").lower(),
        }
    return json.dumps(configuration, indent=1)


def _logins(settings: QpidBrokerJSettings, password: str) -> list[dict[str, Any]]:
    """Return the authentication providers: PLAIN for management, and what else is asked for AMQP."""
    plain = {
        "name": "plain",
        "type": "Plain",
        # Otherwise PLAIN is not offered on a connection without TLS.
        "secureOnlyMechanisms": [],
        "users": [{"name": USER, "type": "managed", "password": password}],
    }
    if settings.sasl == "plain":
        return [plain]
    return [plain, {"name": settings.sasl, "type": settings.sasl.capitalize()}]


def _stores(folder: PurePosixPath) -> dict[str, Any]:
    """Return where our PEM files are; the other kinds of stores are Java's own."""
    key, certificate = folder / certificates.SERVER_KEY, folder / certificates.SERVER
    return {
        "keystores": [
            {
                "name": "server",
                "type": "NonJavaKeyStore",
                "privateKeyUrl": f"file:{key}",
                "certificateUrl": f"file:{certificate}",
            }
        ],
        "truststores": [
            {"name": "clients", "type": "NonJavaTrustStore", "certificatesUrl": f"file:{folder / certificates.CA}"}
        ],
    }


def _logger() -> dict[str, Any]:
    rules = [("Root", "WARN", "ROOT"), ("Operational", "INFO", "qpid.message.*")]
    return {
        "name": "console",
        "type": "Console",
        "consoleStreamTarget": "STDOUT",
        "brokerloginclusionrules": [
            {"name": name, "type": "NameAndLevel", "level": level, "loggerName": logger}
            for name, level, logger in rules
        ],
    }


def _port(name: str, host: str, protocols: list[str], login: str) -> dict[str, Any]:
    port: dict[str, Any] = {
        "name": name,
        "port": f"${{bench.{name.lower()}}}",
        "bindingAddress": host,  # the default is every interface
        "authenticationProvider": login,
        "protocols": protocols,
    }
    if name == "AMQP":
        aliases = ("nameAlias", "defaultAlias", "hostnameAlias")
        port["virtualhostaliases"] = [{"name": alias, "type": alias} for alias in aliases]
    return port


def command(settings: QpidBrokerJSettings, site: Site, library: PurePosixPath) -> tuple[str, ...]:
    """Return the command line.

    Args:
        settings: what is wanted.
        site: where it runs.
        library: folder of its jars, as it sees it.
    """
    return (
        *java.start(heap(settings), settings.cpu_count),
        f"-XX:MaxDirectMemorySize={direct(settings)}m",
        f"-DQPID_WORK={site.home / 'work'}",
        "-cp",
        f"{library}/*",
        "org.apache.qpid.server.Main",
        "-icp",
        str(site.home / "initial.json"),
        "-st",
        "JSON",
        "-prop",
        f"bench.amqp={site.ports['amqp']}",
        "-prop",
        f"bench.http={site.ports['http']}",
    )


def environment(home: PurePosixPath) -> dict[str, str]:
    """Return the whole environment."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(home)}


def asked(settings: QpidBrokerJSettings) -> dict[str, str]:
    """Return the settings as asked, by the names under which `reported` has them."""
    size, selectors = threads(settings.cpu_count)
    return {
        "store": STORES[settings.store],
        "heap": f"{heap(settings) * 1024**2} bytes",
        "direct memory": f"{direct(settings) * 1024**2} bytes",
        "cores": str(settings.cpu_count),
        "connection threads": str(size),
        "selectors": str(selectors),
    }


def reported(broker: Mapping[str, Any], host: Mapping[str, Any], queue: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings in three objects of the management interface (REST)."""
    found = {
        "store": host.get("type"),
        "heap": f"{broker.get('maximumHeapMemorySize')} bytes",
        "direct memory": f"{broker.get('maximumDirectMemorySize')} bytes",
        "cores": broker.get("numberOfCores"),
        "connection threads": host.get("connectionThreadPoolSize"),
        "selectors": host.get("numberOfSelectors"),
        "flow to disk": f"{broker.get('flowToDiskThreshold')} bytes",
        "queue type": queue.get("type"),
        "queue overflow policy": queue.get("overflowPolicy"),
    }
    return {name: str(value) for name, value in found.items()}


def runtime(broker: Mapping[str, Any]) -> str:
    """Return the Java runtime with its collector: `Java 21.0.13 (Debian), G1`."""
    vendor, _, version = str(broker.get("platform")).partition(" ")
    collector = "G1" if any("G1" in name for name in broker) else "collector unknown"
    return f"Java {version} ({vendor}), {collector}"


# Words of 10.1 (its *_logmessages.properties).
LOG = LogPatterns(
    ready=re.compile("BRK-1004"),  # said also where a virtual host failed
    # A part that did not start, and a port or virtual host that did not open.
    failed=re.compile("BRK-1019|: FAILURE"),
    reasons=re.compile(
        r"BRK-1019|PRT-1009|: FAILURE|\bERROR\b|OutOfMemoryError|already in use|Exception\b|^Error|too small|Could not",
    ),
    alarms=(
        re.compile(r"\b(?P<what>VHT-1006 : Filesystem is over\b.*)"),
        re.compile(r"\b(?P<what>QUE-1003 : Overfull\b.*)"),
    ),
    # It prints its start without a time as well, which would count it twice.
    started=re.compile(r"^\d{4}-.*\bBRK-1001 : Startup\b", re.MULTILINE),
)
