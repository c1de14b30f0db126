"""What `bench gate` does: runs both sides in turn or reads what was stored, judges, and says so."""

import secrets
import time
from pathlib import Path
from typing import NoReturn

import typer

from bench.cli.ancestry import FETCH, before_branching, of_branch
from bench.cli.console import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, as_typed, err, fail, out, resuming, tell
from bench.cli.gate import Asked, AskedHistory, GateFiles
from bench.cli.gate_output import keep_gate, print_annotations, print_gate, write_gate
from bench.cli.image import check_recipes
from bench.cli.report import write_reports
from bench.cli.repository import GitError, is_shallow
from bench.cli.run_work import begin, conduct_all, print_plan
from bench.plan.paired import merged, paired_plan
from bench.plan.plan import estimate_ns
from bench.results import archive
from bench.results.records import PairedTarget
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import Loaded, load_scenario
from bench.scenario.products import describe
from bench.units import NS_PER_S, time_words
from reports.dataset import Dataset, load
from reports.errors import ReportError
from reports.format import listed
from reports.gate.baseline import KeptSide, newest
from reports.gate.budget import DEFAULT, Budget, BudgetError, read_budget
from reports.gate.comment import CommentError, marker
from reports.gate.judge import is_paired, judge_first, judge_limits, judge_paired, judge_sides, judge_stored
from reports.gate.pairs import GateError, unlike_promises
from reports.gate.result import Gate
from reports.gate.words import NOTHING_YET
from reports.history.store import Store


def carry_out(asked: Asked, budget_file: Path | None, wanted: GateFiles) -> NoReturn:
    """Compare, write the verdict down, and leave with its exit code."""
    budget = _read_budget(budget_file)
    faults = wanted.faults() + asked.faults()
    if wanted.comment is not None:
        try:
            marker(wanted.comment)
        except CommentError as error:
            faults.append(f"--comment-marker {error}")
    if faults:
        fail(EXIT_USAGE, *faults)
    started = time.monotonic()
    found = paired(asked, budget) if asked.paired else stored(asked, budget)
    write_gate(found, wanted, time.monotonic() - started)
    print_gate(found)
    if wanted.github:
        print_annotations(found)
    raise typer.Exit(found.exit_code)


def _read_budget(path: Path | None) -> Budget:
    try:
        return read_budget(path)
    except BudgetError as error:
        fail(EXIT_USAGE, *error.faults)


def print_budget(path: Path | None) -> None:
    """Print a budget that can be used; the built-in one where no path is given."""
    _read_budget(path)
    out.print((path or DEFAULT).read_text(encoding="utf-8").rstrip())


def stored(asked: Asked, budget: Budget) -> Gate:
    """Judge results that are there: two runs, or the folder of a paired run."""
    first = asked.allow_first and not Path(asked.baseline).exists()
    given = [name for name in (None if first else asked.baseline, asked.candidate) if name is not None]
    for folder in given:
        try:
            archive.read(Path(folder))
        except archive.NewerArchiveError as error:
            fail(EXIT_USAGE, str(error))
        except archive.ArchiveError as error:
            fail(EXIT_USAGE, f"{error}; a scenario is run with --paired")
    try:
        data = [load(folder) for folder in given]
        if first:
            return judge_first(data[0], budget, given)
        if asked.history.store is not None:
            return _with_history(data[0], asked.history, budget, asked.noise_floor, given)
        if asked.candidate is not None:
            return judge_stored(data[0], data[1], budget, asked.noise_floor, given)
        return _alone(data[0], budget, asked.noise_floor, given)
    except GateError as error:
        fail(EXIT_USAGE, *error.faults)
    except ReportError as error:  # no trial that can be read
        fail(EXIT_FAILED, str(error))


def _alone(data: Dataset, budget: Budget, noise_floor: float | None, results: list[str]) -> Gate:
    """Judge the folder of a paired run, or any other by absolute limits alone."""
    if (data.runs[0].scenario.limits or budget.absolute) and not is_paired(data):
        return judge_limits(data, budget, results)
    return judge_paired(data, budget, noise_floor, results)


def _with_history(
    new: Dataset, history: AskedHistory, budget: Budget, noise_floor: float | None, results: list[str]
) -> Gate:
    """Judge a run beside the one of a history that came before it; without one it is the first."""
    store = Store(history.store or Path())
    try:
        commits = of_branch(history.branch) if history.branch else before_branching(history.merged_into)
    except GitError as error:
        fail(EXIT_USAGE, f"--baseline-store: {error}")
    candidate = KeptSide(new)
    if not any((store.folder / "runs").glob("*.parquet")):
        return judge_first(new, budget, results)
    try:
        kept = store.read()
        tell(*kept.skipped, kind="warning")
        found = newest(kept.rows, commits, candidate)
    except ReportError as error:
        fail(EXIT_USAGE, str(error).replace("--store", "--baseline-store"))
    if found.side is None and is_shallow():
        fail(EXIT_USAGE, f"--baseline-store: no run of it is of a commit that is known here: {FETCH}")
    if found.side is None:
        why = (
            f"{NOTHING_YET} on this class of hosts (there are runs on {listed([*found.others])})"
            if found.others
            else NOTHING_YET
        )
        return judge_first(new, budget, results, why)
    return judge_sides(found.side, candidate, budget, noise_floor, results)


def paired(asked: Asked, budget: Budget) -> Gate:
    """Run both sides in turn and judge them."""
    loaded, pairs = _both(asked)
    workloads = {name for one in loaded.scenario.workloads for name in (one.name, one.part_of) if name}
    names = {one.target for one in pairs.values()}, workloads
    if strangers := [*budget.strangers(*names)]:
        fail(EXIT_USAGE, *strangers)
    check_recipes(loaded.scenario)
    seed = secrets.randbelow(1 << 31) if asked.seed is None else asked.seed
    planned = paired_plan(loaded.scenario, pairs, seed)
    if asked.plan:
        print_plan(loaded.scenario, planned)
        raise typer.Exit
    length = time_words(estimate_ns(loaded.scenario, planned) / NS_PER_S)
    err.print(f"{len(planned)} trials, about {length}")
    options = {
        "--paired": True,
        "--set": asked.both,
        "--set-baseline": asked.base,
        "--set-candidate": asked.new,
        "--consume-existing": asked.consume_existing,
        "--pairs": asked.pairs,
        "--seed": seed,
    }
    command = as_typed("gate", asked.baseline, *([asked.candidate] if asked.candidate else []), options=options)
    name, consume = f"gate-{loaded.scenario.name}", asked.consume_existing
    place, record, roots = begin(loaded, planned, seed, asked.folder, name, command, consume_existing=consume)
    end = conduct_all(record, place, roots, consume_existing=consume)
    if end.interrupted:
        tell(f"to finish it: {resuming(place)}, then: bench gate {place}", kind="interrupted")
        raise typer.Exit(EXIT_INTERRUPTED)
    tell(*end.failed)
    try:
        found = judge_paired(load(place), budget, asked.noise_floor, [str(place)])
    except (GateError, ReportError) as error:
        fail(EXIT_FAILED, str(error))
    write_reports(place)
    keep_gate(place, found)
    err.print(f"details: {place / 'report.html'}")
    return found


def _both(asked: Asked) -> tuple[Loaded, dict[str, PairedTarget]]:
    """Return both sides as one scenario, and whom its targets stand for; or leave with every fault."""
    faults: list[str] = []
    sides: list[Loaded] = []
    for word, name, own in (
        ("baseline", asked.baseline, asked.base),
        ("candidate", asked.candidate or asked.baseline, asked.new),
    ):
        try:
            sides.append(load_scenario(name, [*asked.both, *own]))
        except ScenarioError as error:
            faults += [f"{word}: {fault}" for fault in error.faults]
    if faults:
        fail(EXIT_USAGE, *faults)
    base, new = sides
    try:
        scenario, pairs = merged(base.scenario, new.scenario, asked.pairs)
    except ScenarioError as error:
        fail(EXIT_USAGE, *map(str, error.faults))
    if unlike := [*unlike_promises([(one.scenario, describe(one.scenario)) for one in sides])]:
        fail(EXIT_USAGE, *unlike)
    text = base.text
    if new.text != base.text:
        commented = "\n".join(f"# {line}".rstrip() for line in new.text.splitlines())
        text = f"{text.rstrip()}\n\n# The candidate:\n{commented}\n"
    return Loaded(scenario, text, (*asked.both, *asked.base, *asked.new), quick=False), pairs
