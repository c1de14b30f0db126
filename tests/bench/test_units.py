"""Shares, times and sizes as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.units import exact_size, parse_size, percent, size_words, time_words


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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0204, "20.4 ms"),
        (0.9996, "1 s"),
        (2.5, "2.5 s"),
        (9.96, "10 s"),
        (12.4, "12 s"),
        (59.7, "1 min 00 s"),
        (438, "7 min 18 s"),
        (3599.9, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_times_are_told_in_one_way(seconds: float, words: str) -> None:
    """With the unit that suits them, and no more digits than are of use."""
    assert time_words(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1536, "1.5 KiB"),
        (65_536, "64 KiB"),
        (259e6, "247 MiB"),
        (1023.7 * 1024, "1 MiB"),
    ],
)
def test_sizes_are_told_in_one_way(size: float, words: str) -> None:
    """Three digits, in units of 1,024."""
    assert size_words(size) == words


@given(st.integers(0, 2**50))
def test_an_exact_size_is_what_it_says(size: int) -> None:
    """No byte is lost to a rounded unit."""
    assert parse_size(exact_size(size).replace(",", "")) == size


@given(st.floats(1, 1e15))
def test_size_words_are_near(size: float) -> None:
    """Within the third digit."""
    number, unit = size_words(size).replace(",", "").split()
    assert float(number) * 1024 ** ("B", "KiB", "MiB", "GiB", "TiB").index(unit) == pytest.approx(
        size, rel=0.01, abs=0.5
    )
