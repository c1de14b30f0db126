"""Synthetic results folders, built once a session; tests that change one make their own."""

from pathlib import Path
from typing import Any

import pytest

from reports.dataset import Dataset, load
from reports.summarise import summarise
from reports.summary import Summary
from tests.reports.synthetic import build, client_bound, quirks


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three repetitions of every workload, with one fault of each kind."""
    return build(tmp_path_factory.mktemp("quick") / "run", change=quirks)


@pytest.fixture(scope="session")
def quick(quick_folder: Path) -> Dataset:
    """The quick run as tables."""
    return load(quick_folder)


@pytest.fixture(scope="session")
def quick_summary(quick: Dataset) -> Summary:
    """What a report says of the quick run."""
    return summarise(quick)


@pytest.fixture(scope="session")
def full_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten repetitions of the open workloads; Broker-J over 1.0 is client-bound under `steady`."""

    def bound(trial: dict[str, Any]) -> dict[str, Any]:
        return client_bound(trial) if (trial["target"], trial["workload"]) == ("broker-j-10", "steady") else trial

    folder = tmp_path_factory.mktemp("full") / "run"
    return build(folder, mode="full", repetitions=10, closed_loop=False, change=bound)


@pytest.fixture(scope="session")
def full_summary(full_folder: Path) -> Summary:
    """What a report says of the full run."""
    return summarise(load(full_folder))
