"""The work of `bench search`: what is searched, its progress and its answer on the terminal."""

import math
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import RenderableType
from rich.text import Text

from bench.cli.console import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    err,
    fail,
    out,
    print_table,
    tell,
)
from bench.cli.image import check_recipes
from bench.cli.live_view import Moment, line
from bench.cli.progress import Audience, Progress
from bench.cli.run_work import begin
from bench.cli.watching import Watching
from bench.results import archive
from bench.results.records import PlannedTrial, TrialRecord
from bench.results.search import SearchRecord, SustainedRate
from bench.run.conductor import RunEnd, Watch
from bench.run.preflight import UnfitError
from bench.run.search import SearchOptions
from bench.run.search import search as conduct_search
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import Loaded, load_scenario
from bench.scenario.scenario import RateLoad, Scenario, Workload
from bench.stats.rate_search import Rules, Taken
from bench.units import NS_PER_MS, NS_PER_S, parse_duration, time_words
from brokers.base import BrokerError

RULES, QUICK_RULES = Rules(), Rules(factor=1.25, precision=0.03)
"""Of a quick search, the closed loop gives a first guess; the holds decide on the last 5 %."""
_ENDS = {
    "measurement": "the rate above could not be measured: a lower bound",
    "limit": "the highest rate that may be tried held",
    "nothing": "no rate held",
    "trials": "out of trials: the interval is what was known by then",
    "failed": "the broker could not be run",
    "interrupted": "interrupted",
}


def load(scenario: str, overrides: list[str], *, quick: bool) -> Loaded:
    """Return a scenario; leave where it cannot be used."""
    try:
        return load_scenario(scenario, overrides, quick=quick)
    except ScenarioError as error:
        fail(EXIT_USAGE, *map(str, error.faults))


def carry_out(
    loaded: Loaded,
    wanted: SearchOptions,
    seed: int,
    folder: Path | None,
    command: str,
    json: Path | None,
    watched: Watching,
) -> None:
    """Search, print what was found, and leave with the exit code; see `bench.cli.search`."""
    check_recipes(loaded.scenario)
    name, consume = f"{loaded.scenario.name}-search", wanted.consume_existing
    place, record, roots = begin(loaded, (), seed, folder, name, command, purpose="search", consume_existing=consume)
    try:
        with SearchProgress(watched.draw) as progress:
            found, end = conduct_search(record, place, wanted, roots, SearchAudience(progress, *watched.others))
    except UnfitError as error:
        archive.remove_empty(place)
        fail(EXIT_USAGE, *error.faults)
    except archive.ArchiveError as error:
        fail(EXIT_FAILED, str(error))
    except BrokerError as error:
        fail(EXIT_FAILED, f"a broker could not be stopped: {error}")
    except OSError as error:
        fail(EXIT_FAILED, f"the host refused ({error}): what was found so far is in {place / 'search.json'}")
    _print(record.scenario, found)
    if json is not None:
        try:
            json.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            fail(EXIT_FAILED, f"--json {json} cannot be written: {error.strerror}")
    out.print(str(place / "search.json"))
    raise typer.Exit(_exit_code(found, end))


def _exit_code(found: SearchRecord, end: RunEnd) -> int:
    if end.interrupted:
        return EXIT_INTERRUPTED
    tell(*end.failed)
    return EXIT_FAILED if end.failed or any(one.low is None for one in found.answers) else 0


def base(scenario: Scenario, name: str | None) -> Workload:
    """Return the workload whose rate is searched."""
    if name is not None:
        named = [one for one in scenario.workloads if one.name == name]
        if not named:
            there = ", ".join(one.name for one in scenario.workloads)
            fail(EXIT_USAGE, f"--workload {name!r} is no workload: there are {there}")
        if named[0].counted is not None:
            fail(EXIT_USAGE, f"--workload {name!r} counts its messages, and a rate is searched over time: name another")
        return _with_rate(named[0])
    timed = [one for one in scenario.workloads if one.counted is None]
    if not timed:
        fail(EXIT_USAGE, f"{scenario.name} counts the messages of all its workloads, and a rate is searched over time")
    rates = [one for one in timed if isinstance(one.load, RateLoad)]
    return _with_rate(next((one for one in rates if not one.durable), (rates or timed)[0]))


def _with_rate(workload: Workload) -> Workload:
    """Return a workload as an open loop; its rate is only where a search begins that has no better guess."""
    if isinstance(workload.load, RateLoad):
        return workload
    return workload.model_copy(update={"load": RateLoad(kind="rate", rate=1_000.0)})


def _chosen(scenario: Scenario, base: Workload, names: list[str]) -> list[str]:
    there = [one.name for one in scenario.targets if base.is_for(one.name)]
    unknown = [name for name in names if name not in there]
    if unknown:
        fail(
            EXIT_USAGE,
            *(
                f"--target {name!r} is no target of workload {base.name}: there are {', '.join(there)}"
                for name in unknown
            ),
        )
    return [name for name in there if not names or name in names]


def narrowed(loaded: Loaded, wanted: SearchOptions, asked: list[str]) -> Loaded:
    """Return the scenario of a search: its targets, their brokers, the closed loop; rates join as they are tried."""
    given = loaded.scenario
    names = _chosen(given, wanted.base, asked)
    targets = tuple(one for one in given.targets if one.name in names)
    used = {one.broker for one in targets}
    changes = {
        "targets": targets,
        "brokers": tuple(broker for broker in given.brokers if broker.name in used),
        "workloads": (wanted.guess().model_copy(update={"only": ()}),),
        "plan": given.plan.model_copy(update={"restart": "run", "idle": False}),
        "quick": given.quick.model_copy(update={"workloads": None}),
    }
    return Loaded(given.model_copy(update=changes), loaded.text, loaded.overrides, loaded.quick)


def duration(option: str, text: str) -> int:
    """Return what an option says, ns; leave where that is no time."""
    try:
        ns = parse_duration(text)
    except ValueError as error:
        fail(EXIT_USAGE, f"{option}: {error}")
    if not ns:
        fail(EXIT_USAGE, f"{option} {text}: must be longer than 0")
    return ns


def seconds(option: str, text: str) -> int:
    """Return what an option says, ns; leave where that is not whole seconds."""
    ns = duration(option, text)
    if ns % NS_PER_S:
        fail(EXIT_USAGE, f"{option} {text}: must be whole seconds, as latency is logged by the second")
    return ns


class SearchProgress(Progress):
    """One changing line, and one line a step with its rate and verdict."""

    def __init__(self, draw: Callable[[Moment], RenderableType] = line) -> None:
        """Know nothing of the time yet."""
        super().__init__(0.0, draw)
        self._left_s = math.nan

    def end(self, record: TrialRecord) -> None:
        """Say nothing: the verdict comes by itself."""

    def judged(self, target: str, taken: Taken, left_s: float) -> None:
        """Print a step's line."""
        self._left_s = left_s
        kind = "hold " if taken.step.hold else "trial"
        why = "; ".join(failure.text for failure in taken.failures)
        line = f"{target}  {kind}  {taken.step.rate:>10,.6g} msg/s  {taken.verdict}{'  ' + why if why else ''}"
        style = {"pass": "green", "fail": "", "invalid": "red"}[taken.verdict]
        err.print(Text(f"{line}  (about {self._left()} left)", style=style))

    def _heading(self, planned: PlannedTrial) -> str:
        return f"trial {self._number}  {planned.target} · {planned.workload}"

    def _left(self) -> str:
        return "?" if math.isnan(self._left_s) else time_words(round(self._left_s))


class SearchAudience(Audience):
    """Several who watch a search; its verdicts are printed by the first alone."""

    def __init__(self, progress: SearchProgress, *others: Watch) -> None:
        """Tell these."""
        super().__init__(progress, *others)
        self._progress = progress

    def judged(self, target: str, taken: Taken, left_s: float) -> None:
        """See `bench.run.search.SearchWatch`."""
        self._progress.judged(target, taken, left_s)


def _print(scenario: Scenario, found: SearchRecord) -> None:
    labels = {target.name: target.label or target.name for target in scenario.targets}
    out.print(Text(f"\nHighest sustainable rate, {found.workload}", style="bold"))
    rows: list[tuple[str, ...]] = [("", "held msg/s", "failed msg/s", "p99 ms there", "trials", "holds", "time")]
    rows += [_row(labels[one.target], one) for one in found.answers]
    print_table(rows)
    for one in found.answers:
        words = [f"{one.high:,.6g} msg/s failed: {one.why}"] if one.high is not None else []
        words += [_ENDS[one.ended]] if one.ended in _ENDS else []
        words += ["client-bound: a lower bound"] if one.client_bound and one.ended == "found" else []
        out.print(f"{labels[one.target]}: {'; '.join(words) or '–'}")
    asked = "" if found.objective_p99_ns is None else f", p99 at most {found.objective_p99_ns / NS_PER_MS:g} ms"
    out.print(
        f"A rate holds when over {found.hold_s} s at least 99 % of what is offered arrives in time, the backlog does"
        f" not grow, and nothing is lost{asked}. Short trials took {found.short_s} s."
    )
    if found.curve:
        out.print(Text("\nLatency against load", style="bold"))
        table: list[tuple[str, ...]] = [("", "offered msg/s", "received msg/s", "p50 ms", "p99 ms", "")]
        for point in sorted(found.curve, key=lambda point: (point.target, point.rate)):
            flags = [*(["saturated"] if point.saturated else []), *([] if point.valid else ["invalid"])]
            p50, p99 = ("–" if ns is None else f"{ns / NS_PER_MS:.3g}" for ns in (point.p50_ns, point.p99_ns))
            rates = f"{point.rate:,.6g}", f"{point.achieved:,.6g}"
            table.append((labels[point.target], *rates, p50, p99, " ".join(flags)))
        print_table(table)


def _row(label: str, one: SustainedRate) -> tuple[str, ...]:
    low, high = ("–" if rate is None else f"{rate:,.6g}" for rate in (one.low, one.high))
    p99 = "–" if one.p99_ns is None else f"{one.p99_ns / NS_PER_MS:.3g}"
    return label, low, high, p99, str(one.short_trials), str(one.holds), time_words(one.seconds)
