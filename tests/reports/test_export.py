"""Exports: every table as CSV, every figure as files, every row and tag as a percentile file."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

import reports
from reports.dataset import Dataset
from reports.export.csv import to_csv
from reports.export.hgrm import to_hgrm
from reports.export.terminal import to_terminal, trust_in
from reports.format import milliseconds
from reports.summary import Summary


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text)))


def test_every_table_is_there_with_its_rows(quick: Dataset, quick_summary: Summary) -> None:
    """As many rows as the summary and the frames have, and the unrounded numbers."""
    files = to_csv(quick_summary, quick)
    for name in ("cells", "ledger", "costs", "notes", "left_out", "absent", "settings", "targets", "answers"):
        assert len(table(files[f"{name}.csv"])) == len(getattr(quick_summary, name)), name
    assert len(table(files["trials.csv"])) == len(quick.trials)
    first, cell = table(files["cells.csv"])[0], quick_summary.cells[0]
    assert float(first["latency_ns.p99.estimate"]) == cell.latency_ns["p99"].estimate
    assert float(first["latency_ns.p99.high"]) == cell.latency_ns["p99"].high


def test_a_percentile_file_is_that_of_the_row(quick: Dataset) -> None:
    """Count and maximum are the row's, values rise, and the deviation is in milliseconds as the mean is."""
    workloads = tuple(one for one in quick.scenario.workloads if one.name in {"steady", "in-flight-16"})
    fewer = {"workloads": workloads, "targets": quick.scenario.targets[:1]}
    files = to_hgrm(replace(quick, scenario=quick.scenario.model_copy(update=fewer)))
    assert len(files) == 4 + 2
    assert "rabbitmq-091-steady-response.hgrm" in files
    assert not any("in-flight" in name and "response" in name for name in files)
    text = files["rabbitmq-091-steady-response.hgrm"]
    histogram = quick.histogram("rabbitmq-091", "steady", "response")
    assert re.search(rf"Total count += +{histogram.get_total_count()}\]", text)
    values = [float(line.split()[0]) for line in text.splitlines()[2:] if not line.startswith("#")]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(histogram.get_max_value() / 1e6, abs=1e-3)
    (deviation,) = re.findall(r"StdDeviation += +([\d.]+)\]", text)
    assert float(deviation) == pytest.approx(histogram.get_stddev() / 1e6, abs=1e-3)


def test_every_figure_is_a_file_in_two_formats(quick_folder: Path, quick_summary: Summary, tmp_path: Path) -> None:
    """SVG that parses and says what it shows, and PNG of a size to print."""
    reports.render([quick_folder], reports.Outputs(figures=tmp_path / "figures"))
    names = {caption.name for caption in quick_summary.captions}
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == names
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == names
    root = ET.parse(tmp_path / "figures" / "steady-decision.svg").getroot()  # noqa: S314  (our own file)
    words = [element.text or "" for element in root.iter() if element.tag.endswith("title")]
    assert any("p99 response" in text for text in words)
    assert (tmp_path / "figures" / "steady-decision.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_made_is_named(quick_folder: Path, tmp_path: Path) -> None:
    """A file where the folder should be gives one message."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(reports.ReportError, match=r"taken cannot be written"):
        reports.render([quick_folder], reports.Outputs(csv=tmp_path / "taken"))


def test_a_terminal_shows_what_the_page_does(quick_summary: Summary) -> None:
    """A block for each question: its rows with the summary's numbers, a word of trust, and the verdict."""
    blocks = list(to_terminal(quick_summary))
    assert [block.sentence for block in blocks] == [answer.sentence for answer in quick_summary.answers]
    cells = [cell for cell in quick_summary.cells if cell.workload in quick_summary.answers[0].workloads]
    head, *rows = blocks[0].rows
    assert len(rows) == len(cells)
    at = head.index("p99 ms")
    assert [row[at] for row in rows] == [milliseconds(cell.latency_ns["p99"].centre) for cell in cells]
    assert {row[-1] for row in rows} <= {"quick look", "none", "overloaded"}
    assert all(len(row) == len(head) for block in blocks for row in block.rows)


def test_a_word_of_trust(full_summary: Summary) -> None:
    """How far a row's figures go: none usable, fewer than ten trials, all that a verdict needs."""
    cell = next(one for one in full_summary.cells if one.n >= 10 and not one.saturated)
    assert trust_in(cell, "full") == "full"
    assert trust_in(cell.model_copy(update={"n": 9}), "full") == "few trials"
    assert trust_in(cell.model_copy(update={"n": 0}), "full") == "none"
    assert trust_in(cell, "quick") == "quick look"
    assert trust_in(cell.model_copy(update={"overloaded": 1, "offered_rate": 5.0}), "full") == "overloaded"
