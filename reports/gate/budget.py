"""The budget of a gate: which metrics decide, how much worse each may get, and what it must keep to.

A file in TOML with a list `limits`; `budget.toml` beside this file is the default. An entry
with `at_most` or `at_least` is an absolute limit, as a scenario has them; the others are
about the change from the baseline. Every fault of a file is told at once.
"""

import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from bench.results.base import Record
from bench.scenario.scenario import AbsoluteLimit, MetricName
from reports.gate.metrics import METRICS

DEFAULT = Path(__file__).with_name("budget.toml")
RELEVANT = 0.05
"""Smallest relevant effect where an entry gives none."""
_ANY = "any"


class BudgetError(Exception):
    """A budget cannot be used.

    Attributes:
        faults: every one of them, a line each.
    """

    def __init__(self, faults: list[str]) -> None:
        """Keep the faults."""
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Limit(Record):
    """How much worse one metric may get."""

    metric: MetricName
    """What is compared: a percentile of the latency, a rate, CPU a message, memory, or a count of faults."""
    direction: Literal["lower", "higher"] | None = None
    """Which is better. It follows from the metric; where it stands, it must agree."""
    relevant: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Smallest relevant effect, as a share (0.05 is 5 %): a smaller change does not matter. By default 0.05."""
    allowed: Annotated[float, Field(ge=0)] = 0.0
    """How much worse it may get for a good reason: a share, or for a count so many more messages a trial."""
    target: str | None = None
    """Only for this target; by default for all."""
    workload: str | None = None
    """Only for this workload; by default for all."""
    decides: bool = True
    """Whether it can fail the gate; `false` shows it only."""
    required: bool = True
    """Whether the gate is undecided where there is no figure for it; `false` says so and leaves it out."""

    @model_validator(mode="after")
    def _fits_its_metric(self) -> "Limit":
        metric = METRICS[self.metric]
        better = "lower" if metric.lower_is_better else "higher"
        faults = []
        if self.direction not in (None, better):
            faults.append(f"direction = {self.direction!r}: of {self.metric}, {better} is better")
        if metric.counted and self.relevant is not None:
            faults.append(f"relevant: {self.metric} is a count of messages, for which only `allowed` is given")
        if not metric.counted and self.allowed >= 1:
            faults.append(f"allowed = {self.allowed:g}: below 1, as it is a share (0.05 is 5 %)")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def threshold(self, noise_floor: float | None) -> float:
        """Return the change for the worse from which on it is a regression: a share, or a count a trial."""
        if METRICS[self.metric].counted:
            return self.allowed
        return max(RELEVANT if self.relevant is None else self.relevant, self.allowed, noise_floor or 0.0)


_RELATIVE, _ABSOLUTE = "relative", "absolute"


def _kind(given: object) -> str:
    if isinstance(given, dict):
        return _ABSOLUTE if given.keys() & {"at_most", "at_least"} else _RELATIVE
    return _ABSOLUTE if isinstance(given, AbsoluteLimit) else _RELATIVE


Entry = Annotated[
    Annotated[Limit, Tag(_RELATIVE)] | Annotated[AbsoluteLimit, Tag(_ABSOLUTE)],
    Discriminator(_kind),
]


class Budget(Record):
    """What a gate decides by."""

    limits: Annotated[tuple[Entry, ...], Field(min_length=1)]
    """One entry a metric; one that names target or workload goes before one that does not."""

    @model_validator(mode="after")
    def _each_once(self) -> "Budget":
        seen: set[tuple[str, ...]] = set()
        for limit in self.limits:
            side = "" if isinstance(limit, Limit) else "at_most" if limit.upper else "at_least"
            key = (limit.metric, side, limit.target or _ANY, limit.workload or _ANY)
            if key in seen:
                message = f"{limit.metric} stands twice for target {key[2]}, workload {key[3]}: keep one of them"
                raise ValueError(message)
            seen.add(key)
        return self

    @property
    def relative(self) -> tuple[Limit, ...]:
        """The entries that say how much worse a figure may get."""
        return tuple(limit for limit in self.limits if isinstance(limit, Limit))

    @property
    def absolute(self) -> tuple[AbsoluteLimit, ...]:
        """The entries that say what a figure must keep to."""
        return tuple(limit for limit in self.limits if isinstance(limit, AbsoluteLimit))

    def applying(self, target: str, workload: str, part_of: str | None = None) -> Iterator[Limit]:
        """Return the entry of each metric that says how much worse a row may get, in the order of the file.

        A workload that is part of a sweep is named by the sweep as well. The entry that names most of target and
        workload goes first; of two that name one each, that of the target.
        """
        best: dict[str, Limit] = {}
        for limit in self.relative:
            if limit.target not in (None, target) or limit.workload not in (None, workload, part_of):
                continue
            if limit.metric not in best or _closeness(limit) > _closeness(best[limit.metric]):
                best[limit.metric] = limit
        yield from best.values()

    def strangers(self, targets: set[str], workloads: set[str]) -> Iterator[str]:
        """Return a fault for each entry that names what the scenario does not have."""
        for index, limit in enumerate(self.limits):
            for field, name, known in (("target", limit.target, targets), ("workload", limit.workload, workloads)):
                if name is not None and name not in known:
                    there = ", ".join(sorted(known))
                    yield f"--budget: limits.{index}.{field}: {name!r} is not there: there are {there}"


def _closeness(limit: Limit) -> tuple[bool, bool]:
    return limit.target is not None, limit.workload is not None


def read_budget(path: Path | None) -> Budget:
    """Read a budget; the default one where no path is given.

    Raises:
        BudgetError: with every fault found.
    """
    file = path or DEFAULT
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BudgetError([f"--budget {file} cannot be read ({error.strerror}): name a TOML file"]) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, or no TOML
        raise BudgetError([f"--budget {file} is no valid TOML: {error}; see docs/ci.md"]) from error
    try:
        return Budget.model_validate(document)
    except ValidationError as error:
        raise BudgetError([*_faults(error)]) from error


def _faults(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # an echo: the list is short because its entries are faulty, which is told already
        path = ".".join(str(part) for part in detail["loc"] if part not in (_RELATIVE, _ABSOLUTE)) or "limits"
        yield f"--budget: {path}: {_words(detail)}"


def _words(detail: Any) -> str:
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ").replace("tuple", "list")
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        entry = (
            AbsoluteLimit.model_fields if _ABSOLUTE in detail["loc"] else [*Limit.model_fields, "at_most", "at_least"]
        )
        fields = list(entry if len(detail["loc"]) > 1 else Budget.model_fields)
        near = difflib.get_close_matches(name, fields, 1)
        return f"no such field: did you mean {near[0]!r}?" if near else f"no such field: there are {', '.join(fields)}"
    if kind == "literal_error" and name == "metric":
        names = get_args(MetricName)
        near = difflib.get_close_matches(str(detail["input"]), names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(names)}"
        return f"{detail['input']!r} is no metric: {hint}"
    if kind == "missing":
        return "missing; see docs/ci.md"
    if kind == "value_error":
        return str(message)
    return f"{detail['input']!r}: {message[0].lower()}{message[1:]}"
