"""The command `bench` and its verbs."""

import signal
import sys
from types import FrameType

import typer

from bench.cli.broker import broker_app
from bench.cli.compare import compare
from bench.cli.crosscheck import crosscheck
from bench.cli.doctor import doctor
from bench.cli.gate import gate
from bench.cli.history import history_app
from bench.cli.image import image_app
from bench.cli.lists import drivers, scenarios, schema
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.search import search

app = typer.Typer(
    name="bench",
    help="Benchmark message brokers over AMQP 0-9-1 and AMQP 1.0, and say what the numbers mean.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(report)
app.command()(gate)
app.command()(compare)
app.command()(search)
app.command()(crosscheck)
app.command()(scenarios)
app.command()(drivers)
app.add_typer(history_app, name="history")
app.add_typer(image_app, name="image")
app.add_typer(broker_app, name="broker")
app.command()(doctor)
app.command()(schema)


def main() -> None:
    """Run the command; Ctrl-C and a polite kill both end in exit code 130 after cleaning up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        app()
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        sys.exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the cleaning up short.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
