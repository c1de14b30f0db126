"""Shares as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.units import parse_size, percent


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


@pytest.mark.parametrize(
    ("given", "size"),
    [(100, 100), ("100", 100), ("1KiB", 1024), ("1.5 KiB", 1536), ("64kB", 64_000), ("2 mib", 2 * 1024**2), ("7B", 7)],
)
def test_sizes_may_have_a_unit(given: object, size: int) -> None:
    """Of a thousand or of 1,024; a number is bytes."""
    assert parse_size(given) == size


@pytest.mark.parametrize("given", ["", "KiB", "1 TiB", "-1", "1e3", "ten"])
def test_text_that_is_no_size_is_refused(given: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match="no size: write bytes, such as 1024"):
        parse_size(given)
