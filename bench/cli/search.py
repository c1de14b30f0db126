"""`bench search`: the highest rate that each target sustains, and latency against load."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completion import scenario_names
from bench.cli.console import (
    EXIT_USAGE,
    ConsumeExisting,
    CredentialsFrom,
    MetricsAddress,
    OutFolder,
    WatchOption,
    as_typed,
    fail,
)


def search(
    scenario: Annotated[
        str, typer.Argument(help="Name of a shipped scenario or path of a TOML file.", autocompletion=scenario_names)
    ],
    out_folder: OutFolder = None,
    quick: Annotated[bool, typer.Option("--quick", help="Trials of 2 s and holds of 10 s: minutes a target.")] = False,
    target: Annotated[list[str] | None, typer.Option(help="Search this target only; may be repeated.")] = None,
    workload: Annotated[
        str | None, typer.Option(help="Workload whose rate is searched; by default the first transient one of a rate.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option("--objective-p99", help="Highest p99 of the response that is allowed, such as 5ms.")
    ] = None,
    curve: Annotated[
        bool,
        typer.Option("--curve", help="Then measure latency against load: at shares of each rate, and at equal rates."),
    ] = False,
    short: Annotated[
        str | None, typer.Option(help="Length of a short trial, whole seconds; by default 5s, with --quick 2s.")
    ] = None,
    hold: Annotated[
        str | None, typer.Option(help="Length of a confirming hold, whole seconds; by default 2min, with --quick 10s.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field: workloads.0.size=1024.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of schedules; by default a fresh one.", min=0)] = None,
    json: Annotated[Path | None, typer.Option(help="Write what was found here too.", metavar="FILE")] = None,
    watch: WatchOption = False,
    metrics: MetricsAddress = None,
    consume_existing: ConsumeExisting = False,
    credentials_from: CredentialsFrom = None,  # noqa: ARG001  (its callback does it)
) -> None:
    """Find the highest rate that each target sustains: an interval, both ends of which were tried by long trials.

    Exit codes: 0 each target has a rate that held · 2 usage · 4 host or broker failed, or no rate held ·
    130 interrupted.
    """
    from bench.cli import search_work as work  # noqa: PLC0415  (a second of Numba and pandas)
    from bench.cli.watching import watching  # noqa: PLC0415  (as above)
    from bench.run.search import SearchOptions  # noqa: PLC0415  (as above)

    loaded = work.load(scenario, overrides or [], quick=quick)
    wanted = SearchOptions(
        base=work.base(loaded.scenario, workload),
        rules=work.QUICK_RULES if quick else work.RULES,
        short_ns=work.seconds("--short", short or ("2s" if quick else "5s")),
        hold_ns=work.seconds("--hold", hold or ("10s" if quick else "2min")),
        objective_ns=None if objective is None else work.duration("--objective-p99", objective),
        quick=quick,
        curve=curve,
        consume_existing=consume_existing,
    )
    if json is not None and not json.parent.is_dir():
        fail(EXIT_USAGE, f"--json {json}: there is no folder {json.parent}")
    chosen = secrets.randbelow(1 << 31) if seed is None else seed
    options = {
        "--quick": quick,
        "--curve": curve,
        "--target": target,
        "--workload": workload,
        "--objective-p99": objective,
        "--short": short,
        "--hold": hold,
        "--set": overrides,
        "--consume-existing": consume_existing,
        "--seed": chosen,
    }
    command = as_typed("search", scenario, options=options)
    with watching(watch=watch, metrics=metrics) as watched:
        work.carry_out(work.narrowed(loaded, wanted, target or []), wanted, chosen, out_folder, command, json, watched)
