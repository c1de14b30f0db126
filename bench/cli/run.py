"""`bench run`: carry out a scenario and report on it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.cli.completion import driver_names, results_folders, scenario_names
from bench.cli.console import (
    EXIT_USAGE,
    AsJson,
    ConsumeExisting,
    CredentialsFrom,
    MetricsAddress,
    NoReport,
    OutFolder,
    Quiet,
    WatchOption,
    fail,
)


def run(
    scenario: Annotated[
        str | None,
        typer.Argument(
            help="Name of a shipped scenario (see `bench scenarios`) or path of a TOML file.",
            autocompletion=scenario_names,
        ),
    ] = None,
    out_folder: OutFolder = None,
    quick: Annotated[bool, typer.Option("--quick", help="A short run: shows the shape, names no winner.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Check it, print trials, minutes, disk; run nothing.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field: workloads.0.size=1024.")
    ] = None,
    list_set: Annotated[
        bool, typer.Option("--list-set", help="Print what --set can change, with what it is now; run nothing.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the trials' order and schedules; by default a fresh one.", min=0)
    ] = None,
    driver: Annotated[
        str | None,
        typer.Option(help="Use this driver for every target it can serve.", autocompletion=driver_names),
    ] = None,
    pin: Annotated[
        Literal["auto"] | None,
        typer.Option(help="Pin brokers and workers to CPUs of their own, by cores and caches."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Finish the run in this results folder.", metavar="FOLDER", autocompletion=results_folders),
    ] = None,
    watch: WatchOption = False,
    metrics: MetricsAddress = None,
    quiet: Quiet = False,
    json: AsJson = False,
    no_report: NoReport = False,
    check: Annotated[
        bool, typer.Option("--check", help="Judge the run by the scenario's limits at its end; the exit code tells.")
    ] = False,
    abort_on: Annotated[
        list[str] | None,
        typer.Option(help="End the run with exit code 1 once a trial shows this: p99>50ms.", metavar="METRIC>VALUE"),
    ] = None,
    consume_existing: ConsumeExisting = False,
    credentials_from: CredentialsFrom = None,  # noqa: ARG001  (its callback does it)
) -> None:
    """Run a scenario: every trial of its plan, then the report, and the answer on the terminal.

    Exit codes: 0 all trials valid · 1 a limit is not kept (--check, --abort-on) · 2 usage · 3 invalid trials, or a
    limit undecided · 4 host or broker failed · 130 interrupted.
    """
    if list_set and scenario is not None and resume is None:
        from bench.cli.lists import print_settable  # noqa: PLC0415  (the models of scenarios)

        print_settable(scenario, overrides or [])
        return
    from bench.cli import run_work  # noqa: PLC0415  (a second of Numba, pandas and matplotlib)
    from bench.cli.watching import watching  # noqa: PLC0415  (as above)

    if (scenario is None) == (resume is None):
        fail(EXIT_USAGE, "name one scenario to run, or one folder to finish with --resume")
    shown = run_work.shown(quiet=quiet, json=json, no_report=no_report, watch=watch)
    demanded = run_work.demands(check=check, abort_on=abort_on or [])
    if resume is not None:
        given = {
            "--out": out_folder,
            "--quick": quick,
            "--set": overrides,
            "--list-set": list_set,
            "--seed": seed,
            "--driver": driver,
            "--pin": pin,
        }
        extra = [option for option, value in given.items() if value not in (None, False, [])]
        if extra:
            fail(EXIT_USAGE, f"{', '.join(extra)}: cannot be used with --resume, which keeps the run as it was begun")
        with watching(watch=watch, metrics=metrics, quiet=quiet) as watched:
            run_work.finish(resume, shown, watched, demanded, plan_only=plan, consume_existing=consume_existing)
        return
    with watching(watch=watch, metrics=metrics, quiet=quiet) as watched:
        run_work.start(
            scenario or "",
            overrides or [],
            seed,
            driver,
            out_folder,
            shown,
            watched,
            demanded,
            quick=quick,
            plan_only=plan,
            consume_existing=consume_existing,
            pin=pin is not None,
        )
