"""`bench crosscheck`: the same load through other tools and through our drivers, side by side."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completion import driver_names, scenario_names


def crosscheck(
    scenario: Annotated[
        str,
        typer.Argument(
            help="Name of a shipped scenario, such as crosscheck, or path of a file.", autocompletion=scenario_names
        ),
    ],
    pairs: Annotated[int, typer.Option(help="Counted pairs of each; three and more give an interval.", min=1)] = 3,
    driver: Annotated[
        list[str] | None,
        typer.Option(
            help="One more driver, for targets of its protocol; may be repeated.", autocompletion=driver_names
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field: workloads.0.size=1024.")
    ] = None,
    warm_up: Annotated[
        int, typer.Option(help="Seconds under load of each JVM before its measured part, at least.", min=1)
    ] = 10,
    capture: Annotated[
        bool, typer.Option("--capture", help="Run each tool once more under a packet capture; needs tcpdump and root.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write every reading here.", metavar="FILE")] = None,
) -> None:
    """Put the same load through PerfTest (0-9-1) or Artemis perf (1.0), and through our drivers, in turn.

    Both sides use the same running broker; what they cannot do alike is left out.

    Exit codes: 0 done · 2 usage · 4 host, broker or a tool failed · 130 interrupted.
    """
    from bench.cli import crosscheck_work  # noqa: PLC0415  (a second of Numba and pandas)

    crosscheck_work.start(
        scenario=scenario,
        pairs=pairs,
        driver=driver,
        overrides=overrides,
        warm_up=warm_up,
        capture=capture,
        json=json,
    )
