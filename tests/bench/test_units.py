"""Shares as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.units import percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0003, "0.03 %"),
        (0.05, "5 %"),
        (0.294, "29 %"),
        (-0.12, "-12 %"),
        (0.975, "97.5 %"),
        (0.9995, "99.95 %"),
        (1.0, "100 %"),
        (12.5, "1,250 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    """Two significant digits, and towards the whole two of what is missing."""
    assert percent(share) == text


@given(st.floats(0.9, 1 - 1e-9))
def test_what_is_not_the_whole_does_not_read_as_it(share: float) -> None:
    """A confidence of 99.9996 % is printed as that."""
    assert percent(share) != "100 %"
    assert float(percent(share).removesuffix(" %")) / 100 == pytest.approx(share, abs=0.06 * (1 - share))
