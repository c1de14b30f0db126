"""`bench report`: draw results folders again."""

from pathlib import Path
from typing import Annotated

import typer

from bench.archive import ArchiveError
from bench.cli.console import EXIT_USAGE, err, fail, out, tell


def report(
    results: Annotated[list[Path], typer.Argument(help="Results folders, or results/latest.")],
    html: Annotated[Path | None, typer.Option(help="Write the page here; by default into the first folder.")] = None,
    md: Annotated[Path | None, typer.Option(help="Write Markdown here.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write JSON here.")] = None,
) -> None:
    """Write the report of one or several results folders as HTML, Markdown and JSON."""
    import reports  # noqa: PLC0415  (a second of matplotlib and pandas that no other verb needs)

    first = results[0]
    chosen_nothing = html is None and md is None and json is None
    try:
        reports.render(
            results,
            html=first / "report.html" if chosen_nothing else html,
            markdown=first / "report.md" if chosen_nothing else md,
            json=first / "summary.json" if chosen_nothing else json,
        )
    except (ArchiveError, reports.ReportError) as error:
        fail(EXIT_USAGE, str(error))
    out.print(str(html or md or json or first / "report.html"))


def write_reports(folder: Path) -> bool:
    """Write every form of a run's report into its folder; say so and return False where that fails."""
    import reports  # noqa: PLC0415  (as above)

    err.print("drawing the report")
    try:
        reports.render(
            [folder], html=folder / "report.html", markdown=folder / "report.md", json=folder / "summary.json"
        )
    except (ArchiveError, reports.ReportError) as error:
        tell(f"{error} The results are whole: bench report {folder}")
        return False
    return True
