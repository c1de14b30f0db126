"""Verdicts on the measurement: whether a trial's numbers can be trusted. Pure.

What the broker did is the business of `bench.run.findings`, and kept apart: a hard verdict
here makes the trial invalid. A bad broker's trials are kept: leaving them out would make it look better.
Each note says what to do. Codes: ledger-unbalanced, foreign-messages, little, clock, clock-set,
client-bound, send-lag, receive-lag, warm-up-short, shared-cores, steal, host-away, pauses-unknown, throttled,
canary-shifted, settings-differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench.record.histogram import decode
from bench.results.quantile import quantile_ns
from bench.results.records import Note, PauseRecord, TrialOutcome
from bench.run.merge import Merged
from bench.stats.steady import Growth, Steadiness
from bench.units import NS_PER_MS, percent

CLIENT_BOUND = 0.85
CEILING_SHARE = 0.5
"""From here on a driver's own limit is near, see `bench.ceiling`. Ceilings are measured with small bodies
over plain TCP, so they are upper bounds for larger ones and for TLS: a trial above this share is bounded
for certain, but one below it may be bounded too."""
LAG_SHARE = 0.10
"""Share of the p99 response from which on our own lateness, in sending or in receiving, is reported."""
TAKEN = 0.01
"""Share of CPU time that a hypervisor or a quota may take."""
AWAY = "host-away"
"""The code of trials that others make up for."""
LEAST_CLEAN = 0.5
"""Share of a trial that must lie in no pause of the host and in no drain of one."""
CANARY = 0.05
"""Largest relative change of a fixed computation's time around a trial."""
_FEW_CPUS = 4


@dataclass(frozen=True)
class Circumstances:
    """What is judged: the merged numbers, and the circumstances of the trial.

    Attributes:
        merged: the trial's numbers.
        outcome: how it ended, as the conductor saw it.
        drained: whether every message sent was received.
        measured_s: length of the measured part.
        open_loop: whether messages were due by a schedule.
        client_cores: share of a core that the busiest worker used; None where unknown.
        workers: pairs of a producing and a consuming worker.
        ceiling: msg/s that such a pair of this driver does at most; None where unknown.
        warm_up_short: whether measuring began before the broker counted as warm.
        host_cpus: CPUs of this host.
        shared_cpus: whether broker and clients run on the same CPUs.
        steal_share: share of CPU time the hypervisor took in the measured part.
        subject: what the scenario measures.
        throttled_share: share of the measured part in which a CPU quota around us held processes back; None = unknown.
        canary_shift: how far the canary was off before or after, see `bench.results.records.Canary`; None = unknown.
        settings_differ: settings that the broker reports otherwise than asked, in words.
        steady: of the medians of the measured seconds; None where there are none.
        growth: of the backlog in the measured part; None for a closed loop.
        alarms: what log and broker say of limits that it reached in this trial.
        restarts: times that the broker started while the trial ran.
        pauses: of the host; None where no meter watched.
    """

    merged: Merged
    outcome: TrialOutcome
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
    subject: Literal["broker", "client"] = "broker"
    throttled_share: float | None = None
    canary_shift: float | None = None
    settings_differ: tuple[str, ...] = ()
    steady: Steadiness | None = None
    growth: Growth | None = None
    alarms: tuple[str, ...] = ()
    restarts: int = 0
    pauses: PauseRecord | None = None


def health(seen: Circumstances) -> tuple[Note, ...]:
    """Return what speaks against the measurement."""
    return (*_accounting(seen), *_client(seen), *_warm_up(seen), *_host(seen), *_settings(seen))


def p99_ns(merged: Merged, tag: str) -> float | None:
    """Return p99 of a latency of the measured part, pauses of the host left out; None where nothing is recorded."""
    return quantile_ns(merged.measured.get(tag), 0.99)


def _accounting(seen: Circumstances) -> Iterator[Note]:
    ledger, little = seen.merged.ledger, seen.merged.little
    if ledger.missing:
        yield _warning(
            "ledger-unknown",
            f"{ledger.missing} of our workers handed over no account: what became of their messages is not known.",
        )
    elif not ledger.balanced:
        yield _hard(
            "ledger-unbalanced", f"The ledger does not add up ({ledger}): our own counting is wrong; please report it."
        )
    if ledger.foreign:
        yield _hard(
            "foreign-messages",
            f"{ledger.foreign} messages were not ours: something else uses these queues: stop it.",
        )
    if little is not None and not little.holds:
        yield _hard(
            "little",
            f"Little's law fails: backlog integral {little.backlog_integral_s:.4f} s against"
            f" {little.response_sum_s:.4f} s of responses; our own counting is wrong; please report it.",
        )
    negative = sum(record.negative for record in seen.merged.measured.values())
    outside = sum(record.out_of_range for record in seen.merged.measured.values())
    times_set = seen.merged.counters.get("clock_set", 0)
    if times_set:
        yield _warning(
            "clock-set",
            f"The real clock was set while workers ran, as they saw {times_set} times: what they read just then counts"
            " as received when it was read; keep the clock steady.",
        )
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
    if signs and seen.subject == "client":
        yield _warning("client-bound", f"{signs}: this is the client's own limit, which this scenario measures.")
    elif signs:
        yield _hard(
            "client-bound",
            f"{signs}: the figures show our limit, not the broker's; use more workers or a compiled driver.",
        )
    response_ns = p99_ns(seen.merged, "response")
    if response_ns is not None:
        yield from _late("send-lag", "at sending", p99_ns(seen.merged, "send_lag"), response_ns)
        yield from _late("receive-lag", "at reading what had come", _receive_lag_ns(seen), response_ns)


def _late(code: str, where: str, lag_ns: float | None, response_ns: float) -> Iterator[Note]:
    if lag_ns is not None and lag_ns > LAG_SHARE * response_ns:
        yield Note(
            code=code,
            hard=lag_ns > NS_PER_MS,
            text=(
                f"p99 of our own lateness {where} is {lag_ns / NS_PER_MS:.2f} ms, of a p99 response of"
                f" {response_ns / NS_PER_MS:.2f} ms: stop other work on the host, or lower the rate."
            ),
        )


def _receive_lag_ns(seen: Circumstances) -> float | None:
    """Return p99 of the receive lag without what a pause of the host may have caused; None where none is known.

    It is in no response, but messages that wait together all count as received when the last of them came. Pauses
    are not left out of it message by message: their share of the messages, from the top, is, as a worker runs on one
    CPU at a time, and that is away for such a share of the time.
    """
    record, pauses = seen.merged.measured.get("receive_lag"), seen.pauses
    if record is None or not record.count:
        return None
    away = 0.0 if pauses is None else pauses.away_share
    return float(decode(record.histogram).get_value_at_percentile(99 * (1 - away)))


def _client_bound(seen: Circumstances) -> Iterator[str]:
    if seen.client_cores is not None and seen.client_cores >= CLIENT_BOUND:
        yield f"The busiest worker used {percent(seen.client_cores)} of a core"
    rate = seen.merged.achieved_rate / seen.workers
    if seen.ceiling is not None and rate > CEILING_SHARE * seen.ceiling:
        yield (
            f"Each pair of workers moved {rate:,.0f} msg/s, and this driver does at most {seen.ceiling:,.0f} msg/s"
            " on this host without a broker (bench doctor --ceiling)"
        )


def _warm_up(seen: Circumstances) -> Iterator[Note]:
    """Yield at most one warning: by the broker's CPU time, by MSER-5, or by a latency that falls to the end."""
    steady = seen.steady or Steadiness(0, 0.0, 0.0)
    if seen.warm_up_short:
        text = "The broker's CPU time a message was still changing when measuring began: raise plan.warm_up.at_most."
        yield _warning("warm-up-short", text)
    elif steady.lead:
        side = "above" if steady.lead > 0 else "below"
        yield _warning(
            "warm-up-short",
            f"The median latency of the first {steady.cut} s of the measured part lay {percent(abs(steady.lead))}"
            f" {side} that of the rest (MSER-5): raise plan.warm_up.at_least; nothing was cut.",
        )
    elif steady.drift < 0:
        yield _warning(
            "warm-up-short",
            f"The median latency fell by {percent(-steady.drift)} over the measured part and was not seen to settle:"
            " raise plan.warm_up.at_least; nothing was cut.",
        )


def _host(seen: Circumstances) -> Iterator[Note]:
    if seen.shared_cpus:
        few = f", and the host has only {seen.host_cpus}" if seen.host_cpus < _FEW_CPUS else ""
        yield _warning(
            "shared-cores",
            f"Broker and clients share CPUs{few}: what a driver uses, its broker lacks; compare rows of like drivers.",
        )
    if seen.steal_share is not None and seen.steal_share > TAKEN:
        known = seen.pauses is not None and not seen.pauses.lost
        yield Note(
            code="steal",
            hard=not known,
            text=f"The hypervisor took {percent(seen.steal_share)} of the CPU time: "
            + ("its pauses are known and left out of the estimates." if known else "run on a quieter host."),
        )
    if seen.pauses is not None and seen.pauses.lost:
        yield _warning("pauses-unknown", f"There is no estimate without the host's pauses: {seen.pauses.lost}.")
    elif seen.pauses is not None and seen.pauses.fifo and seen.pauses.clean_s < LEAST_CLEAN * seen.measured_s:
        yield _hard(
            AWAY,
            f"The host was away for so long that {seen.pauses.clean_s:.1f} of {seen.measured_s} s can be used:"
            " choose a quieter host or hour, or a rate farther from what the broker can do.",
        )
    if seen.throttled_share is not None and seen.throttled_share > TAKEN:
        yield _hard(
            "throttled",
            f"A CPU quota held processes back in {percent(seen.throttled_share)} of the measured part:"
            " lift the quota around busbench, or lower the load.",
        )
    if seen.canary_shift is not None and abs(seen.canary_shift) > CANARY:
        yield _hard(
            "canary-shifted",
            f"A fixed computation before or after the trial was off by {percent(abs(seen.canary_shift))}:"
            " the host's speed changed or others used it; free it, and fix its CPU frequency.",
        )


def _settings(seen: Circumstances) -> Iterator[Note]:
    if seen.settings_differ:
        yield _hard(
            "settings-differ",
            f"The broker does not run as asked ({'; '.join(seen.settings_differ)}): ask for what it can do.",
        )


def _hard(code: str, text: str) -> Note:
    return Note(code=code, hard=True, text=text)


def _warning(code: str, text: str) -> Note:
    return Note(code=code, hard=False, text=text)
