"""`bench history`: keep the figures of many runs, and see where a level changed."""

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completion import results_folders
from bench.cli.console import EXIT_USAGE, err, fail, out, tell

EXIT_SUSPECT = 3

history_app = typer.Typer(
    help="Keep the figures of many runs, and see where a level changed.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of the store; made by the first `add`.")]
OnlyOption = Annotated[str, typer.Option("--only", help="Only series with this in their title, or with these digits.")]
BudgetOption = Annotated[float, typer.Option("--budget", help="False alarms a week allowed, over all series.", min=0)]
STORE = Path("history")


@history_app.command()
def add(
    results: Annotated[list[Path], typer.Argument(help="Results folders.", autocompletion=results_folders)],
    store: StoreOption = STORE,
    commit: Annotated[
        str | None, typer.Option(help="What was measured; by default the commit checked out in this folder.")
    ] = None,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Also add runs that are not finished.")] = False,
) -> None:
    """Append runs to the store: one row a trial and metric. A run that is in it already is left out.

    Exit codes: 0 all are in the store · 2 usage.
    """
    from reports import ReportError  # noqa: PLC0415  (a second of matplotlib and pandas that other verbs do not need)
    from reports.history import commands  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    measured = checked_out() if commit is None else commit
    if not measured:
        tell("no commit is checked out here: runs are stored without one; name it with --commit", kind="warning")
    for folder in results:
        try:
            added = commands.add(Store(store), folder, measured, unfinished=unfinished)
        except ReportError as error:
            fail(EXIT_USAGE, str(error))
        out.print(f"{folder}: {added} rows added" if added else f"{folder}: already in {store}, nothing added")


@history_app.command()
def show(
    store: StoreOption = STORE,
    only: OnlyOption = "",
    budget: BudgetOption = 1.0,
    html: Annotated[Path | None, typer.Option(help="Write a page with a figure of each series here.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write one picture of all series here.")] = None,
) -> None:
    """Print every series with its changes, and what watching it can show."""
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history import commands, text  # noqa: PLC0415  (as above)
    from reports.history.page import headline, in_order  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    try:
        watched = commands.watch(Store(store), only=only, budget=budget)
        commands.draw(watched, html=html, png=png)
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    for one in in_order(watched):
        out.print("\n".join(text.block(one)) + "\n")
    out.print(f"{headline(watched)}\n{text.budget(watched)}")
    for path in filter(None, (html, png)):
        out.print(str(path))


@history_app.command()
def check(store: StoreOption = STORE, only: OnlyOption = "", budget: BudgetOption = 1.0) -> None:
    """Say whether a level changed that nobody has confirmed or dismissed.

    Stored runs alone propose a change and prove none, so there is no exit code 1: measure old
    and new side by side, interleaved, and keep the verdict with `bench history confirm`.

    Exit codes: 0 no change · 2 usage · 3 suspect.
    """
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history import commands, text  # noqa: PLC0415  (as above)
    from reports.history.page import headline  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    try:
        watched = commands.watch(Store(store), only=only, budget=budget)
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    for one in watched.series:
        shown = [text.change(found, one) for found in one.suspects]
        out.print("\n".join([f"{one.series.name}  {one.series.title}", *(f"    {line}" for line in shown)]))
        out.print(f"    {text.watching(one)}")
    out.print(f"\n{headline(watched)}\n{text.budget(watched)}")
    if any(one.suspects for one in watched.series):
        raise typer.Exit(EXIT_SUSPECT)


@history_app.command()
def confirm(
    series: Annotated[str, typer.Argument(help="The eight digits of the series.")],
    point: Annotated[str, typer.Argument(help="The run, or its commit, at which the new level begins.")],
    by: Annotated[
        Path, typer.Option(help="Results of a run that interleaved old and new.", autocompletion=results_folders)
    ],
    store: StoreOption = STORE,
    old: Annotated[str | None, typer.Option(help="Its target that is old; by default the first of two.")] = None,
    new: Annotated[str | None, typer.Option(help="Its target that is new; by default the second of two.")] = None,
) -> None:
    """Judge a proposed change by a run that measured old and new side by side, and keep the verdict.

    Better or worse confirms it, the same dismisses it; undecided leaves it proposed and is not kept.

    Exit codes: 0 confirmed or dismissed · 2 usage · 3 undecided.
    """
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history import commands  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    try:
        found, added = commands.confirm(Store(store), series, point, by, old=old, new=new)
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    interval = f"× {found.ratio:.3f} ({found.low:.3f} to {found.high:.3f}, n = {found.n})"
    out.print(f"new is {found.verdict}: {interval}")
    if found.verdict == "undecided":
        more = "" if found.trials_needed is None else f"; about {found.trials_needed} pairs would decide"
        err.print(f"undecided: the change stays proposed{more}")
        raise typer.Exit(EXIT_SUSPECT)
    if not added:
        out.print("this change was judged before: the first verdict stays")


def checked_out() -> str:
    """Return the commit checked out in this folder, marked where files differ from it; empty where there is none."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
