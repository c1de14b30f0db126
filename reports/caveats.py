"""What a reader must know with the numbers: circumstances, and what the numbers do not show. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from bench.results.product_record import ProductRecord
from bench.results.records import PauseRecord
from bench.scenario.scenario import Scenario, Workload
from bench.stats.noise_floor import relevant
from bench.stats.ratio import ALPHA, DELTA
from bench.units import NS_PER_MS, percent
from reports.cases import MIN_CPUS, MIN_TRIALS
from reports.dataset import Dataset
from reports.flows import trial_of
from reports.format import PROTOCOLS, count, listed, number
from reports.quantiles import PERCENTILES
from reports.summary import Cell, Fact


def caveats(data: Dataset, compared: int = 0) -> tuple[str, ...]:
    """Return what holds for every answer of these runs; `compared` is the number of comparisons made."""
    return tuple(_caveats(data, compared))


def _caveats(data: Dataset, compared: int) -> Iterator[str]:
    yield from _missing(data)
    if data.runs[0].mode == "quick":
        yield (
            f"Quick run: it shows the shape and names no winner. A verdict needs {MIN_TRIALS} trials a row:"
            " run the scenario without --quick."
        )
    cpus = {run.host.get("cpus", "unknown") for run in data.runs}
    if any(not text.isdigit() or int(text) < MIN_CPUS for text in cpus):
        yield (
            f"This host has {listed(sorted(cpus))} CPUs, and brokers and clients share them:"
            " nothing is ranked by throughput."
        )
    for metric in ("p99 response", "achieved rate"):
        delta, source = relevant(metric, [run.noise_floor for run in data.runs])
        if delta > DELTA:
            yield f"Differences in {metric} below {percent(delta)} give no verdict: {source}."
    if compared > 1:
        yield (
            f"Over all {compared} comparisons the chance of calling equal rows different is at most {percent(ALPHA)}"
            " (Holm's levels)."
        )
    lost = int(data.trials["ledger_lost"].sum())
    if lost:
        yield f"Confirmed messages lost: {count(lost)}; see the ledger."
    unbalanced = int((~data.trials["ledger_balanced"] & (data.trials["ledger_missing"] == 0)).sum())
    if unbalanced:
        yield f"The ledger of {unbalanced} trials does not balance: our own counting is wrong there."
    if len({tuple(sorted(run.host.items())) for run in data.runs}) > 1:
        yield "The runs were made on different hosts: see the environment."


def _trials(rows: pd.DataFrame) -> int:
    """Return how many trials these rows are of: one that has several flows has a row for each."""
    return len({(run, trial_of(index)) for run, index in zip(rows["run_id"], rows["index"], strict=True)})


def _missing(data: Dataset) -> Iterator[str]:
    """Yield what has no result: brokers that a host could not start, trials that do not count, trials not done."""
    for run in data.runs:
        yield from (f"Not run here: broker {name}, {why}." for name, why in run.not_here.items())
    left_out = data.trials[~data.trials["usable"]]
    if len(left_out):
        finished = _trials(data.trials)
        yield f"Left out: {_trials(left_out)} of {finished} finished trials; the reasons stand with each answer."
    if len(data.absent):
        planned = sum(len({trial_of(line.index) for line in run.plan}) for run in data.runs)
        yield f"No result: {_trials(data.absent)} of {planned} planned trials (not run, not finished or unreadable)."


def environment(data: Dataset) -> tuple[Fact, ...]:
    """Return facts of host, image and tools, one value a run."""
    tables = []
    for run in data.runs:
        facts = dict(run.host)
        for recipe, image in run.images.items():
            facts[f"image {recipe}"] = image.content_digest
            facts |= {f"image {recipe}: {package}": version for package, version in image.packages.items()}
        seen = [one.pauses for (run_id, _), one in data.records.items() if run_id == run.run_id and one.pauses]
        if seen:
            facts["pauses"] = away(seen)
        facts |= run.interference
        tables.append(facts | {f"tool {tool}": version for tool, version in run.tools.items() if tool not in facts})
    keys = list(dict.fromkeys(key for facts in tables for key in facts))
    return tuple(Fact(key=key, values=tuple(facts.get(key, "–") for facts in tables)) for key in keys)


def away(seen: Sequence[PauseRecord]) -> str:
    """Return how often the host was away in some trials, and how that was seen."""
    share = sum(one.away_share for one in seen) / len(seen)
    longest_ms = max(one.longest_ns for one in seen) / NS_PER_MS
    how = "" if all(one.fifo for one in seen) else ", as a normal task that also sees waits for a CPU that others use"
    used = sum(one.cpu_share for one in seen) / len(seen)
    lost = sum(bool(one.lost) for one in seen)
    stolen = [one.steal_share for one in seen if one.steal_share is not None]
    steal = f" (steal time {percent(sum(stolen) / len(stolen))})" if stolen else ""
    missing = f"; unknown in {count(lost)} of {count(len(seen))} trials" if lost else ""
    return (
        f"away {percent(share)} of the time{steal}, longest {number(longest_ms)} ms, by sleepers on {seen[0].cpus} CPUs"
        f"{how}, which took {percent(used)} of a CPU together{missing}"
    )


def not_shown(data: Dataset, cells: Mapping[tuple[str, str], Cell]) -> tuple[str, ...]:
    """Return what these numbers cannot tell."""
    return (*_limits(data, cells), *_not_shown(data, cells))


def _limits(data: Dataset, cells: Mapping[tuple[str, str], Cell]) -> Iterator[str]:
    """Yield what limits how far the measured numbers can be read."""
    cpus = [run.host.get("cpus", "") for run in data.runs]
    if any(not text.isdigit() or int(text) < MIN_CPUS for text in cpus):
        yield (
            f"Which broker carries more: with fewer than {MIN_CPUS} CPUs, brokers and clients take CPU time from"
            " each other, so no row is ranked by throughput."
        )
    labels = [label for record in data.records.values() for label in (*record.broker.labels, *record.broker.limits)]
    if any("emulat" in label.lower() for label in labels):
        yield "The speed of real hardware: a broker ran in an emulated place, which makes it several times slower."
    bound = sum(cell.client_bound for cell in cells.values())
    if bound:
        yield (
            f"How far {count(bound)} client-bound row{'s' if bound > 1 else ''} would go: there our client was the"
            " limit, so its broker may do better than shown."
        )
    ways = sorted({(target.protocol, target.driver) for target in data.scenario.targets})
    if 1 < len(ways) == len({protocol for protocol, _ in ways}):
        each = listed([f"{PROTOCOLS[protocol]} by {driver}" for protocol, driver in ways])
        yield f"Protocol or client: each protocol had its own client ({each}), so a figure shows both together."
    if len(data.runs) > 1:
        yield "Differences between runs: they were made at different times, and only trials of one run are interleaved."
    yield from dict.fromkeys(caveat for product in _products(data) for caveat in product.caveats)


def _products(data: Dataset) -> Iterator[ProductRecord]:
    """Yield what every run says of its products: what one run must say holds for a report of several."""
    for run in data.runs:
        yield from run.products.values()


def _not_shown(data: Dataset, cells: Mapping[tuple[str, str], Cell]) -> Iterator[str]:
    yield from dict.fromkeys(caveat for product in _products(data) for caveat in product.place.caveats)
    yield from _other_loads(data.scenario)
    yield "Faults: no broker, disk or network was made to fail."
    yield from _other_connections(data)
    if not any(one.exchange or one.pattern in {"fanout", "topic"} for one in data.scenario.workloads):
        yield "Exchanges other than the default exchange."
    if any("last" in cell.beside_ns for cell in cells.values()):
        yield (
            "Which subscriber of a fan-out is the slowest: latencies are not kept by subscriber. How far the last copy"
            " is behind the others tells how unlike they are."
        )
    if any(one.flow for one in data.scenario.workloads):
        yield "What one flow costs: flows of a trial share broker and host, so CPU time and memory are of all together."
        yield "The backlog over time of other flows than a trial's first: it is recorded of that one."
    thin = [name for name in PERCENTILES if any(not cell.latency_ns[name].n and cell.n for cell in cells.values())]
    if thin:
        yield f"{listed(thin)} of some rows: a trial has too few messages for it."


def _other_connections(data: Dataset) -> Iterator[str]:
    """Yield the transports and logins that no trial used, as the brokers' records say."""
    records = [record.broker.asked | record.broker.reported for record in data.records.values()]
    transports = {one.get("transport") or "tcp" for one in records}
    if transports == {"tcp"}:
        yield "TLS: every connection was plain TCP."
    if transports == {"tls"}:
        yield "Plain TCP: every connection was encrypted by TLS."
    logins = {one.get("sasl") or "plain" for one in records}
    if logins == {"plain"}:
        yield "Other ways to log in than user name and password."


def _connections(workload: Workload) -> int:
    """Return how many connections a workload opens."""
    each = workload.lanes_per_connection
    return -(-workload.producers // each) + -(-workload.consumers // each)


def _other_loads(scenario: Scenario) -> Iterator[str]:
    used = {one.size for work in scenario.workloads for one in work.sizes} | {w.size for w in scenario.workloads}
    yield f"Message sizes other than {listed([count(size) for size in sorted(used)])} B."
    queues = sorted({workload.queues for workload in scenario.workloads})
    numbers = listed([count(number) for number in queues])
    most = max(map(_connections, scenario.workloads))
    deep = "" if any(workload.fills for workload in scenario.workloads) else " deep backlogs,"
    yield f"Other numbers of queues than {numbers},{deep} more than {count(most)} connections at once."
    lengths = [workload.duration // 10**9 for workload in scenario.workloads if not workload.messages]
    if lengths:
        yield f"What happens later than {count(max(lengths))} s after the warm-up: leaks, compaction, paging."
