"""Verdicts on the measurement (health) and on the broker (findings), kept apart. Pure.

Health asks whether the number can be trusted; a hard verdict makes the trial invalid.
Findings are what the broker did; they stay in the data and never invalidate a trial,
since throwing away a bad broker's trials would flatter it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.record.histogram import decode
from bench.results import NO_RESULT, Ledger, Note, Outcome
from bench.run.merge import Merged
from bench.units import NS_PER_MS

CLIENT_BOUND = 0.85
CEILING_SHARE = 0.5
"""From here on a driver's own limit is near, see `bench.ceiling`. Ceilings are measured with small bodies
over plain TCP, so they are upper bounds for larger ones and for TLS: a trial above this share is bounded
for certain, while one below it is not thereby free."""
_SATURATED = 0.99
_SLIP_SHARE = 0.10
_FEW_CPUS = 4
_STARVED = 100
"""Times that credit for one message is no accident any more."""


@dataclass(frozen=True)
class Circumstances:
    """What is judged beside the merged numbers.

    Attributes:
        merged: the trial's numbers.
        outcome: how it ended.
        drained: whether every message sent was received.
        measured_s: length of the measured part.
        open_loop: whether messages were due by a schedule.
        client_cores: share of a core that the busiest worker used; None where unknown.
        workers: pairs of a producing and a consuming worker.
        ceiling: msg/s that such a pair of this driver does at most; None where unknown.
        warm_up_short: whether the broker did not count as warm when measuring began.
        host_cpus: CPUs of this host.
        shared_cpus: whether broker and clients run on the same CPUs.
        steal_share: share of CPU time the hypervisor took in the measured part.
    """

    merged: Merged
    outcome: Outcome
    drained: bool
    measured_s: int
    open_loop: bool
    client_cores: float | None
    workers: int
    ceiling: float | None
    warm_up_short: bool
    host_cpus: int
    shared_cpus: bool
    steal_share: float | None


def health(seen: Circumstances) -> tuple[Note, ...]:
    """Return what speaks against the measurement."""
    return (*_accounting(seen), *_client(seen), *_host(seen))


def findings(seen: Circumstances, reason: str) -> tuple[Note, ...]:
    """Return what the broker did wrong."""
    return tuple(_findings(seen, reason))


def _accounting(seen: Circumstances) -> Iterator[Note]:
    ledger, little = seen.merged.ledger, seen.merged.little
    if not ledger.balanced:
        yield Note(
            code="ledger-unbalanced",
            hard=True,
            text=f"The ledger does not add up ({ledger}): our own counting is wrong; please report it.",
        )
    if ledger.foreign:
        yield Note(
            code="foreign-messages",
            hard=True,
            text=f"{ledger.foreign} messages were not ours: something else uses these queues; keep it away.",
        )
    if little is not None and not little.holds:
        yield Note(
            code="little",
            hard=True,
            text=(
                f"Little's law fails: backlog integral {little.backlog_integral_s:.4f} s against"
                f" {little.response_sum_s:.4f} s of responses; our own counting is wrong; please report it."
            ),
        )
    negative = sum(record.negative for record in seen.merged.measured.values())
    outside = sum(record.out_of_range for record in seen.merged.measured.values())
    if negative or outside:
        yield Note(
            code="clock",
            hard=bool(negative),
            text=(
                f"{negative} latencies were negative and {outside} longer than an hour:"
                " check that producers and consumers share one clock."
            ),
        )


def _client(seen: Circumstances) -> Iterator[Note]:
    signs = "; ".join(_client_bound(seen))
    if signs:
        yield Note(
            code="client-bound",
            hard=False,
            text=f"{signs}: the figures are a lower bound for the broker; use more workers or a compiled driver.",
        )
    slip, response = seen.merged.measured.get("slip"), seen.merged.measured.get("response")
    if slip is None or response is None or not slip.count or not response.count:
        return
    slip_ns = decode(slip.histogram).get_value_at_percentile(99)
    response_ns = decode(response.histogram).get_value_at_percentile(99)
    if slip_ns > _SLIP_SHARE * response_ns:
        yield Note(
            code="tool-slip",
            hard=slip_ns > NS_PER_MS,
            text=(
                f"p99 of our own lateness is {slip_ns / NS_PER_MS:.2f} ms beside a p99 response of"
                f" {response_ns / NS_PER_MS:.2f} ms: free the host of other work, or lower the rate."
            ),
        )


def _client_bound(seen: Circumstances) -> Iterator[str]:
    if seen.client_cores is not None and seen.client_cores >= CLIENT_BOUND:
        yield f"The busiest worker used {seen.client_cores:.0%} of a core"
    rate = seen.merged.achieved_rate / seen.workers
    if seen.ceiling is not None and rate > CEILING_SHARE * seen.ceiling:
        yield (
            f"Each pair of workers moved {rate:,.0f} msg/s, and this driver does at most {seen.ceiling:,.0f} msg/s"
            " on this host without a broker (bench doctor --ceiling)"
        )


def _host(seen: Circumstances) -> Iterator[Note]:
    if seen.warm_up_short:
        yield Note(
            code="warm-up-short",
            hard=False,
            text="The broker's CPU time a message still moved when measuring began: raise plan.warm_up.at_most.",
        )
    if seen.shared_cpus:
        few = f", and the host has only {seen.host_cpus}" if seen.host_cpus < _FEW_CPUS else ""
        yield Note(
            code="shared-cores",
            hard=False,
            text=f"Broker and clients share CPUs{few}: a driver's CPU use costs its broker; compare like drivers.",
        )
    if seen.steal_share is not None and seen.steal_share > 0.01:  # noqa: PLR2004  (1 %)
        yield Note(
            code="steal",
            hard=True,
            text=f"The hypervisor took {seen.steal_share:.1%} of the CPU time: run on a quieter host.",
        )


def _findings(seen: Circumstances, reason: str) -> Iterator[Note]:
    merged, ledger = seen.merged, seen.merged.ledger
    if seen.outcome in (Outcome.OVERLOADED, Outcome.STALLED, Outcome.BROKER_FAILED, Outcome.DISCONNECTED):
        yield _finding(str(seen.outcome), f"{reason}.")
    if seen.open_loop and merged.offered:
        share = merged.achieved_rate * seen.measured_s / merged.offered
        if share < _SATURATED:
            yield _finding("saturated", f"It delivered {share:.1%} of the messages due in the measured time.")
    if merged.counters.get("blocked_events"):
        yield _finding("blocked", f"The broker blocked a connection {merged.counters['blocked_events']} times.")
    if merged.dropped:
        yield _finding(
            "dropped",
            f"{merged.dropped} of {merged.offered} messages due in the measured time were dropped, as there was no room"
            " for them within load.late_after: its quantiles are lower bounds.",
        )
    yield from _starved(merged)
    yield from _losses(ledger)
    if not seen.drained and seen.outcome not in NO_RESULT and ledger.undelivered + ledger.unconfirmed_missing:
        held = ledger.undelivered + ledger.unconfirmed_missing
        yield _finding("not-drained", f"{held} messages had not arrived when the drain ended.")


def _starved(merged: Merged) -> Iterator[Note]:
    starved = merged.counters.get("credit_leak", 0)
    if starved >= _STARVED:
        yield _finding(
            "credit-leak",
            f"It gave {starved} times credit for a single message to pre-settled senders, which then wait for it:"
            " Broker-J gives back one credit a read, however many messages the read held. Set confirm_window, or"
            " option reattach of driver wire10.",
        )


def _losses(ledger: Ledger) -> Iterator[Note]:
    if ledger.lost:
        promise = "confirmed" if ledger.confirmed else "sent (no confirms were asked for)"
        yield _finding("lost", f"{ledger.lost} messages that were {promise} never arrived and are gone.")
    if ledger.duplicated:
        yield _finding("duplicated", f"{ledger.duplicated} messages arrived more than once.")
    if ledger.reordered:
        yield _finding("reordered", f"{ledger.reordered} messages arrived after a later one of their producer.")
    if ledger.refused or ledger.returned:
        yield _finding("refused", f"{ledger.refused} messages were refused and {ledger.returned} returned.")


def _finding(code: str, text: str) -> Note:
    return Note(code=code, hard=False, text=text)
