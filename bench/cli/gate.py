"""`bench gate`: whether a candidate is worse than its baseline, for continuous integration."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completion import results_folders, scenario_names
from bench.cli.console import EXIT_FAILED, EXIT_USAGE, ConsumeExisting, CredentialsFrom, fail

_FEWEST = 5
"""`bench.stats.noninferiority.MIN_PAIRS`, which would bring SciPy along; a test holds the two together."""


@dataclass(frozen=True)
class AskedHistory:
    """Where in a history a baseline is looked for.

    Attributes:
        store: folder of the history; None where none is asked.
        branch: the newest run of this branch; None: at the merge base or before.
        merged_into: the branch with which the merge base is; None: what the CI system says.
    """

    store: Path | None = None
    branch: str | None = None
    merged_into: str | None = None

    def faults(self) -> list[str]:
        """Return which of these do not go together."""
        given = {"--baseline-branch": self.branch, "--merge-base-with": self.merged_into}
        named = [option for option, value in given.items() if value is not None]
        if self.store is None:
            return [f"{', '.join(named)}: can only be used with --baseline-store"] if named else []
        return [f"{' and '.join(named)} are two ways to find a baseline: give one"] if len(named) > 1 else []


@dataclass(frozen=True)
class Asked:
    """What is to be compared, and how.

    Attributes:
        baseline: results folder or scenario.
        candidate: the same; None for one that is like the baseline but for what is set, or a paired run's folder.
        paired: whether both are run in turn.
        both, base, new: changes to fields, of both sides and of each.
        pairs, seed: of the paired run.
        folder: where its results go; None for a fresh one.
        plan: whether it is only shown.
        noise_floor: of this host, as a share.
        consume_existing: whether messages in queues that the user named may be consumed.
        allow_first: whether a baseline's folder that is not there means that there is none yet.
        history: where the baseline is looked for, if it is not named.
    """

    baseline: str
    candidate: str | None
    paired: bool
    both: tuple[str, ...]
    base: tuple[str, ...]
    new: tuple[str, ...]
    pairs: int
    seed: int | None
    folder: Path | None
    plan: bool
    noise_floor: float | None
    consume_existing: bool = False
    allow_first: bool = False
    history: AskedHistory = AskedHistory()

    def faults(self) -> list[str]:
        """Return which of these do not go together."""
        found = []
        if self.only_paired and not self.paired:
            found.append(f"{', '.join(self.only_paired)}: can only be used with --paired")
        if self.allow_first and (self.paired or self.candidate is None):
            found.append("--allow-first: name two results folders, that of the baseline first")
        found += self.history.faults()
        if self.history.store is not None and (self.paired or self.candidate is not None):
            found.append("--baseline-store finds the baseline of one results folder: name the candidate's alone")
        return found

    @property
    def only_paired(self) -> list[str]:
        """Options given that say how to run, and need `--paired`."""
        given = {
            "--set": self.both,
            "--set-baseline": self.base,
            "--set-candidate": self.new,
            "--seed": self.seed,
            "--out": self.folder,
            "--plan": self.plan,
            "--consume-existing": self.consume_existing,
        }
        return [name for name, value in given.items() if value not in (None, (), False)]


@dataclass(frozen=True)
class GateFiles:
    """Where the verdict is to be written, how its comment is called, and whether GitHub reads along."""

    junit: Path | None
    md: Path | None
    json: Path | None
    github: bool
    comment: str | None = None

    def faults(self) -> list[str]:
        """Return a fault for each file that has no folder to be in."""
        given = {"--junit": self.junit, "--md": self.md, "--json": self.json}
        found = [
            f"{option} {path}: there is no folder {path.parent}"
            for option, path in given.items()
            if path is not None and not path.parent.is_dir()
        ]
        if self.comment is not None and self.md is None:
            found.append("--comment-marker stands at the head of --md: give that too")
        return found


def _sides(incomplete: str) -> list[str]:
    """Offer what a side may be."""
    return [*results_folders(incomplete), *scenario_names(incomplete)]


def gate(
    baseline: Annotated[
        str | None,
        typer.Argument(
            help="Results folder (with --baseline-store the candidate's); with --paired, name of a shipped scenario or"
            " path of a file.",
            autocompletion=_sides,
        ),
    ] = None,
    candidate: Annotated[
        str | None, typer.Argument(help="The same; with --paired it may be left out.", autocompletion=_sides)
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", "--rerun", help="Run both sides in turn; only this can find a regression.")
    ] = False,
    pairs: Annotated[
        int, typer.Option(help="Trials of each target and workload on either side, fixed beforehand.", min=_FEWEST)
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
        Path | None,
        typer.Option(help="What is allowed, see docs/ci.md.", metavar="FILE.toml", show_default="built in"),
    ] = None,
    show_budget: Annotated[bool, typer.Option("--show-budget", help="Print the budget; do nothing else.")] = False,
    noise_floor: Annotated[
        float | None,
        typer.Option(
            help="Smallest change that counts, as a share; by default the host's, as recorded.",
            min=0,
            max=1,
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.", metavar="FILE")] = None,
    md: Annotated[Path | None, typer.Option(help="Write Markdown here, for a pull request.", metavar="FILE")] = None,
    json: Annotated[Path | None, typer.Option(help="Write JSON here.", metavar="FILE")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print GitHub annotations; always done where GITHUB_ACTIONS is set.")
    ] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Results folder of the paired run; by default results/<run id>.")
    ] = None,
    baseline_store: Annotated[
        Path | None,
        typer.Option(
            help="Take the baseline from this history: its newest run at the merge base or before.",
            metavar="FOLDER",
        ),
    ] = None,
    merge_base_with: Annotated[
        str | None,
        typer.Option(help="The branch to be merged into; by default what the CI system says.", metavar="BRANCH"),
    ] = None,
    baseline_branch: Annotated[
        str | None,
        typer.Option(help="With --baseline-store: its newest run of this branch instead.", metavar="BRANCH"),
    ] = None,
    allow_first: Annotated[
        bool, typer.Option("--allow-first", help="Pass where the baseline's results folder is not there yet.")
    ] = False,
    comment_marker: Annotated[
        str | None,
        typer.Option(
            help="Name at the head of --md, unseen, by which `bench comment` finds the comment to update.",
            metavar="NAME",
        ),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the paired run's trials, minutes and disk.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the paired run; by default a fresh one.", min=0)] = None,
    consume_existing: ConsumeExisting = False,
    credentials_from: CredentialsFrom = None,  # noqa: ARG001  (its callback does it)
) -> None:
    """Tell whether the candidate is worse than the baseline, and keeps to absolute limits.

    Two results folders give no sign of change, or a suspicion. With --paired two scenarios, or one with
    two values of a setting, run side by side in ABBA pairs. The folder of such a run, alone, is judged again.
    With --baseline-store one results folder is held against a stored run; the first one passes.

    Exit codes: 0 pass · 1 regression, or a limit not kept · 2 usage · 3 undecided or suspect · 4 invalid, or host or
    broker failed · 130 interrupted.
    """
    wanted = GateFiles(junit, md, json, github or os.environ.get("GITHUB_ACTIONS") == "true", comment_marker)
    try:
        from bench.cli import gate_work  # noqa: PLC0415  (a second of pandas and matplotlib)

        if show_budget:
            gate_work.print_budget(budget)
            return
        if baseline is None:
            fail(EXIT_USAGE, "name a baseline and a candidate, or one scenario with --paired")
        asked = Asked(
            baseline=baseline,
            candidate=candidate,
            paired=paired,
            both=tuple(overrides or ()),
            base=tuple(set_baseline or ()),
            new=tuple(set_candidate or ()),
            pairs=pairs,
            seed=seed,
            folder=out_folder,
            plan=plan,
            noise_floor=noise_floor,
            consume_existing=consume_existing,
            allow_first=allow_first,
            history=AskedHistory(baseline_store, baseline_branch, merge_base_with),
        )
        gate_work.carry_out(asked, budget, wanted)
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001  (Python would leave with 1, which means a regression here)
        fail(EXIT_FAILED, f"{type(error).__name__}: {error}: nothing was decided; please report it")
