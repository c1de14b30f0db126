"""`bench broker`: what brokers and places there are, and one broker in the foreground, as a scenario would start it."""

import os
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from bench.cli.completion import recipe_names
from bench.cli.console import EXIT_FAILED, EXIT_USAGE, err, fail, out, tell
from brokers import image
from brokers.base import Broker, BrokerError
from brokers.opening import open_broker
from brokers.registry import lacks, places, products

broker_app = typer.Typer(help="Brokers, one by one.", no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@broker_app.command("list")
def list_() -> None:
    """List the brokers and the places there are, with the packages that bring them."""
    for kind, product in products().installed.items():
        one = product.member
        where = "" if one.starts else "; never started by us"
        out.print(f"{kind}  (package {product.package})\n    {one.summary}{where}")
    out.print("\nplaces:")
    for name, place in places().installed.items():
        lacking = lacks(place.member)
        out.print(
            f"{name}  (package {place.package})\n    {place.member.summary}" + (f"; {lacking}" if lacking else "")
        )
        for option, meaning in place.member.options:
            out.print(f"    option {option}: {meaning}")
    tell(*map(str, (*products().unusable, *places().unusable)), kind="warning")


def _startable(incomplete: str) -> list[str]:  # noqa: ARG001  (what a completion is given)
    """Offer the kinds that we can start."""
    return [kind for kind, one in products().installed.items() if one.member.starts]


@broker_app.command()
def start(
    name: Annotated[
        str, typer.Argument(help="Kind of the broker; `bench broker list` shows them.", autocompletion=_startable)
    ],
    recipe: Annotated[
        str, typer.Option("--image", help="Recipe of the image.", autocompletion=recipe_names)
    ] = "stable",
) -> None:
    """Start a broker from the image, print its addresses, and stop it on Ctrl-C."""
    startable = _startable("")
    if name not in startable:
        fail(EXIT_USAGE, f"{name!r} is no broker we can start: {', '.join(startable)}")
    try:
        root = image.ensure(recipe, err.print).root
    except image.ImageError as error:
        fail(EXIT_FAILED, str(error))
    try:
        settings = products().installed[name].member.defaults
    except ValidationError:
        fail(EXIT_USAGE, f"{name} needs settings of its own to start: write a scenario, and use bench run")
    with tempfile.TemporaryDirectory(prefix="busbench-broker-") as folder:
        broker = open_broker(settings, Path(folder) / name, root, os.environ)
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
    for protocol in broker.protocols():
        at = broker.endpoint(protocol)
        out.print(f"{protocol}  amqp://{at.username}@{at.host}:{at.port}  user {at.username}, password {at.password}")
    out.print("Ctrl-C stops it")
