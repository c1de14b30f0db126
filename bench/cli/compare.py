"""`bench compare`: rows against each other, as the report compares them, or two stored runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from bench.cli.completion import results_folders
from bench.cli.console import EXIT_FAILED, EXIT_USAGE, fail, out, tell
from bench.units import percent

if TYPE_CHECKING:
    from reports.comparison import ComparedRows, Comparisons


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(help="Results folders, or results/latest; --by run takes two.", autocompletion=results_folders),
    ],
    by: Annotated[
        Literal["target", "workload", "run"], typer.Option(help="What the two sides of a line differ in.")
    ] = "target",
    allow: Annotated[
        bool, typer.Option("--allow", help="Compare unlike rows too, and say in what they differ.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write every line here.", metavar="FILE")] = None,
) -> None:
    """Print ratio, interval and verdict of every two rows that may be compared.

    By target this is the report's own table. Two stored runs (--by run) show at most "suspect" or "no sign of
    change down to x %": they were not interleaved. Rows that differ in more than what they are compared by are
    refused, with the list of what differs; the others are printed all the same.

    Exit codes: 0 every pair compared · 2 usage, or rows refused as unlike · 4 the host failed · 130 interrupted.
    """
    import reports  # noqa: PLC0415  (a second of pandas that no other verb needs)
    from bench.results.archive import write_whole  # noqa: PLC0415  (as above)

    if by == "run" and len(results) != 2:  # noqa: PLR2004
        fail(EXIT_USAGE, f"--by run compares two results folders, and {len(results)} is given: name the older first")
    try:
        found = reports.compare(results, by, allow=allow)
    except reports.ReportError as error:
        fail(EXIT_USAGE, str(error))
    if not found.lines and not found.refused:
        fail(EXIT_USAGE, f"--by {by}: there are no two rows to compare; choose another of target, workload, run")
    if found.lines:
        _print(found)
    if json is not None:
        try:
            write_whole(json, found.model_dump_json(indent=1))
        except OSError as error:
            fail(EXIT_FAILED, f"--json {json} cannot be written ({error.strerror}): name a file in a folder with room")
    tell(*(f"{row} is in one of the runs only" for row in found.alone), kind="left out")
    if found.refused:
        for one in found.refused:
            where = f"{one.workload}: " if one.workload else ""
            tell(f"{where}{one.first} and {one.second} are unlike: {'; '.join(one.unlike)}", kind="refused")
        fail(EXIT_USAGE, "unlike rows are not compared: make them alike, or add --allow to compare them all the same")


def _print(found: "Comparisons") -> None:
    table = Table()
    for head in ("" if found.by == "workload" else "workload", "first / second", "of"):
        table.add_column(head)
    for head in ("ratio", "interval", "n"):
        table.add_column(head, justify="right")
    table.add_column("the first is")
    for line in found.lines:
        table.add_row(
            line.workload,
            _sides(found, line),
            line.metric,
            "–" if line.ratio is None else f"{line.ratio:.3f}",
            "–" if line.low is None or line.high is None else f"{line.low:.3f} … {line.high:.3f}",
            str(line.n),
            _verdict(line),
        )
    out.print(table)
    unit = "trials, not paired" if found.by == "run" else "pairs of trials"
    out.print(
        f"Ratio: geometric means, first{' run' if found.by == 'run' else ''} over second; n: {unit}. Intervals:"
        " Student's t on log ratios, Holm-corrected over the lines with a verdict."
    )
    for share, origin in dict.fromkeys((line.delta, line.delta_from) for line in found.lines):
        out.print(f"Smallest relevant effect: {percent(share)} ({origin}).")
    for line in found.lines:
        where = f"{line.workload}, {_sides(found, line)}" if line.workload else _sides(found, line)
        if line.why:
            out.print(f"{where}: {line.why}")
        if line.unlike:
            out.print(f"{where}: unlike: {'; '.join(line.unlike)}")


def _sides(found: "Comparisons", line: "ComparedRows") -> str:
    return line.first if found.by == "run" else f"{line.first} / {line.second}"


def _verdict(line: "ComparedRows") -> str:
    words: str = line.verdict
    if line.down_to is not None:
        words += f" down to {percent(line.down_to)}"
    if line.trials_needed is not None:
        words += f"; about {line.trials_needed} trials would decide"
    return words
