"""`bench doctor`: what this machine lacks, and how to get it."""

import typer
from rich.text import Text

from bench.cli.console import out
from bench.doctor import examine


def doctor() -> None:
    """Say what is missing on this machine and how to get it; exit code 4 where something is."""
    missing = 0
    for check in examine():
        missing += not check.ok
        mark = ("ok     ", "green") if check.ok else ("missing", "red")
        out.print(Text.assemble(mark, f"  {check.name}: {check.found}"))
        if not check.ok:
            out.print(f"         needed for {check.needed_for}; {check.how_to_get}")
    if missing:
        raise typer.Exit(4)
