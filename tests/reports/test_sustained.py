"""What a search found is read where it is, and its absence is no fault."""

from pathlib import Path

import pytest

from reports.captions import sustained_caption
from reports.errors import ReportError
from reports.sustained import read
from tests.reports.synthetic import search_text


def test_a_folder_without_a_search_says_nothing(tmp_path: Path) -> None:
    """No file, no rows."""
    assert read(tmp_path) == ()


def test_an_interval_is_read_and_told(tmp_path: Path) -> None:
    """Both ends, and one that never failed, reach the caption in words."""
    answers = [
        {"target": "a", "low": 10_000.0, "high": 10_500.0, "why": "the backlog grew"},
        {"target": "b", "low": 20_000.0, "high": None, "client_bound": True},
    ]
    (tmp_path / "search.json").write_text(search_text(*answers))
    rows = read(tmp_path)
    assert (rows[0].low, rows[0].high, rows[1].client_bound) == (10_000, 10_500, True)
    (caption,) = sustained_caption(rows, {"a": "A", "b": "B"})
    assert "A 10,000 to 10,500; B 20,000 or more." in caption.sentence


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """One message with the path and the next step."""
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(ReportError, match=r"search\.json is damaged.*search again"):
        read(tmp_path)
