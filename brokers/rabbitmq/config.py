"""RabbitMQ: from settings to its files and environment; its words in the log. Pure.

Sources: https://www.rabbitmq.com/docs/configure, /docs/memory, /docs/disk-alarms,
/docs/networking, and the server's own start script.
"""

import re

from brokers import certificates
from brokers.log_patterns import LogPatterns
from brokers.product import USER, Site
from brokers.rabbitmq.settings import RabbitMQSettings

WATERMARK_SHARE = 0.6
"""Share of the memory cap at which publishers are blocked, always given in bytes: the
relative default is 0.4 up to 3.x and 0.6 since 4.0, and counts the host's memory."""
DISK_FREE_LIMIT = 50_000_000
CONNECTION_LOG_LEVEL = "warning"
"""At `info` each connection writes several lines, and a hundred at once overload Erlang's
logger: it makes those who log wait, then drops lines of every kind."""
NODE = "bench@localhost"


def watermark(settings: RabbitMQSettings) -> int:
    """Return the memory watermark in bytes."""
    return int(settings.memory * WATERMARK_SHARE)


def config(settings: RabbitMQSettings, site: Site) -> str:
    """Return the text of rabbitmq.conf."""
    return "\n".join(
        [
            *_listener(settings, site),
            *_login(settings, site),
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


def _listener(settings: RabbitMQSettings, site: Site) -> list[str]:
    """Return the one listener (https://www.rabbitmq.com/docs/ssl)."""
    at = f"{site.host}:{site.ports['amqp']}"
    if settings.transport == "tcp":
        return [f"listeners.tcp.1 = {at}"]
    folder, asks = site.home / certificates.FOLDER, settings.sasl == "external"
    return [
        "listeners.tcp = none",
        f"listeners.ssl.1 = {at}",
        f"ssl_options.cacertfile = {folder / certificates.CA}",
        f"ssl_options.certfile = {folder / certificates.SERVER}",
        f"ssl_options.keyfile = {folder / certificates.SERVER_KEY}",
        f"ssl_options.verify = {'verify_peer' if asks else 'verify_none'}",
        f"ssl_options.fail_if_no_peer_cert = {'true' if asks else 'false'}",
    ]


def _login(settings: RabbitMQSettings, site: Site) -> list[str]:
    """Return the one SASL mechanism and whom it logs in (https://www.rabbitmq.com/docs/access-control)."""
    user = {
        "plain": [f"default_user = {USER}"],
        "external": ["ssl_cert_login_from = common_name", f"default_user = {certificates.CLIENT_NAME}"],
        "anonymous": [
            f"default_user = {USER}",
            f"anonymous_login_user = {USER}",
            f"anonymous_login_pass = {site.password}",
        ],
    }
    return [f"auth_mechanisms.1 = {settings.sasl.upper()}", f"default_pass = {site.password}", *user[settings.sasl]]


def environment(settings: RabbitMQSettings, site: Site) -> dict[str, str]:
    """Return the whole environment of the server."""
    schedulers, home = f"+S {settings.cpu_count}:{settings.cpu_count}", site.home
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
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",  # otherwise the packaged one is read as well
        "RABBITMQ_DIST_PORT": str(site.ports["dist"]),
        "ERL_EPMD_PORT": str(site.ports["epmd"]),
        "ERL_EPMD_ADDRESS": site.host,
        # The start script becomes the server instead of staying as its parent.
        "RUNNING_UNDER_SYSTEMD": "true",
        # Without the interface the distribution port is open to every network.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{schedulers} -kernel inet_dist_use_interface {{{_erlang(site.host)}}}",
    }


def _erlang(address: str) -> str:
    """Return an IPv4 address as Erlang writes it."""
    return address.replace(".", ",")


def files(settings: RabbitMQSettings, site: Site) -> dict[str, str]:
    """Return the files: no plugin is enabled (management costs CPU) but the one that SASL EXTERNAL is."""
    plugins = "rabbitmq_auth_mechanism_ssl" if settings.sasl == "external" else ""
    return {"rabbitmq.conf": config(settings, site), "enabled_plugins": f"[{plugins}].\n"}


def asked_anywhere(settings: RabbitMQSettings) -> dict[str, str]:
    """Return the settings that hold for a server someone else runs, too."""
    return {"transient queue": settings.transient_queue, "durable queue": settings.durable_queue}


def asked(settings: RabbitMQSettings) -> dict[str, str]:
    """Return the settings as asked, by the names under which `reported` has them."""
    return {
        **asked_anywhere(settings),
        "memory watermark": f"{watermark(settings)} bytes",
        "disk free limit": f"{DISK_FREE_LIMIT} bytes",
        "schedulers": str(settings.cpu_count),
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


def _tidy(line: str) -> str:
    """Return a line of the log without its time stamp and process; nothing where no word is left."""
    plain = re.sub(r"^\S+ \S+ (\[\w+\]) <[\d.]+> ?", r"\1 ", line).strip()
    return "" if re.fullmatch(r"\[error\]\s*=*", plain) else plain


LOG = LogPatterns(
    ready=re.compile(r"completed with \d+ plugins"),  # the port opens earlier
    # What the server and the Erlang runtime write where a start fails.
    reasons=re.compile(
        r"ERROR: |\[error\]|\[critical\]|eaddrinuse|Failed to|Cannot |can't|Crash dump|erl_crash|errorContext|reason: ",
    ),
    # rabbit_alarm and rabbit_prelaunch of 4.0.
    alarms=(
        re.compile(r"\b(?P<what>[\w-]+ resource limit alarm set on node\b.*)"),
        re.compile(r"\b(?P<what>file descriptor limit alarm set\b.*)"),
    ),
    started=re.compile(r"^\d{4}-.*\bStarting RabbitMQ \d", re.MULTILINE),
    tidy=_tidy,
)


def runtime(log: str) -> str:
    """Return the Erlang version of the banner, with its JIT mark: `Erlang 27.3.4 [jit]`."""
    found = re.search(r"Erlang:\s+(\S+ \[\w+\]|\S+)", log)
    return f"Erlang {found[1]}" if found else "Erlang, version unknown"
