"""The course of a trial, step by step, on made-up boards."""

from dataclasses import replace

import pytest

from bench.results.records import TrialOutcome
from bench.run.phases import LONGEST_COUNT_NS, Control, CountedControl, Phase, Seen, WarmRule
from bench.scenario.scenario import WarmUp, Workload
from bench.units import NS_PER_MS, NS_PER_S

START = 10 * NS_PER_S
RULE = WarmUp.model_validate({"at_least": "3s", "at_most": "20s", "window": "1s", "settle": "1s"})


def seen(at_s: float, *, sent: int = 0, received: int = 0, due: int = 0, **more: object) -> Seen:
    """Return a board `at_s` seconds after the start; everything sent is settled."""
    return Seen(
        now_ns=START + round(at_s * NS_PER_S),
        due=max(due, sent),
        sent=sent,
        settled=int(str(more.get("settled", sent))),
        received=received,
        done=bool(more.get("done", False)),
        broker_cpu_s=more.get("cpu"),  # type: ignore[arg-type]
    )


def control(load: dict[str, object], *, known_warm: bool = True, confirms: bool = True) -> Control:
    """Return the control of a 2 s trial with a drain of 1 s."""
    work = Workload.model_validate({"name": "w", "load": load, "duration": "2s"})
    return Control(work, WarmRule(RULE, 0, START, known_warm=known_warm), START, NS_PER_S, confirms=confirms)


RATE = {"kind": "rate", "rate": 100, "max_backlog": 50}


def test_a_plain_trial() -> None:
    """Settle, measure two whole seconds from the next one on, drain, and a grace for stragglers."""
    trial = control(RATE)
    assert trial.step(seen(0.5)) is Phase.WARM_UP
    assert trial.step(seen(1.3, sent=130, received=130)) is Phase.MEASURE
    assert (trial.measure_from_s, trial.measure_to_s) == (2, 4)
    assert trial.end_ns == START + 4 * NS_PER_S
    assert trial.step(seen(4.0, sent=400, received=399)) is Phase.DRAIN
    assert trial.step(seen(4.1, sent=400, received=400, done=True)) is Phase.DRAIN
    assert trial.step(seen(4.3, sent=400, received=400, done=True)) is Phase.OVER
    assert (trial.outcome, trial.drained) == (TrialOutcome.COMPLETED, True)


def test_what_was_refused_is_not_awaited() -> None:
    """Refused is an end: the drain is over as soon as all the others have come."""
    trial = control(RATE)
    trial.step(seen(1.0))
    trial.step(seen(3.0, sent=300, received=200))
    for at_s in (3.1, 3.4):
        trial.step(replace(seen(at_s, sent=300, received=240, done=True), gone=60))
    assert (trial.phase, trial.drained) == (Phase.OVER, True)


def test_a_drain_without_progress_ends() -> None:
    """Messages that never come end the drain a second after the last progress, not drained."""
    trial = control(RATE)
    trial.step(seen(1.0))
    trial.step(seen(3.0, sent=300, received=290))
    assert trial.step(seen(3.5, sent=300, received=295, done=True)) is Phase.DRAIN
    assert trial.step(seen(4.4, sent=300, received=295, done=True)) is Phase.DRAIN
    assert trial.step(seen(4.6, sent=300, received=295, done=True)) is Phase.OVER
    assert (trial.outcome, trial.drained) == (TrialOutcome.COMPLETED, False)


def test_a_drain_that_crawls_is_cut() -> None:
    """Progress keeps a drain alive for six times its limit, no longer."""
    trial = control(RATE)
    trial.step(seen(1.0))
    at, received = 3.0, 0
    while trial.step(seen(at, sent=1000, received=received)) is not Phase.OVER:
        at, received = at + 0.5, received + 1
    assert at == pytest.approx(9.0)


def test_unconfirmed_messages_keep_the_drain_open() -> None:
    """Where confirms were asked for, all received is not enough."""
    for confirms, phase in ((True, Phase.DRAIN), (False, Phase.OVER)):
        trial = control(RATE, confirms=confirms)
        trial.step(seen(1.0))
        for at in (3.0, 3.2, 3.4):
            last = trial.step(seen(at, sent=300, received=300, settled=299, done=True))
        assert last is phase


def test_too_much_backlog_is_overload() -> None:
    """More messages due and not received than max_backlog end the trial; whole seconds are kept."""
    trial = control(RATE)
    trial.step(seen(1.0))
    assert trial.step(seen(2.6, due=260, sent=220, received=205)) is Phase.DRAIN
    assert trial.outcome is TrialOutcome.OVERLOADED
    assert "55 messages" in trial.reason
    assert (trial.measure_from_s, trial.measure_to_s) == (1, 2)
    assert trial.end_ns == START + 2600 * NS_PER_MS


def test_a_token_that_never_returns_is_a_stall() -> None:
    """A closed loop in which nothing arrives for stall_after ends as stalled."""
    trial = control({"kind": "in_flight", "in_flight": [4], "stall_after": "500ms"})
    trial.step(seen(0.9, sent=10, received=6))
    assert trial.step(seen(1.3, sent=10, received=6)) is Phase.MEASURE
    assert trial.step(seen(1.5, sent=10, received=6)) is Phase.DRAIN
    assert trial.outcome is TrialOutcome.STALLED
    assert "4 were on their way" in trial.reason


def test_a_broker_that_answers_no_more_is_a_stall_and_no_overload() -> None:
    """An open loop: nothing received or confirmed for stall_after, with work outstanding."""
    trial = control(RATE | {"stall_after": "500ms", "max_backlog": 10_000})
    trial.step(seen(0.9, sent=90, received=90))
    for at_s in (1.2, 1.39):
        assert trial.step(seen(at_s, sent=round(100 * at_s), received=100, settled=100)) is Phase.MEASURE
    assert trial.step(seen(1.75, sent=175, received=100, settled=100)) is Phase.DRAIN
    assert trial.outcome is TrialOutcome.STALLED
    assert "nothing was received or confirmed for 0.6 s while 75 were on their way" in trial.reason


def test_a_broker_that_falls_silent_before_the_drain_is_a_stall() -> None:
    """The silence is one, whatever part of it lies in the drain, and a drain that is shorter does not end it."""
    trial = control(RATE | {"max_backlog": 10_000})
    trial.step(seen(1.0))
    trial.step(seen(2.0, sent=200, received=200))
    for at_s in (2.9, 3.0):
        trial.step(seen(at_s, sent=round(100 * at_s), received=200, settled=200))
    assert trial.phase is Phase.DRAIN
    assert trial.step(seen(6.9, sent=300, received=200, settled=200, done=True)) is Phase.DRAIN
    assert trial.step(seen(7.0, sent=300, received=200, settled=200, done=True)) is Phase.OVER
    assert (trial.outcome, trial.measure_to_s) == (TrialOutcome.STALLED, 3)
    assert "for 5.0 s while 100 were on their way" in trial.reason


def test_a_broker_that_speaks_again_in_the_drain_is_no_stall() -> None:
    """One message ends the silence; what is missing then is awaited as ever."""
    trial = control(RATE | {"max_backlog": 10_000})
    trial.step(seen(1.0))
    trial.step(seen(2.0, sent=200, received=200))
    trial.step(seen(3.0, sent=300, received=200))
    assert trial.step(seen(6.5, sent=300, received=299, done=True)) is Phase.DRAIN
    assert trial.step(seen(7.4, sent=300, received=299, done=True)) is Phase.DRAIN
    assert trial.step(seen(7.6, sent=300, received=299, done=True)) is Phase.OVER
    assert (trial.outcome, trial.drained) == (TrialOutcome.COMPLETED, False)


def test_silence_of_a_worker_that_is_stopped_is_not_the_brokers() -> None:
    """Who stopped it is found out by its signs of life."""
    trial = control(RATE | {"max_backlog": 10_000})
    trial.step(seen(1.0))
    trial.step(seen(2.0, sent=200, received=200))
    trial.step(replace(seen(2.9, sent=290, received=200), halted=True))
    trial.step(replace(seen(8.0, sent=300, received=200), halted=True))
    assert trial.outcome is TrialOutcome.COMPLETED


def test_a_backlog_of_a_silent_broker_is_no_overload() -> None:
    """At 50,000 msg/s it is past `max_backlog` long before its silence is a stall."""
    trial = control({"kind": "rate", "rate": 50_000, "max_backlog": 100_000})
    trial.step(seen(1.0, sent=50_000, received=50_000))
    for at_s in (1.5, 2.5, 3.0):
        trial.step(seen(at_s, sent=round(50_000 * at_s), received=50_000, settled=50_000))
    assert trial.outcome is TrialOutcome.COMPLETED
    trial.step(seen(6.1, sent=150_000, received=50_000, settled=50_000, done=True))
    assert trial.outcome is TrialOutcome.STALLED


def test_a_broker_that_delivers_and_confirms_no_more_is_a_stall() -> None:
    """Though there is room for more in the window, and nothing is on its way to a consumer."""
    trial = control({"kind": "rate", "rate": 10, "stall_after": "2s"})
    trial.step(seen(0.5))
    for at_s in (1.0, 1.5, 2.0, 2.9):
        trial.step(seen(at_s, sent=round(10 * at_s), received=round(10 * at_s), settled=10))
    assert trial.outcome is TrialOutcome.COMPLETED
    trial.step(seen(3.0, sent=30, received=30, settled=10))
    assert trial.outcome is TrialOutcome.STALLED
    assert trial.reason == "nothing was confirmed for 2.0 s while 20 waited for that"


def test_a_seldom_message_is_no_stall() -> None:
    """Nothing is outstanding for longer than stall_after; then one message, answered at once."""
    trial = control({"kind": "rate", "rate": 0.5, "stall_after": "500ms"})
    for at_s in (1.0, 1.2, 1.9):
        trial.step(seen(at_s))
    trial.step(seen(2.0, due=1, sent=1, settled=0))
    assert trial.step(seen(2.1, sent=1, received=1)) is Phase.MEASURE
    assert trial.outcome is TrialOutcome.COMPLETED


def test_a_closed_loop_that_may_not_send_is_a_stall_too() -> None:
    """Nothing on its way and nothing arriving, as when the broker blocks the producer."""
    trial = control({"kind": "in_flight", "in_flight": [4], "stall_after": "500ms"})
    trial.step(seen(0.1))
    assert trial.step(seen(0.7)) is Phase.DRAIN
    assert (trial.outcome, trial.warmed) == (TrialOutcome.STALLED, False)


def test_a_cut_in_the_drain_does_not_prolong_the_schedule() -> None:
    """What ends after the schedule leaves its end where it was: nothing more was due."""
    trial = control(RATE)
    trial.step(seen(1.0))
    trial.step(seen(3.0, sent=300, received=290))
    trial.cut(TrialOutcome.DISCONNECTED, "gone", START + 9 * NS_PER_S)
    assert trial.end_ns == START + 3 * NS_PER_S
    assert (trial.measure_from_s, trial.measure_to_s) == (1, 3)


def test_cutting_keeps_whole_seconds() -> None:
    """A trial cut from outside is over at once, with the whole seconds it had."""
    trial = control(RATE)
    trial.step(seen(1.0))
    trial.cut(TrialOutcome.BROKER_FAILED, "gone", START + 2500 * NS_PER_MS)
    assert (trial.phase, trial.outcome, trial.reason) == (Phase.OVER, TrialOutcome.BROKER_FAILED, "gone")
    assert (trial.measure_from_s, trial.measure_to_s) == (1, 2)


def warm_at(costs: list[float], *, loaded_s: float = 0) -> tuple[float, bool]:
    """Return when a broker that costs this much CPU a message, second by second, counts as warm."""
    rule = WarmRule(RULE, round(loaded_s * NS_PER_S), START, known_warm=False)
    cpu, at = 0.0, 0
    while not rule.warm(seen(at, sent=at * 100, received=at * 100, cpu=cpu)):
        cpu += 100 * costs[min(at, len(costs) - 1)]
        at += 1
    return at, rule.too_short


def test_warm_when_cost_a_message_is_steady() -> None:
    """Two windows in a row that differ by less than 5 %, and not before the least time under load."""
    assert warm_at([10, 10, 10]) == (3, False)
    assert warm_at([50, 40, 30, 20, 10, 10, 10]) == (6, False)
    assert warm_at([10, 10, 10], loaded_s=60) == (2, False)


def test_a_broker_that_never_steadies_is_measured_anyway_and_said() -> None:
    """At most 20 s: then the trial goes on, marked as too short a warm-up."""
    assert warm_at([float(1 + n % 2) for n in range(30)]) == (20, True)


def test_an_unseen_broker_is_warm_by_time_alone() -> None:
    """Where CPU time cannot be read, the least time under load decides."""
    rule = WarmRule(RULE, 0, START, known_warm=False)
    assert not rule.warm(seen(2.9))
    assert rule.warm(seen(3.0))


def _metered(at_s: float, clean_s: float | None) -> Seen:
    """Return a board with all pauses known up to now, of which so much of the measured part was clean."""
    clean_ns = None if clean_s is None else round(clean_s * NS_PER_S)
    return replace(seen(at_s, sent=50), known_ns=START + round(at_s * NS_PER_S), clean_ns=clean_ns)


def test_time_in_which_the_host_was_away_is_made_up_for() -> None:
    """Just before the end the trial goes on by whole seconds, at most to the limit; nothing is decided earlier."""
    work = Workload.model_validate({"name": "w", "load": RATE, "duration": "2s"})
    rule = WarmRule(RULE, 0, START, known_warm=True)
    trial = Control(work, rule, START, NS_PER_S, confirms=True, extend=2.0)
    trial.step(seen(1.0))
    assert (trial.measure_from_s, trial.measure_to_s) == (1, 3)
    trial.step(_metered(2.0, 0.5))
    assert trial.measure_to_s == 3
    trial.step(_metered(2.9, 1.2))
    assert trial.measure_to_s == 4
    trial.step(_metered(3.9, 1.1))
    assert trial.measure_to_s == 5
    trial.step(_metered(4.9, 1.1))
    assert trial.measure_to_s == 5  # twice its duration
    assert trial.end_ns == START + 5 * NS_PER_S


def test_a_trifle_is_not_made_up_for() -> None:
    """Below a hundredth of the duration, or without a meter, a trial ends when it should."""
    for clean_s in (1.9 - 0.015, None):
        work = Workload.model_validate({"name": "w", "load": RATE, "duration": "2s"})
        trial = Control(work, WarmRule(RULE, 0, START, known_warm=True), START, NS_PER_S, confirms=True, extend=2.0)
        trial.step(seen(1.0))
        trial.step(_metered(2.9, clean_s))
        assert trial.measure_to_s == 3


def test_how_long_a_phase_still_takes() -> None:
    """A warm-up at most as long as it may last, the measured part until its end; a drain has no known end."""
    cold, warm = control(RATE, known_warm=False), control(RATE)
    assert cold.left_ns(START + 3 * NS_PER_S) == 17 * NS_PER_S
    assert warm.left_ns(START) == NS_PER_S
    assert warm.left_ns(START + 2 * NS_PER_S) == 0
    assert warm.step(seen(1.05)) is Phase.MEASURE
    assert warm.left_ns(START + 2 * NS_PER_S) == NS_PER_S
    assert warm.step(seen(3.0, sent=200, received=100)) is Phase.DRAIN
    assert warm.left_ns(START + 4 * NS_PER_S) is None


def by_count(way: str, messages: int = 100) -> CountedControl:
    """Return the control of a trial of so many messages, with a drain of 1 s and stalls of 5 s."""
    load = {"kind": "in_flight", "in_flight": 10}
    work = Workload.model_validate(
        {"name": "w", "load": load, "messages": messages, "phases": way, "consumers": int(way != "enqueue")}
    )
    return CountedControl(work, WarmRule(RULE, 0, START, known_warm=True), START, NS_PER_S)


def test_a_trial_by_count_fills_rests_and_drains() -> None:
    """Consumers are let in when all is confirmed and has lain; the measured part is whole seconds from the start."""
    trial = by_count("enqueue-dequeue")
    assert (trial.phase, trial.measured_ns) == (Phase.ENQUEUE, START)
    assert trial.step(seen(0.5, sent=100, settled=99, done=True)) is Phase.ENQUEUE
    assert trial.step(seen(0.6, sent=100, done=True)) is Phase.ENQUEUE
    assert trial.step(seen(2.0, sent=100, done=True)) is Phase.ENQUEUE
    assert trial.released_ns is None
    assert trial.step(seen(2.1, sent=100, done=True)) is Phase.DEQUEUE
    assert trial.released_ns == START + round(2.1 * NS_PER_S)
    assert trial.step(seen(2.5, sent=100, received=99, done=True)) is Phase.DEQUEUE
    assert trial.step(seen(2.6, sent=100, received=100, done=True)) is Phase.DRAIN
    assert trial.step(seen(2.8, sent=100, received=100, done=True)) is Phase.DRAIN, "its last second is not over"
    assert trial.step(seen(3.0, sent=100, received=100, done=True)) is Phase.OVER
    assert (trial.measure_from_s, trial.measure_to_s, trial.drained) == (0, 3, True)


def test_a_trial_by_count_awaits_what_runs_beside() -> None:
    """Its own messages end it; what others sent until then is drained."""
    trial = by_count("both")
    own = seen(0.5, sent=100, received=100, done=True)
    assert trial.step(replace(seen(0.5, sent=150, received=140), counted=own)) is Phase.DRAIN
    assert trial.end_ns == START + NS_PER_S // 2
    assert trial.step(replace(seen(1.2, sent=152, received=151, done=True), counted=own)) is Phase.DRAIN
    trial.step(replace(seen(1.3, sent=152, received=152, done=True), counted=own))
    assert trial.step(replace(seen(1.5, sent=152, received=152, done=True), counted=own)) is Phase.OVER


def test_a_trial_by_count_without_consumers_ends_with_the_last_confirm() -> None:
    """Nobody will receive anything."""
    trial = by_count("enqueue")
    filled = replace(seen(0.9, sent=100, done=True), owed=0)
    for at_s in (0.9, 0.92):
        assert trial.step(replace(filled, now_ns=START + round(at_s * NS_PER_S))) is Phase.DRAIN
    assert trial.step(replace(filled, now_ns=START + 2 * NS_PER_S)) is Phase.OVER
    assert trial.drained


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("enqueue-dequeue", "nothing was sent or confirmed for 5.0 s while 10 waited for a confirm"),
        ("both", "nothing moved for 5.0 s while 20 were on their way"),
    ],
)
def test_a_broker_that_holds_a_count_up_has_stalled(way: str, reason: str) -> None:
    """In words of what was waited for."""
    trial = by_count(way)
    for at_s in (1.0, 5.9, 6.0):
        trial.step(seen(at_s, sent=20, settled=10))
    assert trial.outcome is TrialOutcome.STALLED
    assert trial.reason == f"{reason}, after 20 of 100 messages"


def test_no_trial_by_count_is_for_ever() -> None:
    """A broker that is but slow is cut off, with how far it came."""
    trial = by_count("both", messages=10**6)
    for number in range(LONGEST_COUNT_NS // NS_PER_S + 1):
        trial.step(seen(float(number), sent=number, received=number))
    assert (trial.phase, trial.outcome) == (Phase.OVER, TrialOutcome.STALLED)
    assert "3600 of 1000000 messages were sent" in trial.reason


def test_a_halted_worker_is_no_silence_of_the_broker() -> None:
    """Our own worker is stopped: the clock of a stall begins anew."""
    trial = by_count("both")
    trial.step(seen(1.0, sent=20, settled=10))
    trial.step(replace(seen(5.0, sent=20, settled=10), halted=True))
    assert trial.step(seen(9.0, sent=20, settled=10)) is Phase.MEASURE
