"""Throttling: what control groups around us tell of their quotas."""

import os
from pathlib import Path

import pytest

from bench.run.throttling import Throttling, throttled_s

V2 = b"usage_usec 9\nnr_periods 40\nnr_throttled 3\nthrottled_usec 250000\n"
V1 = b"nr_periods 40\nnr_throttled 3\nthrottled_time 250000000\n"


@pytest.mark.parametrize(("text", "seconds"), [(V2, 0.25), (V1, 0.25), (b"usage_usec 9\nuser_usec 4\n", None)])
def test_both_versions_are_read(text: bytes, seconds: float | None) -> None:
    """Microseconds in version 2, nanoseconds in version 1, nothing where the group has no quota to tell of."""
    assert throttled_s(text) == seconds


def test_the_group_that_was_held_back_longest_counts(tmp_path: Path) -> None:
    """Of a session in a container, either may have the quota; what is written later is read later."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "cpu.stat").write_bytes(V1)
    (inner / "cpu.stat").write_bytes(b"throttled_usec 10\n")
    found = Throttling([inner, tmp_path, tmp_path / "none"])
    assert found.read_s() == 0.25
    (inner / "cpu.stat").write_bytes(b"throttled_usec 900000\n")
    assert found.read_s() == 0.9
    found.close()
    assert found.read_s() is None


def test_our_own_groups_are_found() -> None:
    """Whatever this host offers: nothing, or seconds that do not shrink."""
    found = Throttling.around(os.getpid())
    first, second = found.read_s(), found.read_s()
    assert (first is None) == (second is None)
    assert (second or 0.0) >= (first or 0.0) >= 0.0
    found.close()
