"""What `--watch` and `--metrics` ask for, made ready before a run begins."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from bench.cli.console import EXIT_USAGE, err, fail, silent
from bench.cli.live_view import LiveView, Moment, line

if TYPE_CHECKING:
    from bench.cli.exporter import Exporter


@dataclass(frozen=True)
class Watching:
    """How a run may be watched.

    Attributes:
        draw: what changes on a terminal, of a moment.
        others: who watches too.
    """

    draw: Callable[[Moment], RenderableType] = line
    others: tuple["Exporter", ...] = ()


@contextmanager
def watching(*, watch: bool, metrics: str | None, quiet: bool = False) -> Iterator[Watching]:
    """Give what was asked for, and end it afterwards; leave where it cannot be had."""
    draw = LiveView if watch and _can_draw() else line
    if metrics is None:
        yield Watching(draw)
        return
    exporter = _exporter(metrics)
    with exporter:
        with silent(quiet):
            err.print(Text(f"metrics: {exporter.url}"))
        yield Watching(draw, (exporter,))


def _can_draw() -> bool:
    able = err.is_terminal and not err.is_dumb_terminal and err.encoding.lower().startswith("utf")
    if not able:
        err.print(Text("--watch: standard error is no terminal that can be drawn on, so one line a trial it is"))
    return able


def _exporter(address: str) -> "Exporter":
    try:
        from bench.cli.exporter import AddressError, Exporter  # noqa: PLC0415  (of an extra)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "prometheus_client":
            raise
        fail(EXIT_USAGE, "--metrics needs prometheus-client: pip install 'prometheus-client>=0.20'")
    try:
        return Exporter(address)
    except AddressError as error:
        fail(EXIT_USAGE, f"--metrics {error}")
