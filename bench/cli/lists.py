"""`bench scenarios`, `bench drivers`, `bench schema`: what there is."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import EXIT_FAILED, EXIT_USAGE, fail, out, tell
from bench.drivers.registry import registry
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import shipped_scenarios, what_can_be_set
from bench.scenario.reference import schema_text

_MOST_LINES = 1_000


def scenarios() -> None:
    """List the shipped scenarios with their questions."""
    for scenario in shipped_scenarios():
        out.print(f"{scenario.name}\n    {scenario.question}")


def drivers() -> None:
    """List the drivers, with their client libraries and the packages that bring them."""
    found = registry()
    for one in found.installed.values():
        driver = one.member
        if driver.now is not None:
            out.print(f"{driver.name}  now called {driver.now}")
            continue
        client = driver.lacks() or driver.client_version() or "no client library"
        out.print(f"{driver.name}  {driver.protocol}  {client}  (package {one.package})\n    {driver.description}")
        for name, meaning in driver.options:
            out.print(f"    option {name}: {meaning}")
    tell(*map(str, found.unusable), kind="warning")


def schema(
    indent: Annotated[int, typer.Option(help="Spaces of indentation.", min=0)] = 2,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Write it here: busbench.schema.json beside a scenario.", metavar="FILE"),
    ] = None,
) -> None:
    """Print the JSON Schema of scenario files, for editors.

    Editors that know TOML (Taplo, Even Better TOML) read the line `#:schema ./busbench.schema.json` at the head of a
    scenario; with --out the file that it names is written.
    """
    text = schema_text(indent)
    if out_file is None:
        typer.echo(text, nl=False)
        return
    try:
        out_file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(EXIT_FAILED, f"--out {out_file} cannot be written ({error.strerror}): name a file in a folder with room")
    out.print(str(out_file))


def print_settable(scenario: str, overrides: Sequence[str]) -> None:
    """Print each path that `--set` takes for a scenario, with its present value and its type; leave where it is faulty.

    A file may hold any number of entries: so many lines are printed, and how many more there are.
    """
    try:
        found = what_can_be_set(scenario, overrides)
    except ScenarioError as error:
        fail(EXIT_USAGE, *map(str, error.faults))
    for one in islice(found, _MOST_LINES):
        out.print(str(one))
    if more := sum(1 for _ in found):
        out.print(f"… and {more:,} more")
