"""Apache ActiveMQ Classic 5.17: from settings to its files, command line and environment. Pure.

Sources: https://activemq.apache.org/components/classic/documentation/ (xml-configuration, amqp, kahadb,
producer-flow-control, per-destination-policies, message-redelivery-and-dlq-handling, rest), and what the broker does.
"""

from pathlib import PurePosixPath
from xml.sax.saxutils import quoteattr

from brokers import java
from brokers.activemq_classic.settings import ActiveMQClassicSettings
from brokers.durability import DurabilityClass
from brokers.product import USER, Site

PRODUCT = "Apache ActiveMQ Classic"
ANNOUNCED = "activemq"
"""`product` among the properties of its open frame."""
NAME = "bench"
"""Of the broker, in the names of its management beans."""
BEAN = f"org.apache.activemq:type=Broker,brokerName={NAME}"
"""The management bean that is the broker as a whole."""
MESSAGES_SHARE = 0.5
"""Share of the heap that messages may take before their senders are held back.

With ActiveMQ's own default, 0.7, a backlog ends the JVM (OutOfMemoryError) before any sender is held back: of 32 bytes
each at 246,000 messages in 512 MiB, as a small message takes twice the kibibyte that is counted for it.
Of messages of half a MiB and more a backlog may end it all the same, as each takes whole regions of the heap.
"""
CREDIT = 1000
"""What a sender is granted; ActiveMQ's own default, written down."""
PAGE = 5000
"""Messages that are handed out at most before one is settled (maxPageSize): with its own default, 200, a consumer that
holds 200 unsettled messages gets no more."""
STORE_LIMIT = "1000 gb"
"""More than any disk of ours has: the disk itself is the limit, not a setting."""
PROMISES = {
    "always": DurabilityClass.SYSTEM,
    "periodic": DurabilityClass.PROCESS,
    "never": DurabilityClass.PROCESS,
}
"""What a confirm of a durable message promises, by when the journal is synchronised.

Counted by strace over 100 messages sent one by one, each awaited: 100 calls of fsync with `always`, none otherwise.
All of 5,120 confirmed messages were there after kill -9, with `always` and with `never`.
"""
FOLDERS = ("data", "tmp")


def promise(settings: ActiveMQClassicSettings) -> DurabilityClass:
    """Return what a confirm of a durable message promises."""
    return DurabilityClass.NONE if settings.store == "memory" else PROMISES[settings.disk_sync]


def heap(settings: ActiveMQClassicSettings) -> int:
    """Return the Java heap in MiB; all that a message is lives here."""
    return java.heap(settings.memory, settings.heap_share)


def messages(settings: ActiveMQClassicSettings) -> int:
    """Return the MiB of messages at which senders get no more credit (memoryUsage)."""
    return int(heap(settings) * MESSAGES_SHARE)


def files(settings: ActiveMQClassicSettings, site: Site) -> dict[str, str]:
    """Return its configuration by path below its folder."""
    return {
        "etc/activemq.xml": _beans(settings, site),
        "etc/log4j2.properties": _LOGGING,
        "etc/realm.properties": f"{USER}: {site.password}, admin\n",
    }


def command(settings: ActiveMQClassicSettings, site: Site, installation: PurePosixPath) -> tuple[str, ...]:
    """Return the command line.

    Args:
        settings: what is wanted.
        site: where it runs.
        installation: folder of the unpacked archive, as the broker sees it.
    """
    home = site.home
    opened = [
        *("java.base/java.security", "java.base/java.net", "java.base/java.lang", "java.base/java.util"),
        *("java.naming/javax.naming.spi", "java.rmi/sun.rmi.transport.tcp"),
    ]
    return (
        *java.start(heap(settings), settings.cpu_count),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in opened),
        f"-Djava.io.tmpdir={home / 'tmp'}",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile=file:{home / 'etc/log4j2.properties'}",
        "-Dlog4j2.disableJmx=true",
        f"-Dactivemq.home={installation}",
        f"-Dactivemq.base={home}",
        f"-Dactivemq.conf={home / 'etc'}",
        f"-Dactivemq.data={home / 'data'}",
        "-jar",
        str(installation / "bin/activemq.jar"),
        "start",
        f"xbean:file:{home / 'etc/activemq.xml'}",
    )


def environment(home: PurePosixPath) -> dict[str, str]:
    """Return the whole environment."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(home)}


_LOGGING = java.console_log({"org.apache.activemq": "INFO"})


def _beans(settings: ActiveMQClassicSettings, site: Site) -> str:
    home = site.home
    store = ""
    if settings.store == "kahadb":
        store = (
            f'  <persistenceAdapter>\n   <kahaDB directory="{home}/data/kahadb"'
            f' journalDiskSyncStrategy="{settings.disk_sync}"/>\n  </persistenceAdapter>\n'
        )
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<beans xmlns="http://www.springframework.org/schema/beans"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
       http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
{_management(site)} <broker xmlns="http://activemq.apache.org/schema/core" brokerName="{NAME}"
         dataDirectory="{home}/data" persistent="{str(settings.store != "memory").lower()}"
         useJmx="true" schedulerSupport="false">
  <destinationPolicy>
   <policyMap>
    <policyEntries>
     <policyEntry queue="&gt;" producerFlowControl="true" maxPageSize="{PAGE}">
      <deadLetterStrategy>
       <discarding/>
      </deadLetterStrategy>
     </policyEntry>
     <policyEntry topic="&gt;" producerFlowControl="true"/>
    </policyEntries>
   </policyMap>
  </destinationPolicy>
  <managementContext>
   <managementContext createConnector="false"/>
  </managementContext>
{store}  <plugins>
   <simpleAuthenticationPlugin>
    <users>
     <authenticationUser username="{USER}" password="{site.password}" groups="admins"/>
    </users>
   </simpleAuthenticationPlugin>
  </plugins>
  <systemUsage>
   <systemUsage>
    <memoryUsage>
     <memoryUsage limit="{messages(settings)} mb"/>
    </memoryUsage>
    <storeUsage>
     <storeUsage limit="{STORE_LIMIT}"/>
    </storeUsage>
    <tempUsage>
     <tempUsage limit="{STORE_LIMIT}"/>
    </tempUsage>
   </systemUsage>
  </systemUsage>
  <transportConnectors>
   <transportConnector name="amqp" uri={quoteattr(_connector(site))}/>
  </transportConnectors>
 </broker>
</beans>
"""


def _connector(site: Site) -> str:
    options = {
        "wireFormat.maxFrameSize": 104_857_600,
        "wireFormat.producerCredit": CREDIT,
        # Otherwise it wants a frame every 30 s.
        "transport.wireFormat.idleTimeout": 0,
    }
    return f"amqp://{site.host}:{site.ports['amqp']}?" + "&".join(f"{name}={value}" for name, value in options.items())


def _management(site: Site) -> str:
    """Return the beans of a web server with one servlet, Jolokia, which speaks JSON for Java's management beans.

    They stand before the broker, as they are started in their order, and the broker's log says when it is ready.
    """
    return f"""\
 <bean id="web" class="org.eclipse.jetty.server.Server" init-method="start" destroy-method="stop">
  <constructor-arg>
   <bean class="java.net.InetSocketAddress">
    <constructor-arg type="java.lang.String" value="{site.host}"/>
    <constructor-arg type="int" value="{site.ports["http"]}"/>
   </bean>
  </constructor-arg>
  <property name="handler">
   <bean class="org.eclipse.jetty.servlet.ServletContextHandler">
    <property name="contextPath" value="/"/>
    <property name="securityHandler">
     <bean class="org.eclipse.jetty.security.ConstraintSecurityHandler">
      <property name="loginService">
       <bean class="org.eclipse.jetty.security.HashLoginService">
        <property name="name" value="{NAME}"/>
        <property name="config" value="{site.home}/etc/realm.properties"/>
       </bean>
      </property>
      <property name="authenticator">
       <bean class="org.eclipse.jetty.security.authentication.BasicAuthenticator"/>
      </property>
      <property name="constraintMappings">
       <list>
        <bean class="org.eclipse.jetty.security.ConstraintMapping">
         <property name="pathSpec" value="/*"/>
         <property name="constraint">
          <bean class="org.eclipse.jetty.util.security.Constraint">
           <property name="name" value="BASIC"/>
           <property name="roles" value="admin"/>
           <property name="authenticate" value="true"/>
          </bean>
         </property>
        </bean>
       </list>
      </property>
     </bean>
    </property>
    <property name="servletHandler">
     <bean class="org.eclipse.jetty.servlet.ServletHandler">
      <property name="servlets">
       <list>
        <bean class="org.eclipse.jetty.servlet.ServletHolder">
         <property name="name" value="jolokia"/>
         <property name="className" value="org.jolokia.http.AgentServlet"/>
        </bean>
       </list>
      </property>
      <property name="servletMappings">
       <list>
        <bean class="org.eclipse.jetty.servlet.ServletMapping">
         <property name="servletName" value="jolokia"/>
         <property name="pathSpec" value="/*"/>
        </bean>
       </list>
      </property>
     </bean>
    </property>
   </bean>
  </property>
 </bean>
"""
