"""From results folders to report files: what the command line and the conductor call."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.archive import write_whole
from reports.dataset import load
from reports.errors import ReportError
from reports.export.json import to_json
from reports.export.markdown import to_markdown
from reports.page.figures import panels
from reports.page.page import render_page
from reports.summarise import summarise
from reports.summary import Summary


def render(
    folders: Sequence[Path], *, html: Path | None = None, markdown: Path | None = None, json: Path | None = None
) -> Summary:
    """Read results folders of one scenario and write a report in the formats that have a path.

    Returns:
        What the report says.

    Raises:
        ReportError: results cannot be read, or a file cannot be written.
    """
    data = load(*folders)
    summary = summarise(data)
    if json:
        _write(json, lambda: to_json(summary))
    if markdown:
        _write(markdown, lambda: to_markdown(summary))
    if html:
        _write(html, lambda: render_page(summary, panels(data, summary)))
    return summary


def _write(path: Path, text: Callable[[], str]) -> None:
    content = text()
    try:
        write_whole(path, content)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): name a file in a folder that exists and has room."
        raise ReportError(message) from None
