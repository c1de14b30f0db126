"""`bench gate`: whether a candidate is worse than its baseline, for continuous integration."""

import os
import platform
import secrets
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bench import archive
from bench.cli.console import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, err, fail, out, tell
from bench.cli.images import check_recipes
from bench.cli.report import write_reports
from bench.cli.run import begin, conduct_all, print_plan
from bench.faults import ScenarioError
from bench.load import Loaded, load_scenario
from bench.plan import estimate_ns
from bench.rerun import merged, paired_plan
from bench.stats.gate import MIN_PAIRS
from bench.units import NS_PER_S

if TYPE_CHECKING:
    from reports.gate.budget import Budget
    from reports.gate.record import Gate

_SECONDS_A_MINUTE = 60


@dataclass(frozen=True)
class _Asked:
    # What is wanted, as one typed value.
    baseline: str
    candidate: str | None
    rerun: bool
    both: tuple[str, ...]
    base: tuple[str, ...]
    new: tuple[str, ...]
    pairs: int
    seed: int | None
    folder: Path | None
    plan: bool
    noise_floor: float | None

    @property
    def only_rerun(self) -> list[str]:
        """Options given that say how to run, and need `--rerun`."""
        given = {
            "--set": self.both,
            "--set-baseline": self.base,
            "--set-candidate": self.new,
            "--seed": self.seed,
            "--out": self.folder,
            "--plan": self.plan,
        }
        return [name for name, value in given.items() if value not in (None, (), False)]


@dataclass(frozen=True)
class _Wanted:
    # Where the verdict is to be written.
    junit: Path | None
    md: Path | None
    json: Path | None
    github: bool

    def faults(self) -> list[str]:
        given = {"--junit": self.junit, "--md": self.md, "--json": self.json}
        return [
            f"{option} {path}: there is no folder {path.parent}"
            for option, path in given.items()
            if path is not None and not path.parent.is_dir()
        ]


def gate(
    baseline: Annotated[
        str | None, typer.Argument(help="Results folder; with --rerun, name of a shipped scenario or path of a file.")
    ] = None,
    candidate: Annotated[str | None, typer.Argument(help="The same; with --rerun it may be left out.")] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Run both sides in turn; only so a regression can be found.")
    ] = False,
    pairs: Annotated[
        int, typer.Option(help="Trials of each target and workload on either side, fixed beforehand.", min=MIN_PAIRS)
    ] = 10,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field on both sides.")
    ] = None,
    set_baseline: Annotated[
        list[str] | None, typer.Option(metavar="PATH=VALUE", help="Change a field of the baseline only.")
    ] = None,
    set_candidate: Annotated[
        list[str] | None, typer.Option(metavar="PATH=VALUE", help="Change a field of the candidate only.")
    ] = None,
    budget: Annotated[
        Path | None, typer.Option(help="What is allowed, see docs/ci.md.", metavar="FILE.toml", show_default="built in")
    ] = None,
    show_budget: Annotated[bool, typer.Option("--show-budget", help="Print the budget; do nothing else.")] = False,
    noise_floor: Annotated[
        float | None, typer.Option(help="Noise floor of this host, as a share: no smaller change counts.", min=0, max=1)
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.", metavar="FILE")] = None,
    md: Annotated[Path | None, typer.Option(help="Write Markdown here, for a pull request.", metavar="FILE")] = None,
    json: Annotated[Path | None, typer.Option(help="Write JSON here.", metavar="FILE")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print GitHub annotations; by itself where GITHUB_ACTIONS is set.")
    ] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Results folder of the rerun; by default results/<run id>.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the rerun's trials, minutes and disk.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the rerun; by default a fresh one.", min=0)] = None,
) -> None:
    """Tell whether the candidate is worse than the baseline.

    Two results folders give no sign of change, or a suspicion. With --rerun two scenarios, or one with
    two values of a setting, run side by side in ABBA pairs. The folder of such a run, alone, is judged again.

    Exit codes: 0 pass · 1 regression · 2 usage · 3 undecided or suspect · 4 invalid, or host or broker failed ·
    130 interrupted.
    """
    wanted = _Wanted(junit, md, json, github or os.environ.get("GITHUB_ACTIONS") == "true")
    try:
        if show_budget:
            _show_budget(budget)
            return
        if baseline is None:
            fail(EXIT_USAGE, "name a baseline and a candidate, or one scenario with --rerun")
        asked = _Asked(
            baseline,
            candidate,
            rerun,
            tuple(overrides or ()),
            tuple(set_baseline or ()),
            tuple(set_candidate or ()),
            pairs,
            seed,
            out_folder,
            plan,
            noise_floor,
        )
        _gate(asked, _read_budget(budget), wanted)
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001  (Python would leave with 1, which means a regression here)
        fail(EXIT_FAILED, f"{type(error).__name__}: {error}: nothing was decided; please report it")


def _gate(asked: _Asked, budget: "Budget", wanted: _Wanted) -> None:
    faults = wanted.faults()
    if asked.only_rerun and not asked.rerun:
        faults.append(f"{', '.join(asked.only_rerun)}: only with --rerun, which runs something")
    if faults:
        fail(EXIT_USAGE, *faults)
    started = time.monotonic()
    found = _rerun(asked, budget) if asked.rerun else _stored(asked, budget)
    _write(found, wanted, time.monotonic() - started)
    raise typer.Exit(found.exit_code)


def _read_budget(path: Path | None) -> "Budget":
    from reports.gate.budget import BudgetError, read_budget  # noqa: PLC0415  (only this verb pays for its imports)

    try:
        return read_budget(path)
    except BudgetError as error:
        fail(EXIT_USAGE, *error.faults)


def _show_budget(path: Path | None) -> None:
    from reports.gate.budget import DEFAULT  # noqa: PLC0415  (as above)

    _read_budget(path)
    out.print((path or DEFAULT).read_text(encoding="utf-8").rstrip())


def _stored(asked: _Asked, budget: "Budget") -> "Gate":
    from reports.dataset import load  # noqa: PLC0415  (as above)
    from reports.errors import ReportError  # noqa: PLC0415
    from reports.gate.cells import GateError  # noqa: PLC0415
    from reports.gate.judge import judge_rerun, judge_stored  # noqa: PLC0415

    given = [asked.baseline, *([asked.candidate] if asked.candidate is not None else [])]
    for folder in given:
        try:
            archive.read(Path(folder))
        except archive.ArchiveError as error:
            fail(EXIT_USAGE, f"{error}; a scenario is run with --rerun")
    try:
        data = [load(folder) for folder in given]
        if asked.candidate is None:
            return judge_rerun(data[0], budget, asked.noise_floor, given)
        return judge_stored(data[0], data[1], budget, asked.noise_floor, given)
    except GateError as error:
        fail(EXIT_USAGE, *error.faults)
    except ReportError as error:  # no trial that can be read
        fail(EXIT_FAILED, str(error))


def _rerun(asked: _Asked, budget: "Budget") -> "Gate":
    from reports.dataset import load  # noqa: PLC0415
    from reports.errors import ReportError  # noqa: PLC0415
    from reports.gate.cells import GateError  # noqa: PLC0415  (as above)
    from reports.gate.judge import judge_rerun  # noqa: PLC0415

    loaded = _both(asked)
    strangers = [
        *budget.strangers(
            {target.name.removesuffix("-base") for target in loaded.scenario.targets},
            {workload.name for workload in loaded.scenario.workloads},
        )
    ]
    if strangers:
        fail(EXIT_USAGE, *strangers)
    check_recipes(loaded.scenario)
    seed = secrets.randbelow(1 << 31) if asked.seed is None else asked.seed
    planned = paired_plan(loaded.scenario, seed)
    if asked.plan:
        print_plan(loaded.scenario, planned)
        raise typer.Exit
    now = datetime.now(UTC)
    run_id = f"gate-{loaded.scenario.name}-{now:%Y%m%d-%H%M%S}"
    place = asked.folder or Path("results") / run_id
    minutes = estimate_ns(loaded.scenario, planned) / NS_PER_S / _SECONDS_A_MINUTE
    err.print(f"{len(planned)} trials, about {minutes:.0f} minutes")
    record, roots = begin(loaded, planned, seed, place, run_id, _command(asked, seed))
    end = conduct_all(record, place, roots)
    if end.interrupted:
        tell(f"to finish it: bench run --resume {place}, then: bench gate {place}", kind="interrupted")
        raise typer.Exit(EXIT_INTERRUPTED)
    tell(*end.failed)
    try:
        found = judge_rerun(load(place), budget, asked.noise_floor, [str(place)])
    except (GateError, ReportError) as error:
        fail(EXIT_FAILED, str(error))
    _keep(place, found)
    return found


def _both(asked: _Asked) -> Loaded:
    """Return both sides as one scenario, or leave with every fault."""
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
        scenario = merged(base.scenario, new.scenario, asked.pairs)
    except ScenarioError as error:
        fail(EXIT_USAGE, *map(str, error.faults))
    text = base.text
    if new.text != base.text:
        commented = "\n".join(f"# {line}".rstrip() for line in new.text.splitlines())
        text = f"{text.rstrip()}\n\n# The candidate:\n{commented}\n"
    return Loaded(scenario, text, (*asked.both, *asked.base, *asked.new), quick=False)


def _command(asked: _Asked, seed: int) -> str:
    words = ["bench", "gate", asked.baseline, *([asked.candidate] if asked.candidate else []), "--rerun"]
    for option, values in (
        ("--set", asked.both),
        ("--set-baseline", asked.base),
        ("--set-candidate", asked.new),
    ):
        for value in values:
            words += [option, value]
    return shlex.join([*words, "--pairs", str(asked.pairs), "--seed", str(seed)])


def _keep(folder: Path, found: "Gate") -> None:
    """Put the verdict and the report beside the trials."""
    from reports.gate.markdown import to_markdown  # noqa: PLC0415  (as above)

    write_reports(folder)
    archive.write_whole(folder / "gate.json", found.model_dump_json(indent=1) + "\n")
    archive.write_whole(folder / "gate.md", to_markdown(found))
    err.print(f"details: {folder / 'report.html'}")


def _write(found: "Gate", wanted: _Wanted, took_s: float) -> None:
    from reports.gate.annotations import annotations  # noqa: PLC0415  (as above)
    from reports.gate.junit import to_junit  # noqa: PLC0415
    from reports.gate.markdown import to_markdown  # noqa: PLC0415

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
                _unwritten(option, path, error)
    _print(found)
    if wanted.github:
        for line in annotations(found):
            out.print(line)


def _unwritten(option: str, path: Path, error: OSError) -> NoReturn:
    fail(EXIT_FAILED, f"{option} {path} cannot be written ({error.strerror}): name a file that can")


def _print(found: "Gate") -> None:
    from reports.gate.markdown import method  # noqa: PLC0415  (as above)
    from reports.gate.words import allowed, change, figure, percent  # noqa: PLC0415

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
    _print_table(rows)
    out.print(method(found).replace("`", ""))
    for remark in found.remarks:
        out.print(f"  {remark}")
    out.print(found.sentence)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        out.print("  ".join((first.ljust(widths[0]), *cells)))
