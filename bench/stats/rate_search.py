"""The search for the highest rate that a broker sustains, as a state machine fed with trials. Pure.

1. Short trials. From the first rate go up by a factor until a rate fails (down until one
   passes), then bisect on the logarithm until the lowest that failed is within ±2 % (a
   ratio of 1.02²) of the highest that passed. A rate's verdict is sequential: a failure by
   far decides at once, else trials are repeated until one side has two of three.
2. Long holds. The highest rate that passed is held; where it fails, step down by 5 %
   (then 10 %, 20 % …) and hold again. A rate that held is tried at +5 %, which must fail:
   where it does not, it is the new answer, and the next step up is wider in the same way.
   So both ends of the interval were held, and what short trials got wrong is put right.
   Where a step was wide, the gap is bisected.

An invalid trial is repeated; a rate whose trials stay invalid cannot be measured, which
bounds the search like a failure and is told apart in the answer. Method: Karimov et al.,
ICDE 2018, and the binary search of IETF's MLRsearch (draft-ietf-bmwg-mlrsearch).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench.stats.sustained import Criterion, Failure

_WIDER = 1 + 1e-3  # rates are rounded to four digits, so a ratio of 1.05 may come out a little wider


@dataclass(frozen=True)
class Rules:
    """How to search.

    Attributes:
        factor: from rate to rate until the limit is bracketed.
        precision: short trials bisect until the ends are this far to either side of the middle.
        above: how far above a rate that held the next is held.
        votes: short trials that decide on a rate, of at most 2 · votes - 1; one that failed by far decides alone.
        repeats: how often an invalid trial is repeated at one rate.
        most_short, most_holds: bounds, after which the search ends with what it has.
        least, most: rates that are never left.
    """

    factor: float = 2.0
    precision: float = 0.02
    above: float = 0.05
    votes: int = 2
    repeats: int = 2
    most_short: int = 40
    most_holds: int = 10
    least: float = 1.0
    most: float = 10_000_000.0


@dataclass(frozen=True)
class NextTrial:
    """The next trial: its rate, messages a second, and whether it is a long hold."""

    rate: float
    hold: bool


@dataclass(frozen=True)
class Taken:
    """A trial as it was judged: valid and without failures is a pass."""

    step: NextTrial
    failures: tuple[Failure, ...]
    valid: bool

    @property
    def verdict(self) -> Literal["pass", "fail", "invalid"]:
        """In one word."""
        if not self.valid:
            return "invalid"
        return "fail" if self.failures else "pass"


@dataclass(frozen=True)
class SearchResult:
    """The answer.

    Attributes:
        low: highest rate that held; None where none did.
        high: lowest rate that failed its hold; None where none did.
        why: what the hold at `high` failed.
        ended: `found`; `measurement`: `high` could not be measured, so `low` is a lower bound;
            `limit`: the highest rate allowed held; `nothing`: no rate held; `trials`: the search
            ran out of trials, and the interval is what was known by then.
    """

    low: float | None
    high: float | None
    why: tuple[Failure, ...]
    ended: Literal["found", "measurement", "limit", "nothing", "trials"]


@dataclass
class _Ends:
    """The highest rate that passed and the lowest that failed, of one kind of trial."""

    low: float | None = None
    high: float | None = None
    why: tuple[Failure, ...] = ()

    def note(self, rate: float, failures: tuple[Failure, ...], *, passed: bool) -> None:
        if passed:
            self.low = rate if self.low is None else max(self.low, rate)
        elif self.high is None or rate <= self.high:
            self.high, self.why = rate, failures

    def ratio(self) -> float:
        return math.inf if self.low is None or self.high is None else self.high / self.low


@dataclass
class _Tally:
    """Trials at the present rate: those that passed, failed, and were invalid in turn."""

    passed: int = 0
    failed: int = 0
    invalid: int = 0
    failures: tuple[Failure, ...] = ()


@dataclass
class Search:
    """One search. Ask `next_step`, do that trial, give its judgement to `take`; until there is none.

    Attributes:
        rules: how to search.
        start: first rate, messages a second; a guess.
        taken: every trial so far.
    """

    rules: Rules
    start: float
    taken: list[Taken] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin at the first rate."""
        self._short, self._long = _Ends(), _Ends()
        self._tally = _Tally()
        self._holds = 0
        self._step: NextTrial | None = NextTrial(self._allowed(self.start), hold=False)

    def next_step(self) -> NextTrial | None:
        """Return the trial to do next; None where the search is over."""
        return self._step

    def take(self, failures: Sequence[Failure], *, valid: bool = True, by_far: bool = False) -> Taken:
        """Take the judgement of the trial that `next_step` asked for; return it as kept.

        Args:
            failures: criteria that it failed.
            valid: whether its measurement can be trusted.
            by_far: whether a failure is beyond what noise can do.
        """
        step = self._step
        if step is None:
            message = "the search is over: no trial was asked for"
            raise ValueError(message)
        taken = Taken(step, tuple(failures), valid)
        self.taken.append(taken)
        decided = self._vote(taken, by_far=by_far)
        if decided is not None:
            ends = self._long if step.hold else self._short
            ends.note(step.rate, self._tally.failures, passed=decided)
            self._holds += step.hold
            self._tally = _Tally()
            self._step = self._after()
        elif self._count(hold=step.hold) >= self._bound(hold=step.hold):
            self._tally = _Tally()
            self._step = self._out_of_trials(step)
        return taken

    def found(self) -> SearchResult:
        """Return the answer as far as it is known."""
        ends = self._long
        unmeasured = any(failure.criterion is Criterion.INVALID for failure in ends.why)
        if ends.low is None and self._step is None and self._count(hold=True) < self.rules.most_holds:
            return SearchResult(None, ends.high, ends.why, "measurement" if unmeasured else "nothing")
        if ends.ratio() <= (1 + self.rules.above) * _WIDER:
            return SearchResult(ends.low, ends.high, ends.why, "measurement" if unmeasured else "found")
        if ends.low is not None and ends.high is None and ends.low >= self.rules.most:
            return SearchResult(ends.low, None, (), "limit")
        return SearchResult(ends.low, ends.high, ends.why, "trials")

    def left(self) -> tuple[int, int]:
        """Return about how many short trials and how many holds are still to come."""
        if self._step is None:
            return 0, 0
        if self._step.hold:
            return 0, 1 if self._long.low is not None or self._long.high is not None else 2
        width = min(self._short.ratio(), self.rules.factor)
        halvings = max(0, math.ceil(math.log2(math.log(width) / (2 * math.log1p(self.rules.precision)))))
        rates = halvings + (2 if self._short.ratio() == math.inf else 0)
        voted = self._tally.passed + self._tally.failed
        return max(1, math.ceil(rates * (self.rules.votes + 0.3)) - voted), 2

    def _vote(self, taken: Taken, *, by_far: bool) -> bool | None:
        """Count a trial; return whether its rate passed, None while that is open."""
        tally = self._tally
        if not taken.valid:
            tally.invalid += 1
            if tally.invalid <= self.rules.repeats:
                return None
            why = "; ".join(failure.text for failure in taken.failures) or "no trial was valid"
            tally.failures = (Failure(Criterion.INVALID, f"cannot be measured: {why}"),)
            return False
        if taken.failures:
            tally.failed += 1
            tally.failures = taken.failures
        else:
            tally.passed += 1
        votes = 1 if taken.step.hold or (taken.failures and by_far) else self.rules.votes
        if taken.failures and votes == 1:
            return False
        if max(tally.passed, tally.failed) < votes:
            return None
        return tally.passed >= votes

    def _after(self) -> NextTrial | None:
        """Return what follows a decision."""
        hold = self._step is not None and self._step.hold
        if not hold:
            if self._count(hold=False) >= self.rules.most_short:
                return self._first_hold()
            return self._next_short()
        if self._count(hold=True) >= self.rules.most_holds:
            return None
        return self._next_hold()

    def _next_short(self) -> NextTrial | None:
        low, high, rules = self._short.low, self._short.high, self.rules
        if low is None and high is not None:
            return None if high <= rules.least else NextTrial(self._allowed(high / rules.factor), hold=False)
        if low is not None and high is None:
            if low >= rules.most:
                return self._first_hold()
            return NextTrial(self._allowed(low * rules.factor), hold=False)
        if low is None or high is None or high / low <= (1 + rules.precision) ** 2:
            return self._first_hold()
        return self._between(low, high, hold=False) or self._first_hold()

    def _first_hold(self) -> NextTrial | None:
        low, high = self._short.low, self._short.high
        if low is None:
            return None if high is None else NextTrial(self._allowed(high / self.rules.factor), hold=True)
        return NextTrial(low, hold=True)

    def _next_hold(self) -> NextTrial | None:
        low, high, up = self._long.low, self._long.high, 1 + self.rules.above
        wider: float = up**2 ** max(0, self._holds - 1)  # used while all holds ended alike
        if low is None:
            if high is None or high <= self.rules.least:
                return None
            return NextTrial(self._allowed(high / wider), hold=True)
        if high is None:
            return None if low >= self.rules.most else NextTrial(self._allowed(low * wider), hold=True)
        return None if high / low <= up * _WIDER else self._between(low, high, hold=True)

    def _between(self, low: float, high: float, *, hold: bool) -> NextTrial | None:
        rate = self._allowed(math.sqrt(low * high))
        return NextTrial(rate, hold=hold) if low < rate < high else None

    def _out_of_trials(self, step: NextTrial) -> NextTrial | None:
        return None if step.hold else self._first_hold()

    def _count(self, *, hold: bool) -> int:
        return sum(taken.step.hold is hold for taken in self.taken)

    def _bound(self, *, hold: bool) -> int:
        return self.rules.most_holds if hold else self.rules.most_short

    def _allowed(self, rate: float) -> float:
        """Return a rate within bounds, to four digits, as it stands in names and tables."""
        return min(max(float(f"{rate:.4g}"), self.rules.least), self.rules.most)
