"""The reference of `summary.json`, generated: `python -m reports.reference` prints `docs/summary.md`."""

import sys

from bench.scenario.reference import model_markdown
from reports.summary import Summary

_HEAD = """# summary.json

Everything that a report says, unrounded: each number and sentence of the page is here.
This page is generated from the code (`python -m reports.reference`). Times are integer or
fractional nanoseconds where a name ends in `_ns`, rates are messages a second, memory is
bytes. `null` means that there is no number; a field next to it says why. `bench report
RESULTS --json FILE` writes it, and every run leaves one in its folder.
"""


def summary_markdown() -> str:
    """Return the reference as Markdown: one table a model, the outermost first."""
    return model_markdown(_HEAD, Summary)


if __name__ == "__main__":
    sys.stdout.write(summary_markdown())
