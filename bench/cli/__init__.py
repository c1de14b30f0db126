"""The command line: parsing and printing only, one file a verb."""

from bench.cli.main import main

__all__ = ["main"]
