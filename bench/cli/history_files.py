"""`bench history import` and `export`: figures of other tools into a store, and a store into a CSV."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import EXIT_USAGE, fail, out, tell
from bench.cli.history import STORE, StoreOption, history_app
from bench.cli.measured import measured_commit
from bench.cli.repository import commit_times


class FileKind(StrEnum):
    """Names of `reports.history.imported.FORMATS`, which help must not import."""

    PERFTEST_CSV = "perftest-csv"
    PERFTEST_JSON = "perftest-json"
    OPENMESSAGING = "openmessaging"
    HLOG = "hlog"
    HGRM = "hgrm"
    CSV = "csv"


class LatencyUnit(StrEnum):
    """Units in which a histogram may count."""

    NS = "ns"
    US = "us"
    MS = "ms"
    S = "s"


@history_app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files of other tools; docs/ci.md says which.")],
    store: StoreOption = STORE,
    kind: Annotated[
        FileKind | None, typer.Option("--format", help="What they are; by default told by their first lines.")
    ] = None,
    commit: Annotated[str, typer.Option(help="What was measured, where a file does not tell it.")] = "",
    branch: Annotated[
        str | None, typer.Option(help="Its branch; by default as the CI system says, or git.", show_default=False)
    ] = None,
    main: Annotated[
        str | None, typer.Option(help="The main branch; by default as the CI system says, or git.", show_default=False)
    ] = None,
    time: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="When it was measured, where a file does not tell it: ISO 8601 with a zone, or a date; by default"
            " the time of the commit, as the repository of this folder knows it.",
        ),
    ] = "",
    target: Annotated[str, typer.Option(help="What was measured, instead of what a file tells.")] = "",
    workload: Annotated[str, typer.Option(help="How it was loaded, instead of what a file tells.")] = "",
    host: Annotated[str, typer.Option(help="The kind of host; hosts of one kind are compared.")] = "",
    unit: Annotated[
        LatencyUnit | None,
        typer.Option(help="In which a histogram counts: by default ns in a log, ms in a percentile file."),
    ] = None,
) -> None:
    """Add what other tools measured to the store, so that it is watched as our own runs are.

    Read are CSV and JSON of PerfTest, JSON of OpenMessaging Benchmark, HdrHistogram logs by tag, percentile files
    (.hgrm), and a plain CSV. All files are added, or none. A run that is in the store already is left out.

    Exit codes: 0 all are in the store · 2 usage.
    """
    from reports import ReportError  # noqa: PLC0415  (a second of matplotlib and pandas that other verbs do not need)
    from reports.history.formats.contract import ImportRefusedError  # noqa: PLC0415  (as above)
    from reports.history.imported import Given, import_files  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    on = measured_commit("", branch=branch, main=main)
    given = Given(kind or "", unit or "", time, commit, on.branch, on.main, target, workload, host)
    try:
        done = import_files(Store(store), files, given, commit_times)
    except ImportRefusedError as error:
        tell(*error.faults)
        fail(EXIT_USAGE, "nothing was added: mend what is named, and import all of it again")
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    for file, found in zip(files, done, strict=True):
        known = f"; already in {store}: {found.known}" if found.known else ""
        out.print(f"{file}: {found.format.words}; runs added: {found.runs}, figures: {found.rows}{known}")


@history_app.command()
def export(
    file: Annotated[Path, typer.Argument(help="CSV to write; `-` is standard output.")],
    store: StoreOption = STORE,
) -> None:
    """Write the store as CSV: a line a trial and metric, with the columns that `bench history import` reads."""
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history.exported import to_history_csv  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    try:
        kept = Store(store).read()
        tell(*kept.skipped, kind="warning")
        text = to_history_csv(kept.rows, Store(store).metrics())
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    if file == Path("-"):
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(EXIT_USAGE, f"{file} cannot be written ({error.strerror}): name a file in a folder that exists")
    out.print(str(file))
