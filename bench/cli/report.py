"""`bench report`: draw results folders again."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bench.cli.completion import results_folders
from bench.cli.console import EXIT_USAGE, err, fail, out, print_table, tell

if TYPE_CHECKING:
    import reports
    from reports.summary import Summary


class By(StrEnum):
    """What runs in one report may differ in."""

    VERSION = "version"
    PLACE = "place"
    RUN = "run"


def report(
    results: Annotated[
        list[Path], typer.Argument(help="Results folders, or results/latest.", autocompletion=results_folders)
    ],
    by: Annotated[
        By | None,
        typer.Option(help="Show runs side by side that differ in this alone; by default their trials are pooled."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page here; by default into the first folder.")] = None,
    md: Annotated[Path | None, typer.Option(help="Write Markdown here.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write JSON here; docs/summary.md explains it.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every table into this folder.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Write every figure into this folder, as SVG and PNG.")] = None,
    hgrm: Annotated[
        Path | None, typer.Option(help="Write HdrHistogram percentile files into this folder, one a row and tag.")
    ] = None,
) -> None:
    """Write the report of one or several results folders as HTML, Markdown, JSON, CSV, figures and .hgrm."""
    import reports  # noqa: PLC0415  (a second of matplotlib and pandas that no other verb needs)
    from bench.results.archive import ArchiveError  # noqa: PLC0415  (as above)

    chosen = reports.Outputs(html=html, markdown=md, json=json, csv=csv, figures=figures, hgrm=hgrm)
    places = [place for place in (html, md, json, csv, figures, hgrm) if place is not None]
    if not places:
        chosen = _inside(results[0])
        places = [results[0] / "report.html"]
    try:
        reports.render(results, chosen, by=by.value if by else None)
    except (ArchiveError, reports.ReportError) as error:
        fail(EXIT_USAGE, str(error))
    for place in places:
        out.print(str(place))


def write_reports(folder: Path) -> "Summary | None":
    """Write page, Markdown and JSON of a run into its folder; return what they say, or say why there are none."""
    import reports  # noqa: PLC0415  (as above)
    from bench.results.archive import ArchiveError  # noqa: PLC0415  (as above)

    err.print("drawing the report")
    try:
        return reports.render([folder], _inside(folder))
    except (ArchiveError, reports.ReportError) as error:
        tell(f"{error} The results are whole: bench report {folder}")
        return None


def print_answer(summary: "Summary") -> None:
    """Print the rows of each question, and what was found."""
    from reports.export.terminal import to_terminal  # noqa: PLC0415  (as above)

    for block in to_terminal(summary):
        out.print(Text(f"\n{block.head}", style="bold"))
        print_table(block.rows)
        out.print(block.sentence)
    for cost in summary.place_costs:
        out.print(f"\n{cost.sentence}")
    if summary.head_to_head:
        out.print()
    for each in summary.head_to_head:
        out.print(each.sentence)


def _inside(folder: Path) -> "reports.Outputs":
    import reports  # noqa: PLC0415  (as above)

    return reports.Outputs(html=folder / "report.html", markdown=folder / "report.md", json=folder / "summary.json")
