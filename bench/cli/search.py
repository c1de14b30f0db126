"""`bench search`: the highest rate that each target sustains, and latency against load."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import ConsumeExisting


def search(
    scenario: Annotated[str, typer.Argument(help="Name of a shipped scenario or path of a TOML file.")],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Results folder to make; by default results/<run id>.")
    ] = None,
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
    consume_existing: ConsumeExisting = False,
) -> None:
    """Find the highest rate that each target sustains: an interval, both ends of which were tried by long trials.

    Exit codes: 0 each target has a rate that held · 2 usage · 4 host or broker failed, or no rate held ·
    130 interrupted.
    """
    from bench.cli import search_work  # noqa: PLC0415  (a second of Numba and pandas)

    search_work.start(
        scenario=scenario,
        out_folder=out_folder,
        quick=quick,
        target=target,
        workload=workload,
        objective=objective,
        curve=curve,
        short=short,
        hold=hold,
        overrides=overrides,
        seed=seed,
        json=json,
        consume_existing=consume_existing,
    )
