"""`bench history`: keep the figures of many runs, and see where a level changed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import results_folders
from bench.cli.console import EXIT_USAGE, err, fail, out, tell
from bench.cli.measured import measured_commit

if TYPE_CHECKING:
    from reports.history.changes import Watched

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
BranchOption = Annotated[
    str, typer.Option("--branch", help="Series of this branch, which begin where it left the main one.")
]
SilentOption = Annotated[
    int,
    typer.Option(
        "--silent-after", help="Days without a run, of one series or of all, that are told.", min=0, max=10**6
    ),
]
EndsOption = Annotated[
    int,
    typer.Option(
        "--ends-after", help="Days without a run, while others had some, after which a series ends.", min=0, max=10**6
    ),
]
HtmlOption = Annotated[Path | None, typer.Option(help="Write a page with a figure of each series here.")]
STORE = Path("history")


@history_app.command()
def add(
    results: Annotated[list[Path], typer.Argument(help="Results folders.", autocompletion=results_folders)],
    store: StoreOption = STORE,
    commit: Annotated[
        str | None, typer.Option(help="What was measured; by default the commit checked out in this folder.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option(help="Its branch; by default as the CI system says, or git.", show_default=False)
    ] = None,
    main: Annotated[
        str | None, typer.Option(help="The main branch; by default as the CI system says, or git.", show_default=False)
    ] = None,
    position: Annotated[
        int | None,
        typer.Option(
            help="Commits up to it along first parents, by which runs are ordered; by default from git.",
            min=0,
        ),
    ] = None,
    committed: Annotated[
        str | None,
        typer.Option(help="When it was committed, ISO 8601; orders runs without a position; by default from git."),
    ] = None,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Also add runs that are not finished.")] = False,
) -> None:
    """Append runs to the store: one row a trial and metric. A run that is in it already is left out.

    Runs stand in the order of their commits, and those of a branch beside the main one.

    Exit codes: 0 all are in the store · 2 usage.
    """
    from reports import ReportError  # noqa: PLC0415  (a second of matplotlib and pandas that other verbs do not need)
    from reports.history import commands  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    measured = measured_commit(commit, branch=branch, main=main, position=position, committed=committed)
    if not measured.commit:
        tell("no commit is checked out here: runs are stored without one; name it with --commit", kind="warning")
    elif committed is None and measured.committed_utc and measured.position < 0:
        tell(
            "this clone has not all commits, so that runs are ordered by the time of their commit, and a branch has no"
            " base: fetch them all (fetch-depth: 0), or give --position",
            kind="warning",
        )
    where = "" if measured.branch == measured.main else f" beside {measured.main}, on branch {measured.branch}"
    for folder in results:
        try:
            added = commands.add(Store(store), folder, measured, unfinished=unfinished)
        except ReportError as error:
            fail(EXIT_USAGE, str(error))
        out.print(f"{folder}: {added} rows added{where}" if added else f"{folder}: already in {store}, nothing added")


@history_app.command("branch")
def branch_(
    main: Annotated[
        str | None, typer.Option(help="The main branch; by default as the CI system says, or git.", show_default=False)
    ] = None,
) -> None:
    """Print the branch by which `add` keeps the commit checked out here; nothing where that is the main one.

    It is what `check` and `show` are given as --branch, in a script.

    Exit codes: 0.
    """
    measured = measured_commit(main=main)
    if measured.branch != measured.main:
        out.print(measured.branch)


@history_app.command()
def show(
    store: StoreOption = STORE,
    only: OnlyOption = "",
    branch: BranchOption = "",
    budget: BudgetOption = 1.0,
    silent_after: SilentOption = 14,
    ends_after: EndsOption = 60,
    html: HtmlOption = None,
    png: Annotated[Path | None, typer.Option(help="Write one picture of all series here.")] = None,
) -> None:
    """Print every series with its changes, and what watching it can show."""
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history import commands, text  # noqa: PLC0415  (as above)
    from reports.history.page import in_order  # noqa: PLC0415  (as above)

    try:
        watched = _watch(store, only, branch, budget, silent_after, ends_after)
        commands.draw(watched, html=html, png=png)
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    for one in in_order(watched):
        out.print("\n".join(text.block(one)) + "\n")
    _end(watched)
    for path in filter(None, (html, png)):
        out.print(str(path))


@history_app.command()
def check(
    store: StoreOption = STORE,
    only: OnlyOption = "",
    branch: BranchOption = "",
    budget: BudgetOption = 1.0,
    silent_after: SilentOption = 14,
    ends_after: EndsOption = 60,
    html: HtmlOption = None,
) -> None:
    """Say whether a level changed or drifted that nobody has judged, or runs have ceased to come.

    Stored runs alone propose a change and prove none, so there is no exit code 1: measure old
    and new side by side, interleaved, and keep the verdict with `bench history confirm`; or keep
    that it was meant with `bench history accept`.

    Exit codes: 0 nothing to look at · 2 usage · 3 suspect.
    """
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history import commands, text  # noqa: PLC0415  (as above)

    try:
        watched = _watch(store, only, branch, budget, silent_after, ends_after)
        commands.draw(watched, html=html)
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    for one in watched.alive:
        shown = [*text.alarms(one), text.watching(one)]
        out.print("\n".join([f"{one.series.name}  {one.series.title}", *(f"    {line}" for line in shown)]))
    out.print()
    _end(watched)
    if watched.suspect:
        raise typer.Exit(EXIT_SUSPECT)


def _watch(store: Path, only: str, branch: str, budget: float, silent_after: int, ends_after: int) -> "Watched":
    from reports.history import commands  # noqa: PLC0415  (as above)
    from reports.history.changes import HistoryRules  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    rules = HistoryRules(
        budget=budget, silent_after=timedelta(days=silent_after), ends_after=timedelta(days=ends_after)
    )
    return commands.watch(Store(store), only=only, branch=branch, rules=rules, now=datetime.now(UTC))


def _end(watched: "Watched") -> None:
    """Print what all series come to, and what was left out."""
    from reports.history import text  # noqa: PLC0415  (as above)

    out.print(f"{text.headline(watched)}\n{text.budget(watched)}")
    for line in text.branches(watched):
        out.print(line)
    tell(*watched.skipped, kind="warning")


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
    branch: BranchOption = "",
) -> None:
    """Judge a proposed change by a run that measured old and new side by side, and keep the verdict.

    Better or worse confirms it, the same dismisses it; undecided leaves it proposed and is not kept.

    Exit codes: 0 confirmed or dismissed · 2 usage · 3 undecided.
    """
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history import commands  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    try:
        found, added = commands.confirm(Store(store), series, point, by, old=old, new=new, branch=branch)
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


@history_app.command()
def accept(
    point: Annotated[
        str, typer.Argument(help="The run, or its commit, at which what is meant begins; or ends: --end.")
    ],
    why: Annotated[str, typer.Option(help="In words: a new type of host, a new version of the broker.")],
    store: StoreOption = STORE,
    only: OnlyOption = "",
    end: Annotated[
        bool, typer.Option("--end", help="The series end with that run, as when a target was renamed.")
    ] = False,
) -> None:
    """Keep that levels are meant to be as they are from a point on, or that series are meant to end.

    An accepted level raises no alarm, and drift is measured from it. Without --only it is that of every series.

    Exit codes: 0 kept · 2 usage.
    """
    from reports import ReportError  # noqa: PLC0415  (as above)
    from reports.history import commands  # noqa: PLC0415  (as above)
    from reports.history.store import Store  # noqa: PLC0415  (as above)

    try:
        kept = commands.accept(Store(store), point, why, only=only, end=end)
    except ReportError as error:
        fail(EXIT_USAGE, str(error))
    for one in kept:
        out.print(f"{one.name}  {one.title}: {'ends with' if end else 'level accepted from'} {point}")
    if not kept:
        out.print("this was accepted before: nothing added")
