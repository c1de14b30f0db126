"""Synthetic runs, made once a session: tables that most tests share, and folders for those that read.

To read the histograms of a whole folder takes seconds without the compiler, so those tests are `compiled`.
"""

from pathlib import Path
from typing import Any

import pytest

import reports
from reports.dataset import Dataset
from reports.summarise import summarise
from reports.summary import Summary
from tests.reports.in_memory import made_tables
from tests.reports.synthetic import build, client_bound, quirks

_HERE = Path(__file__).parent
_READ = {"quick_folder", "quick_written", "full_folder"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what reads a whole folder."""
    for item in items:
        if _HERE in item.path.parents and _READ & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.compiled)


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three repetitions of every workload, with one fault of each kind."""
    return build(tmp_path_factory.mktemp("quick") / "run", change=quirks)


@pytest.fixture(scope="session")
def quick_written(quick_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Page, Markdown and JSON of the quick run, from its folder: what a user gets."""
    folder = tmp_path_factory.mktemp("report")
    paths = [folder / name for name in ("report.html", "report.md", "summary.json")]
    reports.render([quick_folder], reports.Outputs(html=paths[0], markdown=paths[1], json=paths[2]))
    html, markdown, text = (path.read_text(encoding="utf-8") for path in paths)
    return html, markdown, text


@pytest.fixture(scope="session")
def quick() -> Dataset:
    """The quick run as tables."""
    return made_tables(change=quirks)


@pytest.fixture(scope="session")
def quick_summary(quick: Dataset) -> Summary:
    """What a report says of the quick run."""
    return summarise(quick)


def _bound(trial: dict[str, Any]) -> dict[str, Any]:
    return client_bound(trial) if (trial["target"], trial["workload"]) == ("broker-j-10", "steady") else trial


_FULL: dict[str, Any] = {"mode": "full", "repetitions": 10, "closed_loop": False, "change": _bound}


@pytest.fixture(scope="session")
def full_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten repetitions of the open workloads; Broker-J over 1.0 is client-bound under `steady`."""
    return build(tmp_path_factory.mktemp("full") / "run", **_FULL)


@pytest.fixture(scope="session")
def full() -> Dataset:
    """The full run as tables."""
    return made_tables(**_FULL)


@pytest.fixture(scope="session")
def full_summary(full: Dataset) -> Summary:
    """What a report says of the full run."""
    return summarise(full)
