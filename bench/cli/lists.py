"""`bench scenarios`, `bench drivers`, `bench schema`: what there is."""

import json
from typing import Annotated

import typer

from bench.cli.console import out, tell
from bench.drivers.registry import registry
from bench.scenario.loading import shipped_scenarios
from bench.scenario.reference import scenario_schema


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
) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    typer.echo(json.dumps(scenario_schema(), indent=indent))
