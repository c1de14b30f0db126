"""The command `bench`: its verbs, each of which is imported when it is called.

Help of `bench` itself and completion of a verb's name need names and summaries alone, which
stand here; so they cost no more than Typer does. A verb's own module declares its arguments
and options and is light as well: what does the work is imported by its function, so that
neither help nor completion waits for Numba, pandas, SciPy and the like.
"""

import contextlib
import importlib
import resource
import signal
import sys
from importlib import metadata
from types import FrameType
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperCommand, TyperGroup

VERBS = {
    "load": ("bench.cli.load:load", "Put one load on a broker that you run: a quick look."),
    "run": ("bench.cli.run:run", "Run a scenario, then draw its report."),
    "report": ("bench.cli.report:report", "Write the report of results folders."),
    "gate": ("bench.cli.gate:gate", "Tell whether a candidate is worse than its baseline."),
    "comment": ("bench.cli.comment:comment", "Say which comment a gate's Markdown replaces."),
    "compare": ("bench.cli.compare:compare", "Print how rows that may be compared differ."),
    "search": ("bench.cli.search:search", "Find the highest rate that each target sustains."),
    "crosscheck": ("bench.cli.crosscheck:crosscheck", "Run other tools and our drivers in turn."),
    "scenarios": ("bench.cli.lists:scenarios", "List the shipped scenarios with their questions."),
    "drivers": ("bench.cli.lists:drivers", "List the drivers and their client libraries."),
    "doctor": ("bench.cli.doctor:doctor", "Say what is missing on this machine."),
    "prepare": ("bench.cli.prepare:prepare", "Compile now what the first run would compile."),
    "schema": ("bench.cli.lists:schema", "Print the JSON Schema of scenario files."),
    "history": ("bench.cli.history_files:history_app", "Keep the figures of many runs, and find changes."),
    "image": ("bench.cli.image:image_app", "Build, show and remove the cloud-services image."),
    "broker": ("bench.cli.broker:broker_app", "List brokers and places, or start one broker."),
}
"""By name: where a verb is, and what it does in a line, in the order of `bench --help`."""

Verb = TyperCommand | TyperGroup


class Verbs(TyperGroup):
    """The verbs by name and summary; one that is called, or asked for its help, is loaded."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """See `click.Group`."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:  # noqa: ARG002
        """Return a verb's name and summary, which is all that lists of verbs want."""
        return TyperCommand(cmd_name, short_help=VERBS[cmd_name][1]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Verb | None, list[str]]:
        """Return the verb itself, to be called or completed."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, None if found is None else verb(str(found.name)), rest


def verb(name: str) -> Verb:
    """Import a verb; return it with its arguments and options."""
    module, _, member = VERBS[name][0].partition(":")
    found: Any = getattr(importlib.import_module(module), member)
    if not isinstance(found, typer.Typer):
        function, found = (
            found,
            typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None),
        )
        found.command()(function)
    command = cast("Verb", typer.main.get_command(found))
    command.name = name
    return command


app = typer.Typer(
    name="bench",
    cls=Verbs,
    help="Benchmark message brokers over AMQP 0-9-1 and AMQP 1.0, and say what the numbers mean.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help in boxes would cost as much again as all else that `bench --help` does
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"busbench {metadata.version('busbench')}")
        raise typer.Exit


@app.callback()
def _verbs(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


_EXIT_FAILED, _EXIT_INTERRUPTED = 4, 130
_signals: list[int] = []
"""Those that asked us to end."""


def main() -> None:
    """Run the command; Ctrl-C and a polite kill both end in exit code 130 after cleaning up.

    What this machine refuses us, memory among it, is told in a line and ends in exit code 4.
    """
    # A core file of ours, of a worker or of a broker would hold passwords.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # else it is under nohup(1)
            signal.signal(number, _interrupt)
    try:
        app()
    except KeyboardInterrupt:
        _leave(_EXIT_INTERRUPTED, "interrupted")
    except SystemExit as leaving:
        # Typer makes an exit of an interrupt, and says nothing.
        if _signals and leaving.code == _EXIT_INTERRUPTED:
            _leave(_EXIT_INTERRUPTED, "interrupted")
        raise
    except MemoryError:
        _leave(_EXIT_FAILED, "error: memory ran out: raise the limit (`ulimit -v`), or free some")
    except OSError as error:
        about = f" ({error.filename})" if error.filename else ""
        # Libraries that find no room do not say so.
        little = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
        hint = "; memory is limited here (`ulimit -v`)" if little else ""
        _leave(_EXIT_FAILED, f"error: the host refused: {error.strerror or error}{about}{hint}")


def _leave(code: int, words: str) -> NoReturn:
    with contextlib.suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"\n{words}\n" if sys.stderr.isatty() else f"{words}\n")
        sys.stderr.flush()
    sys.exit(code)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the cleaning up short.
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    _signals.append(number)
    raise KeyboardInterrupt
