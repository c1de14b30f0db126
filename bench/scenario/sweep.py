"""Sweeps: a workload's fields that take several values in turn become workloads of their own, one a point. Pure.

`{ sweep = [32, 1024] }` may stand wherever a workload takes one value, at any depth; a bare list does the same for the
rate and the bound of a load. Several sweeps of a workload make their full product. They are taken apart in the parsed
file, before the models see it: so each point is checked by all that checks a workload, and a field that is new to the
models can be swept at once. Faults are then told of the path that the user wrote (`Points.as_given`).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import count, product
from typing import Any, TypeGuard

from pydantic import TypeAdapter, ValidationError

from bench.scenario.errors import Fault
from bench.scenario.reference import IN_FLIGHT, NOT_SWEPT, RATE, SWEEP, field_at, is_bytes
from bench.scenario.scenario import Scenario, Workload
from bench.scenario.settable import toml
from bench.units import exact_size, parse_size
from brokers.settings import BrokerName

MOST_POINTS = 100
"""Points of one workload, at most."""
MOST_IN_ALL = 1_000
"""Points of all sweeps of a file, at most."""
LONGEST_NAME = 32
"""As `BrokerName` has it, which folders and records rely on."""
_NAME = TypeAdapter[str](BrokerName)
_MADE = ("part_of", "at")
_LISTS = tuple(tuple(field.split(".")) for field in (RATE, IN_FLIGHT))
"""Ends of paths whose values can be a bare list."""

Path = tuple[str | int, ...]
Table = dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """One field of a workload and the values that it takes in turn.

    Attributes:
        path: of the field, below the workload.
        values: as the file has them.
        within: where they stand below the field: in a table's `sweep`, or in the field itself.
    """

    path: Path
    values: Sequence[Any]
    within: Path

    @property
    def field(self) -> str:
        """The path as one text, which is what a point calls its field."""
        return ".".join(map(str, self.path))

    def at(self, place: int) -> str:
        """Return the path of one of the values."""
        return ".".join(map(str, (*self.path, *self.within, place)))

    @property
    def at_its_first(self) -> "Sweep":
        """The same with its first value alone."""
        return replace(self, values=self.values[:1])

    def value(self, place: int) -> bool | float | str:
        """Return what a point says of the field: bytes as a number, tables and lists as TOML, the rest as it is."""
        value = self.values[place]
        if not isinstance(value, bool | int | float | str):
            return toml(value)
        with suppress(ValueError):
            size = parse_size(value) if not isinstance(value, bool) and is_bytes(self.field) else None
            return size if isinstance(size, int) else value
        return value


@dataclass(frozen=True)
class Origin:
    """Where a point comes from: the place of the workload that was given, and of the value of each of its sweeps."""

    given: int
    chosen: tuple[tuple[Sweep, int], ...] = ()


@dataclass(frozen=True)
class Points:
    """A scenario whose sweeps are taken apart.

    Attributes:
        document: the parsed file with a workload a point.
        origins: where each of its workloads comes from.
        faults: of the sweeps themselves, under the paths that the user wrote.
        unread: the paths of sweeps that have no value, of which nothing more is to be said.
    """

    document: Table
    origins: tuple[Origin, ...] = ()
    faults: tuple[Fault, ...] = ()
    unread: frozenset[str] = frozenset()

    def as_given(self, faults: Iterable[Fault]) -> list[Fault]:
        """Return faults of the document under the paths that the user wrote, each once."""
        found = dict.fromkeys(Fault(self._path(fault.path), fault.text) for fault in faults)
        return [fault for fault in found if not any(_is_below(fault.path, path) for path in self.unread)]

    def whole(self, scenario: Scenario) -> Scenario:
        """Return a sound scenario of the document with the workloads that were given, each at its first point."""
        firsts: dict[int, Workload] = {}
        for origin, one in zip(self.origins, scenario.workloads, strict=True):
            firsts.setdefault(origin.given, one.model_copy(update={"name": one.part_of or one.name}))
        return scenario.model_copy(update={"workloads": tuple(firsts.values())})

    def _path(self, path: str) -> str:
        found = re.fullmatch(r"workloads\.(\d+)(?:\.(.*))?", path)
        if found is None or int(found[1]) >= len(self.origins):
            return path
        origin, rest = self.origins[int(found[1])], found[2] or ""
        for sweep, place in origin.chosen:
            if _is_below(rest, sweep.field):
                rest = sweep.at(place) + rest.removeprefix(sweep.field)
        return f"workloads.{origin.given}.{rest}" if rest else f"workloads.{origin.given}"


def _is_below(path: str, whole: str) -> bool:
    return path == whole or path.startswith(f"{whole}.")


def expand(document: Table) -> Points:
    """Take the sweeps of a parsed scenario apart; the document itself is left as it is."""
    given = document.get("workloads")
    if not isinstance(given, list):
        return Points(document)
    made: list[Any] = []
    origins: list[Origin] = []
    faults: list[Fault] = []
    unread: set[str] = set()
    left = MOST_IN_ALL
    for index, one in enumerate(given):
        if not isinstance(one, dict):
            made.append(one)
            origins.append(Origin(index))
            continue
        where = f"workloads.{index}"
        workload = {name: value for name, value in one.items() if name not in _MADE}
        faults += _given_in_vain(one, where)
        sweeps = []
        for sweep in _sweeps(workload):
            wrong = list(_faults(sweep, where, workload))
            faults += wrong
            if not sweep.values:
                unread.add(f"{where}.{sweep.field}")
            else:
                sweeps.append(sweep.at_its_first if wrong else sweep)
        several = [sweep for sweep in sweeps if len(sweep.values) > 1]
        names = _point_names(workload.get("name"), several)
        if fault := _too_many(several, where, left) or _too_long(names, where):
            faults.append(fault)
            sweeps = [sweep.at_its_first for sweep in sweeps]  # one point stands for all
        tables = list(_taken_apart(workload, sweeps, names))
        left -= len(tables) if several else 0
        made += [table for table, _ in tables]
        origins += [Origin(index, chosen) for _, chosen in tables]
    faults += _repeated(given, made)
    return Points(document | {"workloads": made}, tuple(origins), tuple(faults), frozenset(unread))


def _given_in_vain(workload: Table, where: str) -> Iterator[Fault]:
    for name in _MADE:
        if name in workload:
            text = f"it is never given: leave it out, or give a field {{ {SWEEP} = [...] }}"
            yield Fault(f"{where}.{name}", text)


def _repeated(given: Sequence[Any], made: Sequence[Any]) -> Iterator[Fault]:
    """Yield a fault for each name that occurs twice, be it as it was given or as a sweep makes it."""
    names = _names(given)
    if len(names) > len(set(names)):
        for name, times in Counter(names).items():
            if times > 1:
                yield Fault("workloads", f"{name!r} occurs {times} times: names must differ")
        return
    wholes = {one["part_of"] for one in made if isinstance(one, dict) and one.get("part_of")}
    for name, times in Counter([*_names(made), *wholes]).items():
        if times > 1:
            yield Fault("workloads", f"a sweep makes {name!r}, which occurs {times} times: names must differ")


def _names(workloads: Sequence[Any]) -> list[str]:
    """Return the names that can be names; the others are faults by themselves."""
    names = [one.get("name") for one in workloads if isinstance(one, dict)]
    return [name for name in names if _is_name(name)]


def _is_name(given: object) -> TypeGuard[str]:
    try:
        return bool(_NAME.validate_python(given))
    except ValidationError:
        return False


def _too_many(sweeps: Sequence[Sweep], where: str, left: int) -> Fault | None:
    number = math.prod(len(sweep.values) for sweep in sweeps)
    each = " × ".join(f"{len(sweep.values):,} of {sweep.field}" for sweep in sweeps)
    if number > MOST_POINTS:
        return Fault(where, f"its sweeps make {number:,} points ({each}): at most {MOST_POINTS}, so give fewer values")
    if sweeps and number > left:
        return Fault(where, f"the sweeps of this file make more points than {MOST_IN_ALL:,}: give fewer values")
    return None


def _too_long(names: Sequence[str], where: str) -> Fault | None:
    longest = max(names, key=len, default="")
    if len(longest) <= LONGEST_NAME:
        return None
    text = f"its sweep makes {longest!r}, {len(longest)} characters: at most {LONGEST_NAME}, so shorten it"
    return Fault(f"{where}.name", text)


def _taken_apart(
    workload: Table, sweeps: Sequence[Sweep], names: Sequence[str]
) -> Iterator[tuple[Table, tuple[tuple[Sweep, int], ...]]]:
    """Yield a workload's points, each with where its values stand; itself where it has no sweep."""
    every = list(product(*(range(len(sweep.values)) for sweep in sweeps)))
    for number, places in enumerate(every):
        chosen = tuple(zip(sweeps, places, strict=True))
        table = deepcopy(workload)
        for sweep, place in chosen:
            _at(table, sweep.path[:-1])[sweep.path[-1]] = deepcopy(sweep.values[place])
        if len(every) > 1:
            table["at"] = {sweep.field: sweep.value(place) for sweep, place in chosen if len(sweep.values) > 1}
            if names:
                table |= {"name": names[number], "part_of": workload["name"]}
        yield table, chosen


def _sweeps(workload: Table) -> Iterator[Sweep]:
    for name, value in workload.items():
        if name not in NOT_SWEPT:
            yield from _below_it((name,), value)


def _below_it(path: Path, value: object) -> Iterator[Sweep]:
    """Yield the sweeps of a field and of all below it, in the order of the file."""
    if isinstance(value, dict) and SWEEP in value:
        values = value[SWEEP]
        yield Sweep(path, values if isinstance(values, list) else (), (SWEEP,))
    elif isinstance(value, list) and path[-2:] in _LISTS and (len(value) != 1 or path[-1] == "rate"):
        yield Sweep(path, value, ())
    elif isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for step, one in entries:
            yield from _below_it((*path, step), one)


def _faults(sweep: Sweep, where: str, workload: Table) -> Iterator[Fault]:
    path, table = f"{where}.{sweep.field}", _at(workload, sweep.path)
    if isinstance(table, dict) and len(table) > 1:
        others = ", ".join(name for name in table if name != SWEEP)
        yield Fault(path, f"a sweep is a table of `{SWEEP}` alone: leave out {others}")
    elif isinstance(table, dict) and not isinstance(table[SWEEP], list):
        yield Fault(path, f"{SWEEP} = {toml(table[SWEEP])}: give a list of the values to try, such as [1, 10, 100]")
    elif not sweep.values:
        yield Fault(path, f"{toml(table)}: name one value, or a list of at least one")
    seen: set[object] = set()
    for place in range(len(sweep.values)):
        if (value := sweep.value(place)) not in seen:
            seen.add(value)
        else:
            text = f"{toml(sweep.values[place])} stands there twice: the values of a sweep must differ"
            yield Fault(f"{where}.{sweep.at(place)}", text)
    if sweep.path[-2:] == _LISTS[0] and len(sweep.values) > 1 and "profile" in _at(workload, sweep.path[:-1]):
        yield Fault(path, "with a profile give one rate only, as the profile says how it changes")


def _at(table: Any, path: Path) -> Any:
    for step in path:
        table = table[step]
    return table


def _point_names(base: object, sweeps: Sequence[Sweep]) -> list[str]:
    """Return a name for each point: as readable as fits in all of them, at last their numbers.

    There is none where nothing is swept, too much is, or the workload itself has no name.
    """
    number = math.prod(len(sweep.values) for sweep in sweeps)
    if not 1 < number <= MOST_POINTS or not _is_name(base):
        return []
    short = _abbreviations([sweep.field for sweep in sweeps])
    styles = (
        [[_readable(sweep, short[sweep.field], place) for place in range(len(sweep.values))] for sweep in sweeps],
        [[_compact(sweep, short[sweep.field], place) for place in range(len(sweep.values))] for sweep in sweeps],
    )
    for parts in styles:
        names = [f"{base}-{'-'.join(chosen)}" for chosen in product(*parts)]
        if len(set(names)) == len(names) and max(map(len, names)) <= LONGEST_NAME:
            return names
    return [f"{base}-{place + 1}" for place in range(number)]


def _abbreviations(fields: Sequence[str]) -> dict[str, str]:
    """Return short texts that tell fields apart: initials of words, of more letters where two would be alike."""
    words = {field: [re.sub(r"[^a-z0-9]", "", one) for one in re.split(r"[._-]", last_name(field))] for field in fields}
    for letters in count(1):
        found = {field: "".join(word[:letters] for word in words[field]) for field in fields}
        if len(set(found.values())) == len(fields):
            return found
        if letters >= max(len(word) for each in words.values() for word in each):
            break
    return {field: f"{found[field]}{place}" for place, field in enumerate(fields)}


def last_name(field: str) -> str:
    """Return the name that a path ends in."""
    return next((step for step in reversed(field.split(".")) if not step.isdigit()), field)


def _number(value: float) -> str:
    return f"{value:.10g}".replace("+", "")


def _readable(sweep: Sweep, short: str, place: int) -> str:
    value = sweep.value(place)
    if isinstance(value, bool):
        return last_name(sweep.field) if value else f"no-{last_name(sweep.field)}"
    if isinstance(value, int) and is_bytes(sweep.field):
        return re.sub(r"[ ,]", "", exact_size(value)).lower()
    if isinstance(value, int | float):
        return _number(value) if sweep.field in (RATE, IN_FLIGHT) else f"{short}{_number(value)}"
    word = re.sub(r"[^a-z0-9.]+", "-", value.lower()).strip("-.")
    if not word or not isinstance(sweep.values[place], str):
        return f"{short}{place + 1}"
    return word if word[0].isalpha() else f"{short}{word}"


def _compact(sweep: Sweep, short: str, place: int) -> str:
    value = sweep.value(place)
    if isinstance(value, bool):
        return f"{short}{value:d}"
    return f"{short}{place + 1}" if isinstance(value, str) else _readable(sweep, short, place)


def trials_words(workloads: Sequence[Workload], planned: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield how many trials each sweep makes, such as `steady: 3 sizes × 2 targets × 10 repetitions = 60 trials`.

    Nothing is said of one that is planned in part only, as when a run is resumed.

    Args:
        workloads: of a resolved scenario.
        planned: target and workload of each trial.
    """
    for whole in dict.fromkeys(one.part_of for one in workloads if one.at):
        points = {one.name: one.at for one in workloads if one.part_of == whole}
        mine = Counter(cell for cell in planned if cell[1] in points)
        targets = len({target for target, _ in mine})
        fields = {field: len({at[field] for at in points.values()}) for field in next(iter(points.values()))}
        if (
            len(set(mine.values())) != 1
            or len(mine) != targets * len(points)
            or math.prod(fields.values()) != len(points)
        ):
            continue
        repetitions = next(iter(mine.values()))
        parts = [_several(field, number) for field, number in fields.items()]
        parts += [
            f"{number} {word}{'' if number == 1 else 's'}"
            for word, number in (("target", targets), ("repetition", repetitions))
        ]
        yield f"{whole}: {' × '.join(parts)} = {mine.total()} trials"


def _several(field: str, number: int) -> str:
    word, found = last_name(field), field_at(field)
    if "_" in word or found is None or found.annotation is bool:
        return f"{number} values of {word}"
    ending = "" if word.endswith("s") else "es" if word.endswith(("x", "ch", "sh")) else "s"
    return f"{number} {word}{ending}"
