"""Timers run when due, in order, once."""

from bench.drivers.sockets.timers import NEVER_NS, Timers


def test_due_timers_run_in_order_of_time() -> None:
    """Only what is due runs: by time, then by the order of setting."""
    timers, ran = Timers(), list[str]()
    timers.call_at(20, lambda: ran.append("second"))
    timers.call_at(10, lambda: ran.append("first"))
    timers.call_at(20, lambda: ran.append("third"))
    timers.call_at(21, lambda: ran.append("later"))
    timers.run(20)
    assert ran == ["first", "second", "third"]
    assert timers.next_due_ns == 21


def test_a_cancelled_timer_does_nothing() -> None:
    """Neither one that waits, nor one that is cancelled by another of the same run."""
    timers, ran = Timers(), list[str]()
    waiting = timers.call_at(5, lambda: ran.append("waiting"))
    waiting.cancel()
    victim = timers.call_at(7, lambda: ran.append("victim"))
    timers.call_at(6, victim.cancel)
    timers.run(10)
    assert ran == []
    assert timers.next_due_ns == NEVER_NS


def test_a_timer_set_for_now_by_a_timer_waits_for_the_next_run() -> None:
    """So a callback that sets itself again cannot keep the loop."""
    timers, ran = Timers(), list[int]()

    def again() -> None:
        ran.append(len(ran))
        timers.call_at(0, again)

    timers.call_at(0, again)
    timers.run(1)
    assert ran == [0]
    timers.run(1)
    assert ran == [0, 1]
