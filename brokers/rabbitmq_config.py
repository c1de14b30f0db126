"""RabbitMQ: from settings to its files, environment and dialect. Pure.

Sources: https://www.rabbitmq.com/docs/configure, /docs/memory, /docs/disk-alarms,
/docs/networking, and the server's own start script.
"""

import re
from pathlib import PurePosixPath

from brokers import certificates
from brokers.dialect import Dialect, QueueKind
from brokers.ports import LOOPBACK, Ports
from brokers.settings import RabbitMQSettings

WATERMARK_SHARE = 0.6
"""Share of the memory cap at which publishers are blocked, always given in bytes: the
relative default is 0.4 up to 3.x and 0.6 since 4.0, and counts the host's memory."""
DISK_FREE_LIMIT = 50_000_000
CONNECTION_LOG_LEVEL = "warning"
"""At `info` each connection writes several lines, and a hundred at once overload Erlang's
logger: it makes those who log wait, then drops lines of every kind."""
NODE = "bench@localhost"


def dialect(settings: RabbitMQSettings) -> Dialect:
    """Return how RabbitMQ 4 is spoken to."""
    return Dialect(
        product="RabbitMQ",
        announced="rabbitmq",
        virtual_host="/",
        # https://www.rabbitmq.com/docs/amqp#virtual-hosts
        hostname="vhost:{}",
        transient=_queue(settings.transient_queue, durable=False),
        durable=_queue(settings.durable_queue, durable=True),
        address_prefix="/queues/",
    )


def _queue(kind: str, *, durable: bool) -> QueueKind:
    # A quorum queue is durable by nature; a transient workload on it is transient messages.
    return QueueKind(durable=durable or kind == "quorum", arguments={"x-queue-type": kind})


def watermark(settings: RabbitMQSettings) -> int:
    """Return the memory watermark in bytes."""
    return int(settings.memory * WATERMARK_SHARE)


def config(settings: RabbitMQSettings, ports: Ports, home: PurePosixPath) -> str:
    """Return the text of rabbitmq.conf."""
    return "\n".join(
        [
            *_listener(settings, ports, home),
            *_login(settings),
            # Clients may come from another network namespace, which is not loopback to it.
            "loopback_users = none",
            f"vm_memory_high_watermark.absolute = {watermark(settings)}",
            f"disk_free_limit.absolute = {DISK_FREE_LIMIT}",
            "log.file = false",
            "log.console = true",
            "log.console.level = info",
            "log.console.use_colors = off",
            f"log.connection.level = {CONNECTION_LOG_LEVEL}",
            "",
        ]
    )


def _listener(settings: RabbitMQSettings, ports: Ports, home: PurePosixPath) -> list[str]:
    """Return the one listener (https://www.rabbitmq.com/docs/ssl)."""
    if settings.transport == "tcp":
        return [f"listeners.tcp.1 = {LOOPBACK}:{ports.amqp}"]
    folder, asks = home / certificates.FOLDER, settings.sasl == "external"
    return [
        "listeners.tcp = none",
        f"listeners.ssl.1 = {LOOPBACK}:{ports.amqp}",
        f"ssl_options.cacertfile = {folder / certificates.CA}",
        f"ssl_options.certfile = {folder / certificates.SERVER}",
        f"ssl_options.keyfile = {folder / certificates.SERVER_KEY}",
        f"ssl_options.verify = {'verify_peer' if asks else 'verify_none'}",
        f"ssl_options.fail_if_no_peer_cert = {'true' if asks else 'false'}",
    ]


def _login(settings: RabbitMQSettings) -> list[str]:
    """Return the one SASL mechanism and whom it logs in (https://www.rabbitmq.com/docs/access-control)."""
    user = {
        "plain": [],
        "external": ["ssl_cert_login_from = common_name", f"default_user = {certificates.CLIENT_NAME}"],
        "anonymous": ["anonymous_login_user = guest", "anonymous_login_pass = guest"],
    }
    return [f"auth_mechanisms.1 = {settings.sasl.upper()}", *user[settings.sasl]]


def environment(settings: RabbitMQSettings, ports: Ports, home: PurePosixPath) -> dict[str, str]:
    """Return the whole environment of the server."""
    schedulers = f"+S {settings.cpus}:{settings.cpus}"
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home / "home"),  # .erlang.cookie is made there
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(home / "rabbitmq.pid"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",  # else the packaged one is read as well
        "RABBITMQ_DIST_PORT": str(ports.dist),
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        # The start script becomes the server instead of staying as its parent.
        "RUNNING_UNDER_SYSTEMD": "true",
        # Without the interface the distribution port is open to every network.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{schedulers} -kernel inet_dist_use_interface {{127,0,0,1}}",
    }


def files(settings: RabbitMQSettings, ports: Ports, home: PurePosixPath) -> dict[str, str]:
    """Return the files: no plugin is enabled (management costs CPU) but the one that SASL EXTERNAL is."""
    plugins = "rabbitmq_auth_mechanism_ssl" if settings.sasl == "external" else ""
    return {"rabbitmq.conf": config(settings, ports, home), "enabled_plugins": f"[{plugins}].\n"}


def asked_of_external(settings: RabbitMQSettings) -> dict[str, str]:
    """Return the settings that hold for a server someone else runs."""
    return {"transient queue": settings.transient_queue, "durable queue": settings.durable_queue}


def asked(settings: RabbitMQSettings) -> dict[str, str]:
    """Return the settings as asked, by the names under which `reported` has them."""
    return {
        **asked_of_external(settings),
        "memory watermark": f"{watermark(settings)} bytes",
        "disk free limit": f"{DISK_FREE_LIMIT} bytes",
        "schedulers": str(settings.cpus),
        "connection log": CONNECTION_LOG_LEVEL,
    }


# erl_call evaluates this in the server; one `key=value` a line. The calls are those that
# `rabbitmqctl status` and `rabbitmq-diagnostics environment` make, without their second of start-up.
INQUIRY = """\
{ok, Credit} = application:get_env(rabbit, credit_flow_default_credit),
{ok, Log} = application:get_env(rabbit, log),
Connections = proplists:get_value(connection, proplists:get_value(categories, Log, []), []),
lists:flatten(io_lib:format(
  "schedulers=~w;memory watermark=~w bytes;disk free limit=~w bytes;credit flow=~w;Khepri=~w;emulator=~w;"
  "connection log=~w",
  [erlang:system_info(schedulers_online), vm_memory_monitor:get_memory_limit(),
   rabbit_disk_monitor:get_disk_free_limit(), Credit, rabbit_khepri:is_enabled(),
   erlang:system_info(emu_flavor), proplists:get_value(level, Connections, info)])).
"""


def inquiry() -> tuple[str, ...]:
    """Return the command that asks the running server for its settings, in the server's own environment."""
    return ("/bin/sh", "-c", f'printf "%s" "$1" | erl_call -r -timeout 5 -sname {NODE} -e', "sh", INQUIRY)


def answer(text: str) -> dict[str, str]:
    """Return the settings in an answer to the inquiry; none where it holds no answer."""
    found = re.search(r'\{ok, "(.*)"\}', text)
    return dict(pair.split("=", 1) for pair in found[1].split(";")) if found else {}


# What the server and the Erlang runtime write where a start fails.
REASONS = re.compile(
    r"ERROR: |\[error\]|\[critical\]|eaddrinuse|Failed to|Cannot |can't|Crash dump|erl_crash|errorContext|reason: ",
)


def reasons(log: str) -> list[str]:
    """Return the lines of a log that tell what went wrong, without their time stamps."""
    lines = (re.sub(r"^\S+ \S+ (\[\w+\]) <[\d.]+> ?", r"\1 ", line).strip() for line in log.splitlines())
    said = (line for line in lines if REASONS.search(line) and not re.fullmatch(r"\[error\]\s*=*", line))
    return list(dict.fromkeys(said))


def says_ready(log: str) -> bool:
    """Return whether the start is complete; the port opens earlier."""
    return re.search(r"completed with \d+ plugins", log) is not None


def runtime(log: str) -> str:
    """Return the Erlang version of the banner, with its JIT mark: `Erlang 27.3.4 [jit]`."""
    found = re.search(r"Erlang:\s+(\S+ \[\w+\]|\S+)", log)
    return f"Erlang {found[1]}" if found else "Erlang, version unknown"
