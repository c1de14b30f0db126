"""`bench scenarios`, `bench drivers`, `bench schema`: what there is."""

import json
from typing import Annotated

import typer

from bench.cli.console import out
from bench.drivers.registry import DRIVERS
from bench.load import shipped_scenarios
from bench.reference import scenario_schema


def scenarios() -> None:
    """List the shipped scenarios with their questions."""
    for scenario in shipped_scenarios():
        out.print(f"{scenario.name}\n    {scenario.question}")


def drivers() -> None:
    """List the drivers: how workers speak to brokers."""
    for driver in DRIVERS.values():
        out.print(f"{driver.name:8}  {driver.protocol:8}  {driver.description}")


def schema(
    indent: Annotated[int, typer.Option(help="Spaces of indentation.", min=0)] = 2,
) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    typer.echo(json.dumps(scenario_schema(), indent=indent))
