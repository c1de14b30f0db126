"""When a trial is warm, measured, drained and over. Pure: numbers in, decisions out.

The conductor feeds it what the board and telemetry show and carries out what it decides;
a trial on virtual time does the same within one process.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from bench.results.records import TrialOutcome
from bench.scenario.scenario import InFlightLoad, RateLoad, WarmUp, Workload
from bench.units import NS_PER_MS, NS_PER_S

_DRAIN_LIMIT = 6  # a drain that progresses may take this many times the longest wait without progress
_JUST_PASSED_NS = 100 * NS_PER_MS
_NOTICE_NS = 200 * NS_PER_MS  # in which workers learn when the measured part begins or that it goes on
_TRIFLE = 0.01  # share of its duration for which a trial does not go on by a second
_GRACE_NS = 100 * NS_PER_MS  # after the last message: time for duplicates and strays to show
REST_NS = 1_500 * NS_PER_MS
"""How long a backlog lies before consumers are let in: slow telemetry looks once a second."""
LONGEST_COUNT_NS = 3600 * NS_PER_S
"""How long a trial by count lasts at most, as no latency is longer."""
_SILENT = (
    0.1  # of the time that is a stall: silence of that length, before the last send, is no loss of single messages
)


class Phase(StrEnum):
    """Where a trial is; also the words of the timeline."""

    WARM_UP = "warm-up"
    MEASURE = "measure"
    ENQUEUE = "enqueue"
    DEQUEUE = "dequeue"
    DRAIN = "drain"
    OVER = "over"


@dataclass(frozen=True)
class Seen:
    """What the board shows at one instant.

    Attributes:
        now_ns: monotonic time.
        due, sent, settled, received: totals over workers.
        gone: messages refused or returned, which nobody will receive.
        halted: whether a worker of ours is stopped, so that silence says nothing of the broker.
        done: whether every producer has sent all it ever will.
        broker_cpu_s: CPU time of the broker's processes so far; None where unknown.
        known_ns: every pause of the host that began before this is known.
        owed: copies owed of what was sent and neither refused nor returned; by default one of each.
        copies: of a message, on average.
        counted: the same of the flow whose messages are counted; None where there is no other.
        clean_ns: time of the measured part up to then that lies in no pause; None without a pause meter.
    """

    now_ns: int
    due: int
    sent: int
    settled: int
    received: int
    done: bool
    broker_cpu_s: float | None = None
    known_ns: int = 0
    clean_ns: int | None = None
    gone: int = 0
    halted: bool = False
    owed: int | None = None
    copies: float = 1.0
    counted: "Seen | None" = None

    @property
    def awaited(self) -> int:
        """Copies of what was sent that are on their way."""
        return (self.sent - self.gone if self.owed is None else self.owed) - self.received

    @property
    def backlog(self) -> int:
        """Messages that are due and not received, counted as messages."""
        return self.due - self.sent + (self.awaited if self.copies == 1.0 else round(self.awaited / self.copies))


class WarmRule:
    """Tells when a broker is warm for a workload; see `bench.scenario.scenario.WarmUp`."""

    def __init__(self, rule: WarmUp, loaded_ns: int, start_ns: int, *, known_warm: bool) -> None:
        """Judge a trial that starts at `start_ns`.

        Args:
            rule: what the plan asks.
            loaded_ns: time under load this broker has had since its start, before this trial.
            start_ns: start of the schedule.
            known_warm: whether this target and workload were warmed on this broker before.
        """
        self._rule = rule
        self._loaded_ns = loaded_ns
        self._start_ns = start_ns
        self._known_warm = known_warm
        self._marks: list[tuple[int, int, float]] = []
        self._costs: list[float] = []
        self.too_short = False

    @property
    def latest_ns(self) -> int:
        """When the measured part may begin at the latest."""
        return self._start_ns + (self._rule.settle if self._known_warm else self._rule.at_most)

    def warm(self, seen: Seen) -> bool:
        """Return whether the measured part may begin."""
        elapsed = seen.now_ns - self._start_ns
        if self._known_warm:
            return elapsed >= self._rule.settle
        self._mark(seen)
        if elapsed >= self._rule.at_most:
            self.too_short = True
            return True
        if elapsed < self._rule.settle or elapsed + self._loaded_ns < self._rule.at_least:
            return False
        return seen.broker_cpu_s is None or self._steady()

    def _mark(self, seen: Seen) -> None:
        if seen.broker_cpu_s is None:
            return
        if not self._marks or seen.now_ns - self._marks[-1][0] >= self._rule.window:
            self._marks.append((seen.now_ns, seen.received, seen.broker_cpu_s))
            if len(self._marks) > 1:
                (_, count, cpu_s), (_, before, cpu_before_s) = self._marks[-1], self._marks[-2]
                self._costs.append((cpu_s - cpu_before_s) / max(count - before, 1))

    def _steady(self) -> bool:
        if len(self._costs) < 2:  # noqa: PLR2004  (a change takes two windows)
            return False
        before, last = self._costs[-2:]
        return abs(last - before) <= self._rule.tolerance * max(before, 1e-12)


class Control:
    """The course of one trial."""

    def __init__(
        self,
        workload: Workload,
        rule: WarmRule,
        start_ns: int,
        drain_ns: int,
        *,
        confirms: bool,
        extend: float = 1.0,
    ) -> None:
        """Begin in the warm-up.

        Args:
            workload: duration and bounds.
            rule: when warm-up ends.
            start_ns: start of the schedule.
            drain_ns: longest wait without progress after the last send.
            confirms: whether every message sent is settled by the broker.
            extend: how many times its duration a trial may last, to have that much of clean time.
        """
        self._workload = workload
        self._longest_s = int(extend * (workload.duration // NS_PER_S))
        self._rule = rule
        self.start_ns = start_ns
        self._drain_ns = drain_ns
        self._confirms = confirms
        self._profiled = isinstance(workload.load, RateLoad) and workload.load.profile is not None
        self._progress = (start_ns, -1, -1)
        self._settling = (start_ns, -1)
        self._whole_ns: int | None = None
        self._drain_from_ns = start_ns
        self._silent = False
        self.phase = Phase.WARM_UP
        self.outcome = TrialOutcome.COMPLETED
        self.reason = ""
        self.drained = False
        self.warmed = False
        self.end_ns: int | None = None
        self.measure_from_s = 0
        self.measure_to_s = 0
        self.released_ns: int | None = None

    @property
    def measured_ns(self) -> int | None:
        """When the measured part began or will begin; None where that was never decided."""
        return self.start_ns + self.measure_from_s * NS_PER_S if self.warmed else None

    def left_ns(self, now_ns: int) -> int | None:
        """Return how long the phase still takes, a warm-up at most; None where nobody knows."""
        if self.phase is Phase.WARM_UP:
            return max(0, self._rule.latest_ns - now_ns)
        return max(0, self.end_ns - now_ns) if self.phase is Phase.MEASURE and self.end_ns is not None else None

    def ends_soon(self, now_ns: int) -> bool:
        """Return whether it must be decided now if the measured part goes on; a profile has its own length."""
        return not self._profiled and self.end_ns is not None and 0 < self.end_ns - now_ns <= _NOTICE_NS

    def step(self, seen: Seen) -> Phase:
        """Take what is seen; return the phase from now on."""
        self._note_progress(seen)
        if self.phase is Phase.WARM_UP and self._rule.warm(seen):
            # The cut lies on a whole second, as latency is kept by the second of intended time; one
            # that has just passed will do, as all that was sent since is on record. A profile begins there,
            # so that it must lie ahead.
            elapsed_ns = seen.now_ns - self.start_ns
            elapsed_ns += _NOTICE_NS if self._profiled else -_JUST_PASSED_NS
            self.measure_from_s = math.ceil(max(0, elapsed_ns) / NS_PER_S)
            self.measure_to_s = self.measure_from_s + self._workload.duration // NS_PER_S
            self.end_ns = self.start_ns + self.measure_to_s * NS_PER_S
            self.phase = Phase.MEASURE
            self.warmed = True
        if self.phase in (Phase.WARM_UP, Phase.MEASURE):
            self._watch(seen)
            self._make_up(seen)
            if self.end_ns is not None and seen.now_ns >= self.end_ns:
                self._begin_drain(seen)
        if self.phase is Phase.DRAIN:
            self._drain(seen)
        return self.phase

    def _make_up(self, seen: Seen) -> None:
        """Go on for as many seconds as the host was away: decided by its pauses alone, never by latencies.

        It is decided a moment before the end, so that workers go on without a gap.
        """
        if self.end_ns is None or seen.clean_ns is None or not self.ends_soon(seen.now_ns):
            return
        missing_ns = self._workload.duration - seen.clean_ns - (self.end_ns - seen.known_ns)
        if missing_ns <= _TRIFLE * self._workload.duration:
            return
        whole_s = min(self.measure_to_s + math.ceil(missing_ns / NS_PER_S), self.measure_from_s + self._longest_s)
        if whole_s > self.measure_to_s:
            self.measure_to_s = whole_s
            self.end_ns = self.start_ns + whole_s * NS_PER_S

    def _note_progress(self, seen: Seen) -> None:
        """Note when something was received or settled last; while nothing is outstanding there is nothing to wait for.

        A closed loop is never without work: where nothing is on its way, it may not send.
        """
        _, received, settled = self._progress
        idle = seen.due <= seen.sent and seen.awaited <= 0 and not isinstance(self._workload.load, InFlightLoad)
        if idle or (seen.received, seen.settled) != (received, settled):
            self._progress = (seen.now_ns, seen.received, seen.settled)
        # A broker may deliver, and confirm nothing more.
        if not self._confirms or seen.settled >= seen.sent or seen.settled != self._settling[1]:
            self._settling = (seen.now_ns, seen.settled)

    @property
    def _stall_ns(self) -> int:
        """The time without progress that is a stall; where messages come seldom, that of two messages at least."""
        load = self._workload.load
        rates = [self._workload.consumer_rate, load.rate if isinstance(load, RateLoad) else None]
        return max([load.stall_after, *(round(2 * NS_PER_S / rate) for rate in rates if rate)])

    def _watch(self, seen: Seen) -> None:
        load = self._workload.load
        if seen.halted:
            return
        if self._idle_ns(seen) >= self._stall_ns:
            self._stalled(seen)
        elif isinstance(load, InFlightLoad):
            return
        elif self._is_silent(seen):
            return  # at high rates a backlog is large long before the silence of its broker is called a stall
        elif seen.backlog > load.max_backlog:
            reason = f"{seen.backlog} messages were due and not received, more than max_backlog = {load.max_backlog}"
            self._shorten(TrialOutcome.OVERLOADED, reason, seen.now_ns)

    def _stalled(self, seen: Seen) -> None:
        idle_s = self._idle_ns(seen) / NS_PER_S
        if self._progress[0] - self._settling[0] > self._stall_ns / 2:
            reason = f"nothing was confirmed for {idle_s:.1f} s while {seen.sent - seen.settled} waited for that"
        else:
            held = seen.awaited
            reason = f"nothing was received or confirmed for {idle_s:.1f} s while {held} were on their way"
        self._shorten(TrialOutcome.STALLED, reason, seen.now_ns)

    def cut(self, outcome: TrialOutcome, reason: str, now_ns: int) -> None:
        """End the trial now, for a reason from outside; the measured part ends with the last whole second."""
        self._shorten(outcome, reason, now_ns)
        self.phase = Phase.OVER

    def _shorten(self, outcome: TrialOutcome, reason: str, now_ns: int) -> None:
        self.outcome, self.reason = outcome, reason
        self.end_ns = now_ns if self.end_ns is None else min(self.end_ns, now_ns)
        whole_s = max(0, now_ns - self.start_ns) // NS_PER_S
        if self.phase is Phase.WARM_UP:
            self.measure_from_s = self.measure_to_s = whole_s
        else:
            self.measure_to_s = max(self.measure_from_s, min(self.measure_to_s, whole_s))

    def _begin_drain(self, seen: Seen) -> None:
        """Await what is outstanding: anew, but for a broker that had fallen silent before the last send."""
        self.phase = Phase.DRAIN
        self._drain_from_ns = seen.now_ns
        self._silent = self.outcome is TrialOutcome.COMPLETED and self._is_silent(seen)
        if not self._silent:
            self._progress = (seen.now_ns, seen.received, seen.settled)
            self._settling = (seen.now_ns, seen.settled)

    def _is_silent(self, seen: Seen) -> bool:
        return self._idle_ns(seen) >= _SILENT * self._stall_ns

    def _idle_ns(self, seen: Seen) -> int:
        return 0 if seen.halted else seen.now_ns - min(self._progress[0], self._settling[0])

    def _drain(self, seen: Seen) -> None:
        settled = not self._confirms or seen.settled >= seen.sent
        if seen.done and settled and seen.awaited <= 0:
            self._whole_ns = self._whole_ns or seen.now_ns
            if seen.now_ns - self._whole_ns >= _GRACE_NS:
                self.drained = True
                self.phase = Phase.OVER
            return
        self._silent = self._silent and seen.now_ns - self._idle_ns(seen) < self._drain_from_ns
        if self._silent:  # a drain may be shorter than what is called a stall
            if self._idle_ns(seen) >= self._stall_ns:
                self._stalled(seen)
                self.phase = Phase.OVER
            return
        # What was silent for that long before is not awaited once more.
        patience_ns = min(self._drain_ns, NS_PER_S) if self.outcome is TrialOutcome.STALLED else self._drain_ns
        if self._idle_ns(seen) >= patience_ns or seen.now_ns - self._drain_from_ns >= _DRAIN_LIMIT * self._drain_ns:
            self.phase = Phase.OVER


class CountedControl(Control):
    """The course of a trial by count: all of it is measured, and it ends when every copy owed is received.

    There is no warm-up in it: the same work is done before, unmeasured. Latency is kept by the second, so that
    the measured part ends with a whole one, of which the last may lie idle.

    Attributes:
        released_ns: when held consumers were let in; None before.
    """

    def __init__(self, flow: Workload, rule: WarmRule, start_ns: int, drain_ns: int) -> None:
        """Begin with the first send.

        Args:
            flow: whose messages are counted.
            rule: whose warm-up is over.
            start_ns: start of the schedule.
            drain_ns: longest wait without progress after the last send.
        """
        super().__init__(flow, rule, start_ns, drain_ns, confirms=flow.confirm_window > 0)
        self.phase = Phase.ENQUEUE if flow.fills else Phase.MEASURE
        self.warmed = True
        self._noted = (start_ns, (0, 0, 0))
        self._filled_ns: int | None = None

    def step(self, seen: Seen) -> Phase:
        """Take what is seen; return the phase from now on."""
        if self.phase is Phase.DRAIN:
            self._note_progress(seen)
            self._drain(seen)
            return self.phase
        one = seen.counted or seen
        shown = one.sent, one.settled, one.received
        if one.halted or shown != self._noted[1]:
            self._noted = seen.now_ns, shown
        confirmed = one.done and (not self._confirms or one.settled >= one.sent)
        if self.phase is Phase.ENQUEUE:
            self._fill(seen, confirmed=confirmed)
        elif confirmed and one.awaited <= 0:
            self._conclude(seen)
        if self.end_ns is None:
            self._look_at_silence(seen, one)
        return self.phase

    def _fill(self, seen: Seen, *, confirmed: bool) -> None:
        """Let consumers in a moment after the last confirm: what the backlog takes of the broker is read meanwhile."""
        if not confirmed:
            return
        self._noted = seen.now_ns, self._noted[1]
        if self._workload.phases == "enqueue":
            self._conclude(seen)
            return
        self._filled_ns = self._filled_ns or seen.now_ns
        if seen.now_ns - self._filled_ns >= REST_NS:
            self.released_ns = seen.now_ns
            self.phase = Phase.DEQUEUE

    def _look_at_silence(self, seen: Seen, one: Seen) -> None:
        """End the trial where nothing moves: until the last send that is a stall; later, the drain has ended."""
        idle_ns = seen.now_ns - self._noted[0]
        if one.done and self.phase is not Phase.ENQUEUE:
            if idle_ns >= self._drain_ns:
                self._conclude(seen)
        elif idle_ns >= self._stall_ns:
            waited = one.sent - one.settled
            reason = f"nothing was sent or confirmed for {idle_ns / NS_PER_S:.1f} s while {waited} waited for a confirm"
            if self.phase is not Phase.ENQUEUE:
                reason = f"nothing moved for {idle_ns / NS_PER_S:.1f} s while {one.awaited} were on their way"
            reason += f", after {one.sent} of {self._workload.messages} messages"
            self._shorten(TrialOutcome.STALLED, reason, seen.now_ns)
            self._begin_drain(seen)
        if seen.now_ns - self.start_ns >= LONGEST_COUNT_NS:
            reason = (
                f"after {LONGEST_COUNT_NS // NS_PER_S} s, the longest that a trial by count lasts, {one.sent} of"
                f" {self._workload.messages} messages were sent and {one.received} received"
            )
            self.cut(TrialOutcome.STALLED, reason, seen.now_ns)

    def _conclude(self, seen: Seen) -> None:
        """End the schedule of what runs beside, and await it."""
        self.end_ns = seen.now_ns
        self.measure_to_s = math.ceil((seen.now_ns - self.start_ns) / NS_PER_S)
        self._progress = seen.now_ns, seen.received, seen.settled
        self._settling = seen.now_ns, seen.settled
        self._begin_drain(seen)

    def _shorten(self, outcome: TrialOutcome, reason: str, now_ns: int) -> None:
        self.outcome, self.reason = outcome, reason
        self.end_ns = now_ns if self.end_ns is None else min(self.end_ns, now_ns)
        self.measure_to_s = math.ceil(max(0, self.end_ns - self.start_ns) / NS_PER_S)

    def _drain(self, seen: Seen) -> None:
        super()._drain(seen)
        if self.phase is Phase.OVER and seen.now_ns < self.start_ns + self.measure_to_s * NS_PER_S:
            self.phase = Phase.DRAIN
