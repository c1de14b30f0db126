"""What tests of every room share: what kind they are, what they must not do, and what is made once a session.

Folders of one kind mark their tests here; elsewhere a test carries its marks itself. What a mark
promises is held: only `live` and `notebook` may start a broker or build its image. That `make
check` compiles nothing needs no guard, as it runs with `NUMBA_DISABLE_JIT=1`, processes that
tests start included.

One set of throw-away certificates a session, as making keys takes a moment; and no
deadlines for generated examples, as the time of one on a busy machine says nothing. Where
nothing is compiled (`tests/bench/wire/test_uncompiled.py`), few examples, and always the same.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from brokers import certificates

settings.register_profile("busbench", deadline=None, max_examples=30)
settings.register_profile("uncompiled", deadline=None, max_examples=10, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=5_000)
settings.load_profile("busbench")

_HERE = Path(__file__).parent
_KINDS = {
    _HERE / "laws": pytest.mark.laws,
    _HERE / "live": pytest.mark.live,
    # Their subjects are kernels, and run as plain Python they take long.
    _HERE / "bench/wire": pytest.mark.compiled,
    _HERE / "bench/record": pytest.mark.compiled,
}
_LONG = (
    "test_notebooks.py",
    "test_run_live.py",
    "test_generic_live.py",
    "test_crosscheck_live.py",
    "test_uncompiled.py",
    "test_cli.py",
    "test_coordinated_omission.py",
)
"""Files with the longest tests: first, so that of those who share the work none ends with one alone."""
_OF_BROKERS = {shutil.which("bwrap"), shutil.which("mmdebstrap")}
"""Programs by which brokers are started and their image is built; fakes lie elsewhere."""
_now: list[pytest.Item] = []
"""The test that runs, if it must not start a broker."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of folders that are of one kind."""
    for item in items:
        for folder, mark in _KINDS.items():
            if folder in item.path.parents:
                item.add_marker(mark)


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def _longest_first(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in _LONG)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Know which test runs, its fixtures included."""
    _now[:] = [] if any(item.iter_markers("live")) or any(item.iter_markers("notebook")) else [item]
    try:
        return (yield)
    finally:
        _now.clear()


def _refuse_brokers(event: str, details: tuple[Any, ...]) -> None:
    if event != "subprocess.Popen" or not _now:
        return
    # A shell may stand before it, which joins the control groups.
    started = {shutil.which(str(word)) for word in (details[0], *(details[1] or ()))}
    if started & (_OF_BROKERS - {None}):
        message = (
            f"{_now[0].nodeid} starts {' '.join(map(str, details[1] or ()))}: mark it `live`, or let it do without"
        )
        raise AssertionError(message)


sys.addaudithook(_refuse_brokers)


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates of an authority, a server on loopback and a client."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return folder
