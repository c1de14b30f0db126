"""What `bench gate` does: runs both sides in turn or reads what was stored, judges, and says so."""

import platform
import secrets
import time
from pathlib import Path
from typing import NoReturn

import typer

from bench.cli.console import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    as_typed,
    err,
    fail,
    out,
    print_table,
    resuming,
    tell,
)
from bench.cli.gate import Asked, GateFiles
from bench.cli.image import check_recipes
from bench.cli.report import write_reports
from bench.cli.run_work import begin, conduct_all, print_plan
from bench.plan.paired import merged, paired_plan
from bench.plan.plan import estimate_ns
from bench.results import archive
from bench.results.records import PairedTarget
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import Loaded, load_scenario
from bench.scenario.products import describe
from bench.units import NS_PER_S, time_words
from reports.dataset import load
from reports.errors import ReportError
from reports.gate.budget import DEFAULT, Budget, BudgetError, read_budget
from reports.gate.export import annotations, method, to_junit, to_markdown
from reports.gate.judge import judge_paired, judge_stored
from reports.gate.pairs import GateError, unlike_promises
from reports.gate.result import Gate
from reports.gate.words import allowed, change, figure, percent


def carry_out(asked: Asked, budget_file: Path | None, wanted: GateFiles) -> NoReturn:
    """Compare, write the verdict down, and leave with its exit code."""
    budget = _read_budget(budget_file)
    faults = wanted.faults()
    if asked.only_paired and not asked.paired:
        faults.append(f"{', '.join(asked.only_paired)}: can only be used with --paired")
    if faults:
        fail(EXIT_USAGE, *faults)
    started = time.monotonic()
    found = paired(asked, budget) if asked.paired else stored(asked, budget)
    write(found, wanted, time.monotonic() - started)
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
    given = [asked.baseline, *([asked.candidate] if asked.candidate is not None else [])]
    for folder in given:
        try:
            archive.read(Path(folder))
        except archive.NewerArchiveError as error:
            fail(EXIT_USAGE, str(error))
        except archive.ArchiveError as error:
            fail(EXIT_USAGE, f"{error}; a scenario is run with --paired")
    try:
        data = [load(folder) for folder in given]
        if asked.candidate is None:
            return judge_paired(data[0], budget, asked.noise_floor, given)
        return judge_stored(data[0], data[1], budget, asked.noise_floor, given)
    except GateError as error:
        fail(EXIT_USAGE, *error.faults)
    except ReportError as error:  # no trial that can be read
        fail(EXIT_FAILED, str(error))


def paired(asked: Asked, budget: Budget) -> Gate:
    """Run both sides in turn and judge them."""
    loaded, pairs = _both(asked)
    names = {one.target for one in pairs.values()}, {workload.name for workload in loaded.scenario.workloads}
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
    _keep(place, found)
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


def _keep(folder: Path, found: Gate) -> None:
    """Put the verdict and the report beside the trials."""
    write_reports(folder)
    archive.write_whole(folder / "gate.json", found.model_dump_json(indent=1) + "\n")
    archive.write_whole(folder / "gate.md", to_markdown(found))
    err.print(f"details: {folder / 'report.html'}")


def write(found: Gate, wanted: GateFiles, took_s: float) -> None:
    """Write every file that was asked for; leave with 4 where one cannot be written."""
    texts = (
        (wanted.junit, "--junit", to_junit(found, platform.node() or "localhost", took_s)),
        (wanted.md, "--md", to_markdown(found)),
        (wanted.json, "--json", found.model_dump_json(indent=1) + "\n"),
    )
    for path, option, text in texts:
        if path is not None:
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                fail(EXIT_FAILED, f"{option} {path} cannot be written ({error.strerror}): name another file")


def print_annotations(found: Gate) -> None:
    """Print what GitHub turns into annotations."""
    for line in annotations(found):
        out.print(line)


def print_gate(found: Gate) -> None:
    """Print every line, how it was decided, what to know, and the verdict last."""
    rows: list[tuple[str, ...]] = [
        ("", "baseline", "candidate", "change (interval)", "allowed", "detectable", "pairs", "verdict")
    ]
    rows += [
        (
            f"{line.target} · {line.workload} · {line.metric}",
            figure(line, line.baseline),
            figure(line, line.candidate),
            change(line),
            allowed(line),
            percent(line.detectable),
            f"{line.n} of {line.planned}",
            line.verdict,
        )
        for line in found.lines
    ]
    print_table(rows)
    out.print(method(found).replace("`", ""))
    for remark in found.remarks:
        out.print(f"  {remark}")
    out.print(found.sentence)
