"""Where words for people go: standard error for progress and faults, standard output for answers."""

import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from brokers.credentials import ALLOWED
from brokers.plain_text import printable

EXIT_LIMIT = 1
"""A limit is not kept."""
EXIT_USAGE = 2
EXIT_INVALID = 3
EXIT_FAILED = 4
EXIT_INTERRUPTED = 130

ConsumeExisting = Annotated[
    bool,
    typer.Option(
        "--consume-existing",
        help="Use queues of external.queues even if they hold messages or have consumers; the messages are consumed.",
    ),
]
"""An option of every verb that runs trials."""


def _allow(names: list[str] | None) -> list[str] | None:
    """Let credentials be read from these variables too, in this process and those that it starts."""
    if names:
        os.environ[ALLOWED] = " ".join([*os.environ.get(ALLOWED, "").split(), *names])
    return names


CredentialsFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--credentials-from",
        metavar="NAME",
        callback=_allow,
        help="Let a scenario's username_env or password_env name this variable, which is not called BUSBENCH_….",
    ),
]
"""As `ConsumeExisting`."""
OutFolder = Annotated[Path | None, typer.Option("--out", help="Results folder to make; by default results/<run id>.")]
"""As `ConsumeExisting`."""
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the answer alone, and faults.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the report's summary as JSON instead; docs/summary.md explains it.")
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report, and give no answer.")]
"""With `Quiet` and `AsJson`: options of verbs that end with an answer."""
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Draw the running trial on the terminal: the last minute, second by second.")
]
MetricsAddress = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="ADDRESS",
        help="Serve what is seen as OpenMetrics while the run lasts: PORT on 127.0.0.1, or HOST:PORT, which others can"
        " reach if HOST is not loopback. Needs the extra `metrics`.",
    ),
]
"""With `WatchOption`: how a run may be watched, see `bench.cli.watching`."""

QUOTED = "\n  "
"""Before each line of a program's output that a fault quotes; nothing that starts so is taken for a line of ours."""
_PIPED_WIDTH = 1_000
"""Columns of what is no terminal: nothing is cut there."""


class LastingConsole(Console):
    """A console that falls silent once nobody reads it: the work goes on, and its results stand in files."""

    def on_broken_pipe(self) -> None:
        """Print nothing from now on, at the exit of the interpreter neither."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


# No markup: names and versions may hold brackets.
out = LastingConsole(highlight=False, soft_wrap=True, markup=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
err = LastingConsole(stderr=True, highlight=False, soft_wrap=True, markup=False)


def fail(code: int, *faults: str) -> NoReturn:
    """Print faults, one a line, and leave with an exit code."""
    tell(*faults)
    raise typer.Exit(code)


def tell(*faults: str, kind: str = "error") -> None:
    """Print faults, or words of another kind, one a line."""
    style = "bold red" if kind == "error" else "bold yellow"
    for fault in faults:
        lines = QUOTED.join(map(printable, fault.split(QUOTED)))
        err.print(Text.assemble((f"{kind}: ", style), lines))


def warn_of_former(drivers: Iterable[str]) -> None:
    """Say what drivers are called today that are named by a former name."""
    from bench.drivers.registry import registry  # noqa: PLC0415  (verbs without drivers need not find them)

    for name in dict.fromkeys(drivers):
        found = registry().installed.get(name)
        if found and found.member.now:
            tell(f"driver {name!r} is called {found.member.now!r} now; the old name still works", kind="warning")


@contextmanager
def silent(wanted: bool) -> Iterator[None]:
    """Print nothing on standard error meanwhile, if that is wanted."""
    before, err.quiet = err.quiet, wanted or err.quiet
    try:
        yield
    finally:
        err.quiet = before


def as_typed(*words: str, options: Mapping[str, object]) -> str:
    """Return a command of ours with the options that were given: a flag alone, others once for each value."""
    typed = ["bench", *words]
    for option, given in options.items():
        for value in given if isinstance(given, list | tuple) else [given]:
            if value is not None and value is not False:
                typed += [option] if value is True else [option, str(value)]
    return shlex.join(typed)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        out.print("  ".join((first.ljust(widths[0]), *cells)))


def resuming(folder: Path) -> str:
    """Return the command that goes on with a run, as it may be typed."""
    allowed = os.environ.get(ALLOWED, "").split()
    return as_typed("run", options={"--resume": str(folder), "--credentials-from": allowed})
