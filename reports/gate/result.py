"""What a gate found, as typed data: the one source of its JSON, JUnit, Markdown and annotations."""

from typing import Literal

from reports.model import Model

GATE_SCHEMA_VERSION = 3
"""3 has absolute limits, second opinions and what neighbouring pairs have in common; a gate may have no baseline."""

Verdict = Literal["pass", "regression", "fail", "suspect", "undecided", "invalid"]
Shown = Literal["pass", "regression", "suspect", "undecided", "invalid", "told"]
ShownLimit = Literal["pass", "fail", "undecided", "invalid"]

EXIT_CODES: dict[str, int] = {"pass": 0, "regression": 1, "fail": 1, "undecided": 3, "suspect": 3, "invalid": 4}
"""By verdict."""


class SecondLook(Model):
    """What the exact signed-rank test says of a line with an outlying pair; it decides nothing."""

    verdict: Shown
    """By the gate's rules, at the level `alarm` for this line alone."""
    ratio: float
    """Candidate over baseline: of Hodges and Lehmann."""
    low: float | None
    """Interval of the ratio at 1 - alarm; None where there are too few pairs for it."""
    high: float | None


class GateLine(Model):
    """One metric of one target under one workload."""

    target: str
    workload: str
    metric: str
    unit: str
    """Of `baseline` and `candidate` as texts print them; the numbers here are ns, msg/s, µs, bytes or counts."""
    direction: Literal["lower", "higher"]
    """Which is better."""
    verdict: Shown
    """`told`: shown, and decides nothing."""
    n: int
    """Valid pairs; stored results: trials of the smaller side."""
    planned: int
    """Pairs that were planned."""
    baseline: float | None
    """Median over the trials compared; None where there is none, or where it has no bound."""
    candidate: float | None
    ratio: float | None
    """Candidate over baseline, geometric mean over pairs."""
    low: float | None
    """Interval of the ratio at level 1 - alpha."""
    high: float | None
    alpha: float | None
    """Level after Holm's correction over all lines that decide."""
    bound: float | None
    """The worst ratio that is still possible with a chance of 5 %; a line passes where it lies inside the limit."""
    limit: float
    """Largest change for the worse that passes: a share, or so many more messages a trial."""
    detectable: float | None
    """Smallest change for the worse, as a share, that was found with a chance of 95 %."""
    needed: int | None
    """Undecided only: pairs that would decide, if estimate and spread stay as they are."""
    text: str
    """The same in a sentence."""
    whole_low: float | None = None
    """Lower end of the interval of all messages' ratio, pauses of the host included; None where `ratio` is of all."""
    whole_high: float | None = None
    """Upper end of it."""
    whole_verdict: Shown | None = None
    """What all messages alone would say; where it decides otherwise, `verdict` is undecided."""
    second: SecondLook | None = None
    """The second opinion, where a pair is an outlier."""

    @property
    def disputed(self) -> bool:
        """Whether the second opinion is another than the verdict."""
        return self.second is not None and self.verdict not in ("told", self.second.verdict)


class LimitLine(Model):
    """One absolute limit of one target under one workload: what the candidate's figure must keep to."""

    target: str
    workload: str
    metric: str
    unit: str
    """Of `value` and `bound` as texts print them; the numbers here are ns, msg/s, µs, bytes or counts."""
    side: Literal["at_most", "at_least"]
    bound: float
    verdict: ShownLimit
    n: int
    """Valid trials that have the figure."""
    planned: int
    value: float | None
    """Geometric mean over trials; of a count the worst trial's. None where there is none, or where it has no bound."""
    low: float | None
    """Interval of the mean at level 1 - alpha."""
    high: float | None
    alpha: float | None
    """`alarm` over the number of limits."""
    needed: int | None
    """Undecided only: trials that would decide, if mean and spread stay as they are."""
    text: str
    """The same in a sentence."""
    whole_verdict: ShownLimit | None = None
    """What all messages alone would say, pauses of the host included; None where `value` is of all."""


class DriftOfSides(Model):
    """What neighbouring pairs have in common, over all lines."""

    lag1: float
    """Correlation of the differences of neighbouring pairs, bias taken off."""
    widening: float
    """How many times as wide intervals of all planned pairs are for it; 1 where the test finds nothing."""
    lines: int
    """Lines that were asked."""


class Gate(Model):
    """A whole gate."""

    schema_version: int = GATE_SCHEMA_VERSION
    verdict: Verdict
    exit_code: int
    """0 pass · 1 regression or fail · 3 undecided or suspect · 4 invalid."""
    sentence: str
    """The verdict in words."""
    paired: bool
    """Whether both sides were run in turn; only then a regression can be found."""
    baseline: str | None
    """Stored results: the run. Paired run: the settings that differ, with this side's values. None: nothing to compare
    with, so that limits alone were judged."""
    candidate: str
    host_classes: tuple[str, ...]
    """Of the host of each side; one where they are alike."""
    pairs: int
    """Pairs planned a target and workload."""
    alarm: float
    """Chance that two equal sides give any regression."""
    miss: float
    """Chance of passing a metric that is worse than its limit."""
    power: float
    """Chance with which a change of the size `detectable` is found."""
    noise_floor: dict[str, float]
    """Of the host, as a share, by metric as the run's record has it, or for `every metric` where it was given; empty
    where it is not known."""
    lines: tuple[GateLine, ...]
    limits: tuple[LimitLine, ...] = ()
    drift: DriftOfSides | None = None
    """Paired runs only."""
    remarks: tuple[str, ...]
    """What a reader must know beside it."""
    started_utc: str
    """When the candidate's run began."""
    results: tuple[str, ...]
    """The results folders."""

    @property
    def everything(self) -> tuple[GateLine | LimitLine, ...]:
        """Lines and limits."""
        return (*self.lines, *self.limits)
