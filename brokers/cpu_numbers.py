"""Numbers of CPUs: as scenarios write them, as the kernel does, and for people. Pure."""

from collections.abc import Collection, Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter


def _each_once(numbers: tuple[int, ...]) -> tuple[int, ...]:
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        message = f"CPU {words(twice)} stands more than once: name each once"
        raise ValueError(message)
    return tuple(sorted(numbers))


CpuCount = Annotated[int, Field(ge=1, le=1024)]
CpuNumber = Annotated[int, Field(ge=0, le=8191)]
AnyCpuNumbers = Annotated[tuple[CpuNumber, ...], Field(max_length=1024), AfterValidator(_each_once)]
CpuNumbers = Annotated[AnyCpuNumbers, Field(min_length=1)]
_COUNT: TypeAdapter[int] = TypeAdapter(CpuCount)
_NUMBERS: TypeAdapter[tuple[int, ...]] = TypeAdapter(CpuNumbers)


def count_or_numbers(given: object) -> int | tuple[int, ...]:
    """Return what a scenario says of CPUs: how many, or which.

    A union of both would tell each fault twice, once for either.

    Raises:
        ValidationError: it is neither.
    """
    if isinstance(given, list | tuple):
        return _NUMBERS.validate_python(given)
    return _COUNT.validate_python(given)


def words(numbers: Iterable[int]) -> str:
    """Return CPUs as the kernel writes a list of them, such as `0-2,5`; see cpuset(7), "List format"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def read(text: str) -> tuple[int, ...]:
    """Return the CPUs of a list that the kernel wrote, in order.

    Raises:
        ValueError: it is no such list.
    """
    found: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found |= {*range(int(first), int(last or first) + 1)}
    return tuple(sorted(found))


def unusable(asked: Collection[int], ours: Collection[int], there: Collection[int]) -> Iterator[str]:
    """Yield a sentence for CPUs that are asked for and not to be had.

    Args:
        asked: CPUs to be pinned to.
        ours: those that we may use.
        there: those that are online.
    """
    may = f"we may use {words(ours)}: name some of these"
    if missing := {*asked} - {*there}:
        yield f"CPU {words(missing)} is not online here, {may}"
    if forbidden := {*asked} & {*there} - {*ours}:
        yield f"CPU {words(forbidden)} is not in our own affinity, {may} or start busbench with more (taskset, cpuset)"
