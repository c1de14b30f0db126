"""Apache ActiveMQ Artemis 2.44: from settings to its files, command line and environment. Pure.

Sources: https://artemis.apache.org/components/artemis/documentation/2.44.0/ (address settings,
AMQP, configuration reference, persistence, security), and what the broker does.
"""

from pathlib import PurePosixPath

from brokers import certificates, java
from brokers.artemis.settings import ArtemisSettings
from brokers.durability import DurabilityClass
from brokers.endpoint import Sasl
from brokers.product import USER, Site

PRODUCT = "Apache ActiveMQ Artemis"
ANNOUNCED = "apache-activemq-artemis"
"""`product` among the properties of its open frame."""
ROLE = "bench"
DOMAIN = "bench"
"""Name of the login configuration."""
DIRECT_SHARE = 0.25
MESSAGES_SHARE = 0.5
"""Share of the heap that messages may take before their senders are held back; Artemis's own default."""
CREDIT, LOW_CREDIT = 1000, 300
"""What a sender is granted, and where it is topped up; Artemis's own defaults, written down."""
STORES = {"memory": "none", "nio": "NIO"}
"""Journal type, by store."""
PROMISES = {"memory": DurabilityClass.NONE, "nio": DurabilityClass.SYSTEM}
"""What a confirm of a durable message promises.

Counted by strace over 250 messages sent one by one, each awaited: 265 calls of fdatasync, those of
the queue's own records among them. All of 5,450 confirmed messages were there after kill -9.
"""


def heap(settings: ArtemisSettings) -> int:
    """Return the Java heap in MiB; all that a message is lives here."""
    return java.heap(settings.memory, settings.heap_share)


def direct(settings: ArtemisSettings) -> int:
    """Return the direct memory in MiB: buffers of connections and of the journal."""
    return int(settings.memory * DIRECT_SHARE) // 1024**2


def messages(settings: ArtemisSettings) -> int:
    """Return the MiB of messages at which senders get no more credit (global-max-size)."""
    return int(heap(settings) * MESSAGES_SHARE)


def files(settings: ArtemisSettings, site: Site) -> dict[str, str]:
    """Return its configuration by path below its folder.

    Args:
        settings: what is wanted.
        site: where it runs.
    """
    home = site.home
    found = {
        "etc/broker.xml": _broker(settings, site),
        "etc/bootstrap.xml": _bootstrap(home),
        # It does not start without one.
        "etc/management.xml": _XML + '<management-context xmlns="http://activemq.apache.org/schema"/>\n',
        "etc/login.config": _login(settings.sasl),
        "etc/log4j2.properties": _LOGGING,
        "etc/roles.properties": f"{ROLE} = {USER}\n",
        "etc/users.properties": f"{USER} = {site.password}\n",
    }
    if settings.sasl == "external":
        found["etc/users.properties"] = f"{USER} = {certificates.CLIENT_SUBJECT}\n"
    if settings.transport == "tls":
        tls = home / certificates.FOLDER
        found["etc/server.pemcfg"] = (
            f"source.key = {tls / certificates.SERVER_KEY}\nsource.cert = {tls / certificates.SERVER}\n"
        )
    return found


FOLDERS = ("data", "tmp")
"""What must exist besides: Netty unpacks its native library into the second."""


def command(settings: ArtemisSettings, site: Site, installation: PurePosixPath) -> tuple[str, ...]:
    """Return the command line.

    Args:
        settings: what is wanted.
        site: where it runs.
        installation: folder of the unpacked archive, as the broker sees it.
    """
    home = site.home
    return (
        *java.start(heap(settings), settings.cpu_count),
        f"-XX:MaxDirectMemorySize={direct(settings)}m",
        # Management over AMQP tells neither the runtime nor the heap: the log does.
        "--show-version",
        "-Xlog:gc+init",
        "--add-opens",
        "java.base/jdk.internal.misc=ALL-UNNAMED",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        f"-Djava.library.path={installation / 'bin/lib/linux-x86_64'}",
        f"-Djava.security.auth.login.config={home / 'etc/login.config'}",
        f"-Dlog4j2.configurationFile=file:{home / 'etc/log4j2.properties'}",
        "-Dlog4j2.disableJmx=true",
        f"-Dartemis.home={installation}",
        f"-Dartemis.instance={home}",
        f"-Dartemis.instance.etc={home / 'etc'}",
        "-cp",
        str(installation / "lib/artemis-boot.jar"),
        "org.apache.activemq.artemis.boot.Artemis",
        "run",
    )


def environment(home: PurePosixPath, installation: PurePosixPath) -> dict[str, str]:
    """Return the whole environment."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "ARTEMIS_HOME": str(installation),
        "ARTEMIS_INSTANCE": str(home),
    }


_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_PERMISSIONS = (
    "createNonDurableQueue",
    "deleteNonDurableQueue",
    "createDurableQueue",
    "deleteDurableQueue",
    "createAddress",
    "deleteAddress",
    "consume",
    "browse",
    "send",
    "manage",
)
_LOGGING = java.console_log({"org.apache.activemq": "INFO", "org.apache.activemq.audit": "OFF"})


def _broker(settings: ArtemisSettings, site: Site) -> str:
    home = site.home
    permissions = "\n".join(f'    <permission type="{name}" roles="{ROLE}"/>' for name in _PERMISSIONS)
    timeout = settings.buffer_timeout_us
    journal = "" if timeout is None else f"  <journal-buffer-timeout>{timeout * 1_000}</journal-buffer-timeout>\n"
    # Otherwise it looks for libaio, also where nothing is kept. Debian 13 has that library under another name
    # (libaio.so.1t64), which Artemis does not find.
    journal = "  <journal-type>NIO</journal-type>\n" + journal
    return f"""\
{_XML}<configuration xmlns="urn:activemq">
 <core xmlns="urn:activemq:core">
  <name>bench</name>
  <persistence-enabled>{str(settings.store != "memory").lower()}</persistence-enabled>
{journal}  <journal-datasync>true</journal-datasync>
  <journal-pool-files>10</journal-pool-files>
  <journal-directory>{home}/data/journal</journal-directory>
  <bindings-directory>{home}/data/bindings</bindings-directory>
  <large-messages-directory>{home}/data/large</large-messages-directory>
  <paging-directory>{home}/data/paging</paging-directory>
  <global-max-size>{messages(settings)}M</global-max-size>
  <critical-analyzer-policy>LOG</critical-analyzer-policy>
  <acceptors>
   <acceptor name="amqp">{_acceptor(settings, site)}</acceptor>
  </acceptors>
  <security-settings>
   <security-setting match="#">
{permissions}
   </security-setting>
  </security-settings>
  <address-settings>
   <address-setting match="#">
    <default-address-routing-type>ANYCAST</default-address-routing-type>
    <default-queue-routing-type>ANYCAST</default-queue-routing-type>
    <address-full-policy>BLOCK</address-full-policy>
    <max-delivery-attempts>-1</max-delivery-attempts>
    <auto-create-queues>false</auto-create-queues>
    <auto-create-addresses>false</auto-create-addresses>
    <auto-delete-queues>false</auto-delete-queues>
    <auto-delete-addresses>false</auto-delete-addresses>
   </address-setting>
  </address-settings>
 </core>
</configuration>
"""


def _acceptor(settings: ArtemisSettings, site: Site) -> str:
    options: dict[str, object] = {
        "protocols": "AMQP",
        "saslMechanisms": settings.sasl.upper(),
        "amqpCredits": CREDIT,
        "amqpLowCredits": LOW_CREDIT,
        # Otherwise it wants a frame every 30 s.
        "amqpIdleTimeout": 0,
    }
    if settings.transport == "tls":
        options |= {
            "sslEnabled": "true",
            "keyStoreType": "PEMCFG",
            "keyStorePath": site.home / "etc/server.pemcfg",
            "trustStoreType": "PEMCA",
            "trustStorePath": site.home / certificates.FOLDER / certificates.CA,
            "needClientAuth": str(settings.sasl == "external").lower(),
        }
    return f"tcp://{site.host}:{site.ports['amqp']}?" + ";".join(f"{name}={value}" for name, value in options.items())


def _bootstrap(home: PurePosixPath) -> str:
    return f"""\
{_XML}<broker xmlns="http://activemq.apache.org/schema">
 <jaas-security domain="{DOMAIN}"/>
 <server configuration="file:{home}/etc/broker.xml"/>
</broker>
"""


_MODULES: dict[Sasl, tuple[str, dict[str, str]]] = {
    "plain": (
        "PropertiesLoginModule",
        {"properties.user": "users.properties", "properties.role": "roles.properties"},
    ),
    "external": (
        "TextFileCertificateLoginModule",
        {"textfiledn.user": "users.properties", "textfiledn.role": "roles.properties"},
    ),
    "anonymous": ("GuestLoginModule", {"guest.user": USER, "guest.role": ROLE}),
}


def _login(sasl: Sasl) -> str:
    """Return the login configuration of Java; a refused module refuses all."""
    module, options = _MODULES[sasl]
    lines = "".join(f'\n  org.apache.activemq.jaas.{name}="{value}"' for name, value in options.items())
    return f"{DOMAIN} {{\n org.apache.activemq.artemis.spi.core.security.jaas.{module} required{lines};\n}};\n"
