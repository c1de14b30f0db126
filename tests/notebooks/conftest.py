"""Notebooks first: each takes a minute or two, and whoever shares the work should not end with one."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them before all others, which keep their order."""
    items.sort(key=lambda item: item.get_closest_marker("notebook") is None)
