"""`bench broker`: start one broker in the foreground, as a scenario would."""

import os
import signal
import tempfile
from pathlib import Path
from typing import Annotated, get_args

import typer

from bench.cli.console import EXIT_FAILED, EXIT_USAGE, err, fail, out
from brokers import image
from brokers.base import Broker, BrokerError
from brokers.endpoint import Protocol
from brokers.open import open_broker
from brokers.settings import QpidBrokerJSettings, RabbitMQSettings

broker_app = typer.Typer(help="Brokers, one by one.", no_args_is_help=True)

_KINDS: dict[str, RabbitMQSettings | QpidBrokerJSettings] = {
    "rabbitmq": RabbitMQSettings(name="rabbitmq", kind="rabbitmq"),
    "qpid-broker-j": QpidBrokerJSettings(name="qpid-broker-j", kind="qpid-broker-j"),
}


@broker_app.command("list")
def list_() -> None:
    """List the brokers that can be started."""
    for name in _KINDS:
        out.print(name)


@broker_app.command()
def start(
    name: Annotated[str, typer.Argument(help="rabbitmq or qpid-broker-j.")],
    recipe: Annotated[str, typer.Option("--image", help="Recipe of the image.")] = "stable",
) -> None:
    """Start a broker from the image, print its addresses, and stop it on Ctrl-C."""
    if name not in _KINDS:
        fail(EXIT_USAGE, f"{name!r} is no broker we can start: {', '.join(_KINDS)}")
    try:
        root = image.ensure(recipe, err.print).root
    except image.ImageError as error:
        fail(EXIT_FAILED, str(error))
    with tempfile.TemporaryDirectory(prefix="busbench-broker-") as folder:
        broker = open_broker(_KINDS[name], Path(folder) / name, root, os.environ)
        try:
            broker.start()
            _show(broker)
            while (failure := broker.failure()) is None:
                signal.sigtimedwait([], 0.5)
            fail(EXIT_FAILED, failure)
        except BrokerError as error:
            fail(EXIT_FAILED, str(error))
        finally:
            broker.stop()


def _show(broker: Broker) -> None:
    facts = broker.facts()
    out.print(f"{facts.product} {facts.version} on {facts.runtime}")
    for protocol in get_args(Protocol):
        endpoint = broker.endpoint(protocol)
        out.print(f"{protocol}  amqp://{endpoint.username}@{endpoint.host}:{endpoint.port}  user guest, password guest")
    out.print("Ctrl-C stops it")
