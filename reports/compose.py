"""From results folders to report files: what the command line and the conductor call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.results.archive import write_whole
from bench.results.comparability import By
from reports import sustained
from reports.comparison import Comparisons, by_run, by_target, by_workload
from reports.dataset import load
from reports.errors import ReportError
from reports.export.csv import to_csv
from reports.export.hgrm import to_hgrm
from reports.export.markdown import to_markdown
from reports.figures import pictures, write_figures
from reports.page.page import render_page
from reports.pooling import Dimension
from reports.summarise import summarise
from reports.summary import Summary


@dataclass(frozen=True)
class Outputs:
    """Where each form of a report goes; None where it is not wanted."""

    html: Path | None = None
    markdown: Path | None = None
    json: Path | None = None
    csv: Path | None = None
    """A folder: one file a table."""
    figures: Path | None = None
    """A folder: SVG and PNG of every figure."""
    hgrm: Path | None = None
    """A folder: one file a row and tag."""


def render(folders: Sequence[Path], outputs: Outputs, by: Dimension | None = None) -> Summary:
    """Read results folders of one scenario and write a report in the forms that have a place.

    Args:
        folders: results folders.
        outputs: where each form goes.
        by: what runs may differ in, and what then tells their rows apart; None pools their trials.

    Returns:
        What the report says.

    Raises:
        ReportError: results cannot be read, or a file cannot be written.
    """
    data = load(*folders, by=by)
    summary = summarise(data, sustained.read_all(folders))
    if outputs.json:
        _write(outputs.json, summary.to_json)
    if outputs.markdown:
        _write(outputs.markdown, lambda: to_markdown(summary))
    if outputs.html:
        _write(outputs.html, lambda: render_page(summary, pictures(data, summary)))
    if outputs.csv:
        _write_all(outputs.csv, to_csv(summary, data))
    if outputs.hgrm:
        _write_all(outputs.hgrm, to_hgrm(data))
    if outputs.figures:
        _in_folder(outputs.figures, lambda folder: write_figures(folder, pictures(data, summary)))
    return summary


def compare(folders: Sequence[Path], by: By, *, allow: bool = False) -> Comparisons:
    """Read results folders and set their rows against each other.

    Args:
        folders: of one scenario, pooled; by run two, each by itself.
        by: what the two sides of a line differ in.
        allow: compare rows that are unlike, too.

    Raises:
        ReportError: results cannot be read.
    """
    if by == "run":
        first, second = folders
        return by_run(load(first), load(second), allow=allow)
    return (by_target if by == "target" else by_workload)(load(*folders), allow=allow)


def _write(path: Path, text: Callable[[], str]) -> None:
    content = text()
    try:
        write_whole(path, content)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): name a file in a folder that exists and has room."
        raise ReportError(message) from None


def _write_all(folder: Path, files: dict[str, str]) -> None:
    def write(place: Path) -> None:
        for name, text in files.items():
            write_whole(place / name, text)

    _in_folder(folder, write)


def _in_folder(folder: Path, write: Callable[[Path], None]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
    except OSError as error:
        message = f"{folder} cannot be written ({error.strerror}): name a folder that can be made and has room."
        raise ReportError(message) from None
