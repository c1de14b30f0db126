"""The work of `bench run`, parts of which other verbs share: make the folder, carry out the plan, report."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import typer

from bench.cli.console import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_INVALID,
    EXIT_LIMIT,
    EXIT_USAGE,
    as_typed,
    err,
    fail,
    out,
    resuming,
    silent,
    tell,
    warn_of_former,
)
from bench.cli.image import check_recipes, ensure_images
from bench.cli.pinning import pinned_cpus, pinning
from bench.cli.progress import Audience, Progress
from bench.cli.report import print_answer, write_reports
from bench.cli.watching import Watching
from bench.drivers.registry import registry
from bench.host.hostclass import host_class
from bench.host.interference import interference
from bench.host.noise_floors import floor_of, keep
from bench.plan.plan import estimate_bytes, estimate_ns, make_plan, spare
from bench.results import archive
from bench.results.records import BROKE_OFF, ImageRecord, PlannedTrial, RunRecord, TrialOutcome
from bench.run.conductor import RunEnd, conduct
from bench.run.health import AWAY
from bench.run.host_record import host_facts, tool_versions
from bench.run.preflight import UnfitError, exposures, lacking, unfit, unpinnable, without_optional
from bench.run.scratch_folder import scratch_root
from bench.scenario.absolute_limit import read_condition
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import Loaded, load_scenario
from bench.scenario.products import describe, parts
from bench.scenario.reference import SCHEMA_LINE
from bench.scenario.scenario import AbsoluteLimit, Scenario
from bench.scenario.sweep import trials_words
from bench.stats.noise_floor import sides
from bench.stats.noninferiority import MIN_PAIRS
from bench.units import NS_PER_S, percent, size_words, time_words
from brokers import image
from brokers.base import BrokerError
from brokers.credentials import ALLOWED


@dataclass(frozen=True)
class Shown:
    """What a run prints and writes.

    Attributes:
        quiet: whether the answer and faults alone are printed.
        json: whether the answer is the summary as JSON.
        report: whether a report is written, and an answer given.
    """

    quiet: bool = False
    json: bool = False
    report: bool = True


@dataclass(frozen=True)
class Demands:
    """What a run must keep to.

    Attributes:
        check: whether it is judged by the scenario's limits at its end.
        abort_on: limits that end it where a trial does not keep to them.
    """

    check: bool = False
    abort_on: tuple[AbsoluteLimit, ...] = ()

    def faults(self, scenario: Scenario, *, quick: bool) -> list[str]:
        """Return why a scenario cannot be checked."""
        if not self.check:
            return []
        found = ["--check needs whole trials: leave out --quick, which carries no verdict"] if quick else []
        if not scenario.limits:
            found.append(f"--check: {scenario.name} has no limits: add [[limits]], see docs/scenario.md")
        if scenario.plan.repetitions < MIN_PAIRS:
            found.append(
                f"--check decides with at least {MIN_PAIRS} trials a row, and plan.repetitions is"
                f" {scenario.plan.repetitions}: raise it"
            )
        return found


def demands(*, check: bool, abort_on: list[str]) -> Demands:
    """Return what is demanded; leave where a condition is none."""
    limits, faults = [], []
    for text in abort_on:
        try:
            limits.append(read_condition(text))
        except ValueError as error:
            faults.append(f"--abort-on {error}")
    if faults:
        fail(EXIT_USAGE, *faults)
    return Demands(check, tuple(limits))


def shown(*, quiet: bool, json: bool, no_report: bool, watch: bool) -> Shown:
    """Return what is to be printed and written; leave where that is contradictory."""
    faults = ["--json prints what the report says: leave out --no-report"] if json and no_report else []
    faults += ["--quiet prints the answer alone: leave out --watch"] if quiet and watch else []
    if faults:
        fail(EXIT_USAGE, *faults)
    return Shown(quiet, json, not no_report)


def start(
    scenario: str,
    overrides: list[str],
    seed: int | None,
    driver: str | None,
    folder: Path | None,
    shown: Shown,
    watched: Watching,
    demanded: Demands,
    *,
    quick: bool,
    plan_only: bool,
    consume_existing: bool,
    pin: bool = False,
) -> None:
    """Run a scenario from its beginning, or print its plan; `pin` splits the CPUs between brokers and workers."""
    loaded = _load(scenario, overrides, driver, quick=quick)
    if pin:
        overrides = [*overrides, *pinning(loaded.scenario)]
        loaded = _load(scenario, overrides, driver, quick=quick)
    loaded = _possible(loaded)
    if faults := demanded.faults(loaded.scenario, quick=quick):
        fail(EXIT_USAGE, *faults)
    check_recipes(loaded.scenario)
    chosen = secrets.randbelow(1 << 31) if seed is None else seed
    planned = make_plan(loaded.scenario, chosen)
    if plan_only:
        print_plan(loaded.scenario, planned)
        return
    if not shown.quiet:
        for line in sweeps_words(loaded.scenario, planned):
            err.print(line)
    options = {
        "--quick": quick,
        "--set": overrides,
        "--driver": driver,
        "--consume-existing": consume_existing,
        "--credentials-from": os.environ.get(ALLOWED, "").split(),
        "--seed": chosen,
    }
    command = as_typed("run", scenario, options=options)
    place, record, roots = begin(
        loaded, planned, chosen, folder, loaded.scenario.name, command, consume_existing=consume_existing
    )
    carry_out(record, place, roots, shown, watched, demanded, consume_existing=consume_existing)


def _load(scenario: str, overrides: list[str], driver: str | None, *, quick: bool) -> Loaded:
    try:
        return load_scenario(scenario, overrides, quick=quick, driver=driver)
    except ScenarioError as error:
        fail(EXIT_USAGE, *map(str, error.faults))


def _possible(loaded: Loaded) -> Loaded:
    """Return a scenario without its optional brokers that this host cannot start, and say so; leave without any."""
    scenario, missing = without_optional(loaded.scenario)
    words = [f"broker {name!r}: {why}" for name, why in missing.items()]
    if scenario is None:
        fail(EXIT_USAGE, "nothing of this scenario can be run on this host", *words)
    tell(*(f"left out: {one}" for one in words), kind="warning")
    return replace(loaded, scenario=scenario, not_here=missing)


def begin(
    loaded: Loaded,
    planned: tuple[PlannedTrial, ...],
    seed: int,
    folder: Path | None,
    name: str,
    command: str,
    purpose: Literal["run", "search"] = "run",
    *,
    consume_existing: bool = False,
    said: Callable[[str], str] = str,
) -> tuple[Path, RunRecord, dict[str, Path]]:
    """Make the results folder of a run; return it, its record, and the root of each image. Leave where that fails."""
    run_id = f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    place = folder or Path("results") / run_id
    _check_disk(loaded.scenario, planned, place)
    warn_of_former(target.driver for target in loaded.scenario.targets)
    if place.exists():
        finish = f", or finish that run with --resume {place}" if purpose == "run" else ""
        fail(EXIT_USAGE, f"--out {place} exists already: name a new folder{finish}")
    refuse_unfit(loaded.scenario, consume_existing=consume_existing, said=said)
    images = ensure_images(loaded.scenario)
    host = host_facts(place, scratch_root())
    record = RunRecord(
        run_id=run_id,
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        mode="quick" if loaded.quick else "full",
        scenario=loaded.scenario,
        seed=seed,
        overrides=tuple(loaded.overrides),
        command=command,
        plan=planned,
        tools=tool_versions(target.driver for target in loaded.scenario.targets),
        host=host,
        images={name: _image_record(found, parts(loaded.scenario)) for name, found in images.items()},
        products=describe(loaded.scenario),
        noise_floor=floor_of(host_class(host)),
        purpose=purpose,
        interference=interference(pinned_cpus(loaded.scenario)),
        not_here=dict(loaded.not_here),
    )
    try:
        # The schema lies beside the scenario that was given, not beside its copy.
        archive.create(place, record, loaded.text.removeprefix(f"{SCHEMA_LINE}\n"))
    except archive.ArchiveError as error:
        fail(EXIT_USAGE, str(error))
    return place, record, {name: found.root for name, found in images.items()}


def refuse_unfit(scenario: Scenario, *, consume_existing: bool, said: Callable[[str], str] = str) -> None:
    """Leave where this machine, or a broker that someone else runs, cannot do what is asked; `said` words faults."""
    if missing := lacking(scenario):
        fail(EXIT_FAILED, *missing)
    tell(*exposures(scenario), kind="warning")
    if faults := unpinnable(scenario):
        fail(EXIT_USAGE, *map(said, faults))
    if faults := unfit(scenario, os.environ, consume_existing=consume_existing):
        fail(EXIT_USAGE, *map(said, faults))


def finish(
    folder: Path, shown: Shown, watched: Watching, demanded: Demands, *, plan_only: bool, consume_existing: bool
) -> None:
    """Run what is left of a run, or print it."""
    try:
        begun = archive.read(folder)
    except archive.ArchiveError as error:
        fail(EXIT_USAGE, str(error))
    if begun.record.purpose == "search":
        fail(
            EXIT_USAGE, f"--resume {folder}: its trials are steps of a search, which depend on each other: search anew"
        )
    if faults := demanded.faults(begun.record.scenario, quick=begun.record.mode == "quick"):
        fail(EXIT_USAGE, *faults)
    if plan_only:
        print_plan(begun.record.scenario, begun.left())
        return
    refusals = {registry().refusal(target.driver) for target in begun.record.scenario.targets} - {None}
    if refusals:
        fail(EXIT_FAILED, *sorted(map(str, refusals)))
    refuse_unfit(begun.record.scenario, consume_existing=consume_existing)
    images = ensure_images(begun.record.scenario)
    changed = [
        name
        for name, found in images.items()
        if name not in begun.record.images or begun.record.images[name].content_digest != found.content_digest
    ]
    if changed:
        fail(
            EXIT_FAILED,
            *(
                f"image {name} is not the one this run began with: its trials could not be compared; start a new run"
                for name in changed
            ),
        )
    roots = {name: found.root for name, found in images.items()}
    carry_out(begun.record, folder, roots, shown, watched, demanded, consume_existing=consume_existing, made_here=False)


def carry_out(
    record: RunRecord,
    folder: Path,
    roots: dict[str, Path],
    shown: Shown,
    watched: Watching,
    demanded: Demands = Demands(),
    *,
    consume_existing: bool,
    made_here: bool = True,
) -> None:
    """Carry a run out, report, answer, and leave with the exit code; see `bench.cli.run`."""
    started = time.monotonic()
    with silent(shown.quiet):
        end = conduct_all(
            record,
            folder,
            roots,
            watched,
            demanded.abort_on,
            consume_existing=consume_existing,
            made_here=made_here,
        )
        finished = archive.read(folder)
        try:
            summary = write_reports(folder) if finished.trials and shown.report else None
        except KeyboardInterrupt:
            err.print(f"the results are kept; to write the report: bench report {folder}")
            raise
    drawn = summary is not None or not finished.trials or not shown.report
    if drawn and sides(record.scenario) and len(finished.trials) == len(record.plan):
        keep_floor(folder, record)
    took = time_words(time.monotonic() - started)
    if summary is not None and not shown.json:
        print_answer(summary)
    tell(*invalid_words(finished), kind="invalid")
    with silent(shown.quiet):
        err.print(f"{len(finished.trials)} of {len(record.plan)} trials in {took}")
    code = _exit_code(end, finished)
    if end.early:
        tell(f"the run was ended early: {end.early}", kind="aborted")
    if code:
        tell(*end.failed)
        next_step = "go on all the same" if end.early else "repeat them" if code == EXIT_INVALID else "finish it"
        err.print(f"to {next_step}: {resuming(folder)}")
    if summary is not None:
        out.print(summary.to_json() if shown.json else str(folder / "report.html"))
    elif finished.trials and not shown.report:
        out.print(str(folder))
    if demanded.check and finished.trials and not end.interrupted:
        code = _checked(folder, code, shown)
    raise typer.Exit(code if drawn else EXIT_FAILED)


def _checked(folder: Path, code: int, shown: Shown) -> int:
    """Judge a run by the limits of its scenario; return the exit code, which what failed outweighs but for a fail."""
    from bench.cli.gate_output import check_limits  # noqa: PLC0415  (runs without --check need none of it)

    found = check_limits(folder, silently=shown.quiet or shown.json)
    return found if code == 0 or found == EXIT_LIMIT else code


def conduct_all(
    record: RunRecord,
    folder: Path,
    roots: dict[str, Path],
    watched: Watching = Watching(),  # noqa: B008  (it is frozen)
    abort_on: tuple[AbsoluteLimit, ...] = (),
    *,
    consume_existing: bool = False,
    made_here: bool = True,
) -> RunEnd:
    """Run what is left of a run, with live progress; leave with 4 where the host refuses.

    A folder that was `made_here` goes with a run that turns out to be impossible before its first trial.
    """
    left = archive.read(folder).left()
    try:
        with Progress(estimate_ns(record.scenario, left) / NS_PER_S, watched.draw) as progress:
            audience = Audience(progress, *watched.others)
            return conduct(record, folder, roots, audience, consume_existing=consume_existing, abort_on=abort_on)
    except BrokerError as error:
        return RunEnd((f"a broker could not be stopped: {error}",), interrupted=False)
    except UnfitError as error:
        if made_here:  # the folder of an earlier run stays, whatever is in it
            archive.remove_empty(folder)
        fail(EXIT_USAGE, *error.faults)
    except archive.ArchiveError as error:
        fail(EXIT_FAILED, str(error))
    except OSError as error:
        fail(EXIT_FAILED, f"the host refused ({error}): finished trials are kept; {resuming(folder)}")


def _exit_code(end: RunEnd, finished: archive.Run) -> int:
    if end.interrupted:
        return EXIT_INTERRUPTED
    if end.early:
        return EXIT_LIMIT
    ended_badly = BROKE_OFF - {TrialOutcome.ABORTED}
    if end.failed or any(trial.record.outcome in ended_badly for trial in finished.trials):
        return EXIT_FAILED
    if len(finished.trials) < len(finished.record.plan):
        return EXIT_FAILED
    again = {(one.workload, one.makes_up_for) for one in finished.record.plan}
    left_out = [trial.record for trial in finished.trials if not trial.record.valid]
    settled = [
        (one.workload, one.repetition) in again and {note.code for note in one.health if note.hard} == {AWAY}
        for one in left_out
    ]
    return 0 if all(settled) else EXIT_INVALID


def _image_record(found: image.Image, wanted: tuple[str, ...]) -> ImageRecord:
    notable = {n: v for n, v in found.packages.items() if any(part in n for part in wanted)}
    return ImageRecord(recipe=found.recipe.name, content_digest=found.content_digest, packages=notable)


def _check_disk(scenario: Scenario, planned: tuple[PlannedTrial, ...], folder: Path) -> None:
    needed, free = estimate_bytes(scenario, planned), archive.free_bytes(folder.absolute())
    if free < needed:
        fail(
            EXIT_FAILED,
            f"{folder}: the results take about {size_words(needed)} and {size_words(free)} are free:"
            " make room, or name another place with --out",
        )


def print_plan(scenario: Scenario, planned: tuple[PlannedTrial, ...]) -> None:
    """Print every trial of a plan, with minutes and disk."""
    out.print(f"{scenario.title}\n")
    for trial in planned:
        fresh = "  (broker started anew)" if trial.restart_broker else ""
        out.print(f"{trial.index + 1:4d}  repetition {trial.repetition + 1}  {trial.target}  {trial.workload}{fresh}")
    length, size = estimate_ns(scenario, planned) / NS_PER_S, estimate_bytes(scenario, planned)
    out.print("\n".join(["", *sweeps_words(scenario, planned)]))
    out.print(f"{len(planned)} trials, about {time_words(length)} and {size_words(size)} on disk")
    if more := spare(scenario, len(planned)):
        out.print(
            f"Where the host is away now and then, a trial lasts up to {scenario.plan.extend:g} times as long,"
            f" and up to {more} more trials are done"
        )


def sweeps_words(scenario: Scenario, planned: Sequence[PlannedTrial]) -> Iterator[str]:
    """Return how many trials each sweep of a scenario makes, in words."""
    return trials_words(scenario.workloads, [(one.target, one.workload) for one in planned])


_NAMED = 8
"""Trials that a reason names by number."""


def invalid_words(finished: archive.Run) -> list[str]:
    """Return the number of invalid trials, then a line for each reason with its trials and advice; else nothing."""
    invalid = [trial.record for trial in finished.trials if not trial.record.valid]
    if not invalid:
        return []
    reasons: dict[str, list[tuple[int, str]]] = {}
    for record in invalid:
        hard = [(note.code, note.text) for note in record.health if note.hard]
        for code, text in hard or [(str(record.outcome), record.reason)]:
            reasons.setdefault(code, []).append((record.index, text))
    first = f"{len(invalid)} of {len(finished.trials)} trials are invalid and left out of every comparison"
    return [first, *(_reason(code, found) for code, found in reasons.items())]


def _reason(code: str, found: list[tuple[int, str]]) -> str:
    trials = ", ".join(str(index + 1) for index, _ in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    from reports.format import merged  # noqa: PLC0415  (a second of pandas that a run without fault does not need)

    return f"{code} (trial{'s' if len(found) > 1 else ''} {trials}{more}): {merged(text for _, text in found)}"


def keep_floor(folder: Path, record: RunRecord) -> None:
    """Keep the noise floor that a finished run found, and say what it is, or why there is none."""
    from reports.dataset import load  # noqa: PLC0415  (a second of pandas that other runs do not need)
    from reports.noise_floor import noise_floor  # noqa: PLC0415  (as above)

    if record.mode == "quick":
        err.print("no noise floor is kept: a quick run shows the shape; run it without --quick")
        return
    floor = noise_floor(load(folder))
    if floor is None:
        tell("no noise floor is kept: it needs 10 pairs of usable trials under each workload", kind="warning")
        return
    try:
        keep(floor)
    except OSError as error:
        tell(f"the noise floor cannot be kept in the cache ({error.strerror}): make room there", kind="warning")
        return
    found = ", ".join(f"{metric} {percent(effect)}" for metric, effect in floor.effects.items())
    err.print(f"noise floor of this host ({floor.pairs} pairs): {found}; later runs look for no smaller effect")
