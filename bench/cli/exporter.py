"""The exporter of `--metrics`: a running benchmark as OpenMetrics over HTTP, for Prometheus and its like.

Counters go on over all trials of a target and workload, and by the phase in which they were counted, so that
`rate()` works and a warm-up can be left out. Gauges are those of the trial under way, and absent between trials.
Latency is a gauge a quantile, of the last full second, as workers publish it: a histogram would have them hand
over hundreds of buckets each second, and the results folder holds those.

It answers any path, in the format that a client asks for (OpenMetrics, or the older text format).
"""

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bench.cli.recent import AWAY_S, Recent, away
from bench.results.records import PlannedTrial, TrialRecord
from bench.run.trial import Live
from bench.units import NS_PER_S

_HOST = "127.0.0.1"
_HIGHEST_PORT = 65_535
_ADDRESS = re.compile(r"(?:(\[[0-9A-Fa-f:.%\w]+\]|[^\s:\[\]/@]+):)?([0-9]{1,5})", re.ASCII)

_LABELS = ("target", "workload", "phase")
_COUNTERS: dict[str, tuple[str, str]] = {
    "offered": ("messages", "Messages that were due by the schedule."),
    "sent": ("messages", "Messages that were sent."),
    "settled": ("messages", "Messages that the broker confirmed, or refused."),
    "received": ("messages", "Messages that were received."),
    "broker_cpu": ("seconds", "CPU time of the broker's processes while a trial ran."),
    "client_cpu": ("seconds", "CPU time of the workers while a trial ran."),
    "host_away": ("seconds", "Time for which the host was away, summed over CPUs."),
    "host": ("pauses", "Pauses of the host."),
}
"""By name: unit, and help. What is not known (CPU time of a broker on another host) never counts, and is absent."""

Cell = tuple[str, str, str]
"""Values of `_LABELS`."""


class AddressError(Exception):
    """The address cannot be served at; the text says why, and what to do."""


class Exporter(Collector):
    """Watches a run, and serves what it sees until it is closed.

    Attributes:
        url: where.
    """

    def __init__(self, address: str) -> None:
        """Serve from now on.

        Args:
            address: HOST:PORT, [IPV6]:PORT, or PORT on 127.0.0.1; port 0 is a free one.

        Raises:
            AddressError: it is no such address, or cannot be had.
        """
        host, port = parse(address)
        # The server asks from threads of its own.
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[Cell]] = {name: Counter() for name in _COUNTERS}
        self._finished: Counter[tuple[str, str, str]] = Counter()
        self._planned: PlannedTrial | None = None
        self._number, self._of = 0, 0
        self._before: Live | None = None
        self._recent = Recent()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except (socket.gaierror, UnicodeError) as error:
            message = f"{address}: {host!r} is no host that is known here: write an address such as 127.0.0.1:9464"
            raise AddressError(message) from error
        except OSError as error:
            message = f"{address}: {error.strerror or error}: name another port, or 0 for a free one"
            raise AddressError(message) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}/metrics"

    def __enter__(self) -> Self:
        """Return the exporter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def say(self, text: str) -> None:
        """See `bench.run.conductor.Watch`; words are no metric."""

    def begin(self, planned: PlannedTrial, number: int, of: int) -> None:
        """See `bench.run.conductor.Watch`."""
        with self._lock:
            self._planned, self._number, self._of = planned, number, of
            self._before, self._recent = None, Recent()

    def live(self, live: Live) -> None:
        """Count what came since the last time."""
        with self._lock:
            self._recent.take(live)
            before, self._before = self._before, live
            if self._planned is not None and before is not None:
                self._count(self._cell(before), before, live)

    def end(self, record: TrialRecord) -> None:
        """Count a finished trial."""
        with self._lock:
            self._finished[record.target, record.workload, str(record.valid).lower()] += 1
            self._planned = self._before = None

    def collect(self) -> Iterator[Metric]:
        """Yield every family, as the server is asked; a slow reader holds nobody up."""
        with self._lock:
            found = [*self._counters(), *self._gauges()]
        yield from found

    def _cell(self, live: Live) -> Cell:
        assert self._planned is not None  # noqa: S101  (for the type checker: asked while a trial is under way)
        return self._planned.target, self._planned.workload, live.phase.value

    def _count(self, cell: Cell, before: Live, live: Live) -> None:
        then, now, lasted_ns = before.totals, live.totals, live.pauses[:, 2] - live.pauses[:, 1]
        grown: dict[str, float] = {
            "offered": now.due - then.due,
            "sent": now.sent - then.sent,
            "settled": now.settled - then.settled,
            "received": now.received - then.received,
            "client_cpu": live.sample.client_cpu_s - before.sample.client_cpu_s,
        }
        if live.sample.broker_cpu_s is not None and before.sample.broker_cpu_s is not None:
            grown["broker_cpu"] = live.sample.broker_cpu_s - before.sample.broker_cpu_s
        if live.metered_cpus:
            grown |= {"host_away": int(lasted_ns.sum()) / NS_PER_S, "host": len(lasted_ns)}
        for name, more in grown.items():
            # A counter never falls: due may by a moment, where a closed loop's tokens are counted late.
            self._counts[name][cell] += max(0, more)  # type: ignore[assignment]

    def _counters(self) -> Iterator[Metric]:
        for name, (unit, words) in _COUNTERS.items():
            family = CounterMetricFamily(f"busbench_{name}_{unit}", words, labels=_LABELS, unit=unit)
            for cell, count in self._counts[name].items():
                family.add_metric(cell, count)
            yield family
        finished = CounterMetricFamily(
            "busbench_finished_trials",
            "Trials that were finished; invalid ones are left out of comparisons.",
            labels=("target", "workload", "valid"),
            unit="trials",
        )
        for labels, count in self._finished.items():
            finished.add_metric(labels, count)
        yield finished

    def _gauges(self) -> Iterator[Metric]:
        yield _gauge("trial_number", "", "Number of the trial under way, from 1.", {(): self._number}, ())
        yield _gauge(
            "planned_trials",
            "trials",
            "Trials that this run does; a search learns them as it goes.",
            {(): self._of},
            (),
        )
        live = self._before
        if live is None:
            return
        cell, totals, sample = self._cell(live), live.totals, live.sample
        left = {} if live.left_ns is None else {cell: live.left_ns / NS_PER_S}
        yield _gauge("phase_left_seconds", "seconds", "Time that the phase still takes, a warm-up at most.", left)
        seconds = self._recent.seconds
        backlog = {cell: seconds[-1].backlog} if seconds else {}
        yield _gauge("backlog_messages", "messages", "Messages that were due and not received.", backlog)
        quantiles = {"0.5": totals.p50_ns, "0.99": totals.p99_ns}
        yield _gauge(
            "latency_seconds",
            "seconds",
            "Quantiles of the messages that were intended in the last full second, of the slowest worker:"
            " of the response, in a closed loop of the service.",
            {(*cell, quantile): ns / NS_PER_S for quantile, ns in quantiles.items() if ns},
            (*_LABELS, "quantile"),
        )
        resident = {"broker": sample.broker_rss, "client": sample.client_rss}
        yield _gauge(
            "resident_memory_bytes",
            "bytes",
            "Memory of the broker's processes and of the workers.",
            {(*cell, side): size for side, size in resident.items() if size is not None},
            (*_LABELS, "side"),
        )
        _, longest_ns = away(seconds)
        yield _gauge(
            "host_longest_pause_seconds",
            "seconds",
            f"Longest pause of the host in the last {AWAY_S} s.",
            {cell: longest_ns / NS_PER_S} if live.metered_cpus else {},
        )


Labelled = TypeVar("Labelled", bound=tuple[str, ...])


def _gauge(
    name: str,
    unit: str,
    words: str,
    values: Mapping[Labelled, float],
    labels: tuple[str, ...] = _LABELS,
) -> Metric:
    family = GaugeMetricFamily(f"busbench_{name}", words, labels=labels, unit=unit)
    for cell, value in values.items():
        family.add_metric(cell, value)
    return family


def parse(address: str) -> tuple[str, int]:
    """Return host and port of an address; see `Exporter`."""
    found = _ADDRESS.fullmatch(address)
    if not found or int(found[2]) > _HIGHEST_PORT:
        message = f"{address!r} is no address: write HOST:PORT, or PORT for {_HOST}, such as 9464"
        raise AddressError(message)
    return (found[1] or _HOST).strip("[]"), int(found[2])
