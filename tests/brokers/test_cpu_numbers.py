"""Numbers of CPUs, as scenarios and the kernel write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from brokers.cpu_numbers import count_or_numbers, read, unusable, words


@pytest.mark.parametrize(
    ("numbers", "text"), [((0, 1, 2, 5), "0-2,5"), ((7,), "7"), ((), ""), ((3, 1), "1,3"), ((2, 3), "2-3")]
)
def test_lists_are_written_as_the_kernel_does(numbers: tuple[int, ...], text: str) -> None:
    """Neighbours are a range."""
    assert words(numbers) == text


@given(st.sets(st.integers(0, 300)))
def test_what_is_written_is_read(numbers: set[int]) -> None:
    """Both ways, for any set."""
    assert read(words(numbers)) == tuple(sorted(numbers))


def test_a_setting_is_a_number_or_a_list() -> None:
    """A list is sorted."""
    assert count_or_numbers(3) == 3
    assert count_or_numbers([3, 2]) == (2, 3)


@pytest.mark.parametrize("given", [0, "x", [], [1, 1], [-1], 1025, None])
def test_anything_else_is_one_fault(given: object) -> None:
    """Not one for each of both forms."""
    with pytest.raises(ValidationError) as raised:
        count_or_numbers(given)
    # That a list is too short for its faulty entries is left out where faults are told.
    assert len([one for one in raised.value.errors() if one["type"] != "too_short" or not one["input"]]) == 1


def test_what_cannot_be_had_is_named() -> None:
    """A CPU that is not there, and one that is not ours."""
    assert list(unusable({1}, {0, 1}, {0, 1, 2})) == []
    missing, forbidden = unusable({1, 2, 7}, {0, 1}, {0, 1, 2})
    assert missing.startswith("CPU 7 is not online here, we may use 0-1")
    assert forbidden.startswith("CPU 2 is not in our own affinity, we may use 0-1")
