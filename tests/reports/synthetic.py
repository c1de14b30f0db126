"""Makes runs with known contents, by the contract's models and the hdrhistogram package alone.

`make` returns a run that no file knows of, and `tests.reports.in_memory` the tables of one: that
is what most tests want. `build` writes the results folder of the same run, for those that read.
What is drawn at random for a trial is kept for the session, as it depends on nothing that a test
may change.
"""

import copy
import functools
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.record.histogram import Int64, Seconds
from bench.results.records import TIMELINE_COLUMNS, RunRecord, TrialOutcome, TrialRecord
from bench.results.search import SearchRecord
from bench.scenario.products import describe
from bench.scenario.scenario import Scenario
from bench.scenario.sweep import expand

TARGETS = ("rabbitmq-091", "rabbitmq-10", "broker-j-091", "broker-j-10")
RATE = 2_000
WARM_UP_S = 2
# Median and 99th percentile of response in ms, by target and workload.
SHAPES = {
    "steady": {
        "rabbitmq-091": (0.31, 1.2),
        "rabbitmq-10": (0.36, 1.7),
        "broker-j-091": (0.42, 3.1),
        "broker-j-10": (0.48, 4.2),
    },
    "durable": {
        "rabbitmq-091": (0.9, 4.1),
        "rabbitmq-10": (1.1, 4.9),
        "broker-j-091": (2.2, 8.8),
        "broker-j-10": (2.6, 9.7),
    },
    "in-flight": {
        "rabbitmq-091": (0.5, 2.0),
        "rabbitmq-10": (0.6, 2.4),
        "broker-j-091": (0.6, 3.0),
        "broker-j-10": (0.7, 3.5),
    },
}
IN_FLIGHT = (16, 64, 256)
SWEPT = "swept"
"""Name of a workload whose fields are given."""
CPU_US = {"rabbitmq-091": 138.0, "rabbitmq-10": 171.0, "broker-j-091": 151.0, "broker-j-10": 163.0}

Change = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Takes a trial's fields; returns them changed, or None where the trial shall be missing."""


def unchanged(trial: dict[str, Any]) -> dict[str, Any]:
    """Return a trial as it is."""
    return trial


def client_bound(trial: dict[str, Any], *, hard: bool = False) -> dict[str, Any]:
    """Let the client of a trial be its limit: as a warning, as older results have it, or as a hard verdict."""
    trial["client_usage"]["cpu_cores_busiest"] = 0.93
    text = "The busiest worker used 93 % of a core: use more workers or a compiled driver."
    trial["health"] = [{"code": "client-bound", "hard": hard, "text": text}]
    return trial


def quirks(trial: dict[str, Any]) -> dict[str, Any] | None:
    """Give one trial of each kind a fault, so that a report has something to say."""
    where = (trial["target"], trial["workload"], trial["repetition"])
    if where[:2] == ("broker-j-10", "steady"):
        client_bound(trial)
    if where == ("rabbitmq-091", "durable", 1):
        text = "p99 of send lag was 2.4 ms of 4.1 ms response: run on an idle host or lower the rate."
        trial["health"] = [{"code": "send-lag", "hard": True, "text": text}]
    if where == ("broker-j-091", "durable", 2):
        trial |= {"outcome": TrialOutcome.OVERLOADED, "reason": "backlog passed 100,000 messages", "drained": False}
        trial |= {
            "offered": trial["offered"] + 4_000,
            "achieved_rate": 1_410.0,
            "little": None,
            "backlog_growth": 590.0,
        }
        text = "Achieved 70 % of the offered rate: lower the rate or give the broker more CPUs."
        trial["findings"] = [{"code": "saturated", "hard": False, "text": text}]
    if where == ("rabbitmq-10", "durable", 2):
        return None
    if where == ("rabbitmq-10", "steady", 1):
        trial["offered"] += 3
        trial["sent"] += 3
        trial["ledger"] |= {
            "sent": trial["ledger"]["sent"] + 3,
            "confirmed": trial["ledger"]["confirmed"] + 3,
            "lost": 3,
        }
        text = "3 confirmed messages were never received: check the broker's log."
        trial["findings"] = [{"code": "lost", "hard": False, "text": text}]
    if where == ("broker-j-091", "steady", 1):
        trial["broker_usage"] |= {"cpu_s": None, "cpu_us_per_message": None, "cpu_cores_busiest": None}
    return trial


def scenario(
    repetitions: int = 3, seconds: int = 5, *, closed_loop: bool = True, sweep: Mapping[str, Any] | None = None
) -> Scenario:
    """Return two brokers over two protocols each, and up to five workloads, or one with these fields."""
    workloads: list[dict[str, Any]] = [
        {"name": name, "durable": name == "durable", "duration": f"{seconds}s", "load": {"kind": "rate", "rate": RATE}}
        for name in ("steady", "durable")
    ]
    workloads += [
        {
            "name": f"in-flight-{n}",
            "part_of": "in-flight",
            "duration": f"{seconds}s",
            "load": {"kind": "in_flight", "in_flight": [n]},
        }
        for n in (IN_FLIGHT if closed_loop else ())
    ]
    if sweep is not None:
        workloads = expand({"workloads": [workloads[0] | {"name": SWEPT, **sweep}]}).document["workloads"]
    return Scenario.model_validate(
        {
            "name": "rabbitmq-vs-qpid",
            "title": "RabbitMQ and Apache Qpid Broker-J, over AMQP 0-9-1 and AMQP 1.0",
            "question": "Which broker and which protocol carry 2,000 small messages a second at the lower latency?",
            "brokers": [
                {"name": "rabbitmq", "kind": "rabbitmq"},
                {"name": "broker-j", "kind": "qpid-broker-j", "store": "bdb"},
            ],
            "targets": [
                {
                    "name": name,
                    "broker": "rabbitmq" if name.startswith("rabbitmq") else "broker-j",
                    "protocol": "amqp10" if name.endswith("10") else "amqp091",
                    "driver": "proton-engine" if name.endswith("10") else "pika-codec",
                }
                for name in TARGETS
            ],
            "workloads": workloads,
            "plan": {"repetitions": repetitions, "restart": "run"},
        }
    )


@dataclass(frozen=True)
class Drawn:
    """What was drawn at random for a trial.

    Attributes:
        logged: buckets by second, by tag: what its latency.hlog holds.
        longest: tag -> largest value of each second, exact.
        measured: tag -> number of values and histogram, base64, of the measured part.
        buckets: what such a histogram holds: index and count, by its text.
        rng: goes on where the draws ended; copy it.
    """

    logged: dict[str, Seconds]
    longest: dict[str, list[int]]
    measured: dict[str, tuple[int, str]]
    buckets: dict[str, tuple[Int64, Int64]]
    rng: np.random.Generator

    @functools.cached_property
    def log(self) -> str:
        """Its latency.hlog."""
        lines = ["#[Histogram log format version 1.2]", "#[StartTime: 1767268800.000 (seconds since epoch)]"]
        for second in range(len(next(iter(self.longest.values())))):
            for tag, part in self.logged.items():
                rows = part.second == second
                histogram = holding(part.index[rows], part.count[rows], self.longest[tag][second])
                payload = histogram.encode().decode("ascii")
                lines.append(f"Tag={tag},{second:.3f},1.000,{histogram.get_max_value() / 1e6:.6f},{payload}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class MadeTrial:
    """A finished trial: what its folder would hold."""

    record: TrialRecord
    drawn: Drawn
    timeline: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.record.index:03d}-{self.record.target}-{self.record.workload}"


@dataclass(frozen=True)
class Made:
    """A run: what its results folder would hold."""

    record: RunRecord
    trials: tuple[MadeTrial, ...]


def make(
    *,
    mode: str = "quick",
    repetitions: int = 3,
    seconds: int = 5,
    cpus: int = 4,
    closed_loop: bool = True,
    sweep: Mapping[str, Any] | None = None,
    change: Change = unchanged,
    change_run: Change = unchanged,
    run_id: str = "rabbitmq-vs-qpid-20260101-120000",
) -> Made:
    """Make a run; `change` sees the fields of each trial, `change_run` those of run.json."""
    resolved = scenario(repetitions, seconds, closed_loop=closed_loop, sweep=sweep)
    rng = np.random.default_rng(1)
    plan = [
        {"repetition": repetition, "target": target.name, "workload": workload.name, "restart_broker": repetition == 0}
        for repetition in range(repetitions)
        for workload in resolved.workloads
        for target in (resolved.targets[k] for k in rng.permutation(len(resolved.targets)))
    ]
    run = RunRecord.model_validate(
        change_run(
            {
                "run_id": run_id,
                "started_utc": "2026-01-01T12:00:00Z",
                "mode": mode,
                "scenario": resolved.model_dump(mode="json"),
                "seed": 7,
                "overrides": [],
                "command": "bench run rabbitmq-vs-qpid --seed 7" + (" --quick" if mode == "quick" else ""),
                "plan": [line | {"index": index} for index, line in enumerate(plan)],
                "tools": {
                    "python": "3.11.2",
                    "busbench": "0.1.0",
                    "pika-codec": "1.4.4",
                    "python-qpid-proton": "0.40.0",
                },
                "host": {"cpu": "Example CPU 3.0 GHz", "cpus": str(cpus), "memory": "16 GiB", "kernel": "6.1.0"},
                "images": {
                    "stable": {
                        "recipe": "stable",
                        "content_digest": "sha256:" + "ab" * 32,
                        "packages": {"rabbitmq-server": "4.0.5-8", "openjdk-21-jre-headless": "21.0.8"},
                    }
                },
                "products": {name: one.model_dump(mode="json") for name, one in describe(resolved).items()},
            }
        )
    )
    made = (_trial(line | {"index": index}, seconds, change) for index, line in enumerate(plan))
    return Made(run, tuple(trial for trial in made if trial is not None))


def search_text(*answers: dict[str, Any]) -> str:
    """Return a `search.json` with these answers; fields that are not given are plain."""
    plain = {
        "target": TARGETS[0], "workload": "steady", "guess": 1.0, "low": None, "high": None, "why": "",
        "client_bound": False, "ended": "found", "p99_ns": None, "short_trials": 1, "holds": 1, "seconds": 1.0,
    }  # fmt: skip
    found = SearchRecord.model_validate(
        {
            "workload": "steady", "quick": False, "objective_p99_ns": None, "short_s": 1, "hold_s": 1, "factor": 2.0,
            "precision": 0.05, "above": 1.0, "votes": 1, "answers": [plain | answer for answer in answers],
        }
    )  # fmt: skip
    return found.model_dump_json()


def build(folder: Path, **asked: Any) -> Path:
    """Write the results folder of a run that is asked for as of `make`, and return it."""
    return write(folder, make(**asked))


def write(folder: Path, made: Made) -> Path:
    """Write the results folder of a run, and return it."""
    (folder / "trials").mkdir(parents=True)
    (folder / "run.json").write_text(made.record.model_dump_json(), encoding="utf-8")
    for trial in made.trials:
        place = folder / "trials" / trial.name
        place.mkdir()
        (place / "latency.hlog").write_text(trial.drawn.log, encoding="utf-8")
        trial.timeline.to_parquet(place / "timeline.parquet")
        (place / "trial.json").write_text(trial.record.model_dump_json(), encoding="utf-8")
    return folder


def _trial(line: dict[str, Any], seconds: int, change: Change) -> MadeTrial | None:
    drawn = _drawn(line["index"], line["target"], line["workload"], seconds)
    rng = copy.deepcopy(drawn.rng)
    fields = change(_trial_fields(line, seconds, drawn.measured, rng))
    if fields is None:
        return None
    record = TrialRecord.model_validate(fields)
    return MadeTrial(record, drawn, _timeline(record, seconds, rng))


@functools.cache
def _drawn(index: int, target: str, workload: str, seconds: int) -> Drawn:
    rng = np.random.default_rng(1_000 + index)
    logged, longest, measured, buckets = {}, {}, {}, {}
    for tag, by_second in _latencies(target, workload, seconds, rng):
        parts = [np.unique(_index(values), return_counts=True) for values in by_second]
        second = np.repeat(np.arange(len(parts)), [len(index) for index, _ in parts])
        part = Seconds(
            second,
            np.concatenate([index for index, _ in parts]),
            np.concatenate([count for _, count in parts]),
            np.empty((0, 4), np.int64),
        )
        logged[tag], longest[tag] = part, [int(values.max()) for values in by_second]
        after = part.between(WARM_UP_S, WARM_UP_S + seconds)
        text = holding(after.index, after.count, max(longest[tag][WARM_UP_S:])).encode().decode("ascii")
        measured[tag] = int(after.count.sum()), text
        whole, which = np.unique(after.index, return_inverse=True)
        buckets[text] = whole, np.bincount(which, after.count).astype(np.int64)
    return Drawn(logged, longest, measured, buckets, rng)


def _shape(target: str, workload: str) -> tuple[float, float, int]:
    if workload.startswith(SWEPT):  # some place of its own for each point
        p50, p99 = SHAPES["steady"][target]
        factor = 1 + zlib.crc32(workload.encode()) % 97 / 10
        return p50 * factor, p99 * factor, RATE
    family = "in-flight" if workload.startswith("in-flight") else workload
    p50, p99 = SHAPES[family][target]
    if family != "in-flight":
        return p50, p99, RATE
    bound = int(workload.rpartition("-")[2])
    factor = 1 + bound / 40
    return p50 * factor, p99 * factor, min(int(bound / (p50 * factor) * 100), 4_000)


def _latencies(target: str, workload: str, seconds: int, rng: np.random.Generator) -> Iterator[tuple[str, list[Int64]]]:
    p50, p99, rate = _shape(target, workload)
    tags = (
        ("service", "confirm") if workload.startswith("in-flight") else ("response", "service", "send_lag", "confirm")
    )
    level = rng.lognormal(0, 0.04)
    sigma = np.log(p99 / p50) / 2.326
    for tag in tags:
        scale = {"response": 1.0, "service": 0.9, "confirm": 0.7, "send_lag": 0.05}[tag] * level * p50 * 1e6
        by_second = []
        for second in range(WARM_UP_S + seconds):
            cold = 2.5 if second < WARM_UP_S else 1.0
            drawn = scale * cold * rng.lognormal(0, sigma, rate)
            drawn[rng.integers(rate)] += 9e6 * rng.random()
            by_second.append((drawn // 1_000).astype(np.int64) * 1_000)
        yield tag, by_second


def _index(values_ns: Int64) -> Int64:
    """Return the bucket of each value: one of n bits keeps the upper 11 of them."""
    shift = np.maximum(np.frexp(values_ns.astype(float))[1] - 11, 0)
    found: Int64 = shift * 1_024 + (values_ns >> shift)
    return found


def holding(index: Int64, count: Int64, longest_ns: int) -> HdrHistogram:
    """Return a histogram of these buckets, which may repeat; its largest value is told."""
    histogram = HdrHistogram(1, 3_600_000_000_000, 3)
    np.add.at(np.ctypeslib.as_array(histogram.counts), index, count)
    histogram.total_count, histogram.max_value = int(count.sum()), longest_ns
    return histogram


def filled(values_ns: Int64) -> HdrHistogram:
    """Return a histogram of these values, as `record_value` makes it, without a call for each."""
    return holding(_index(values_ns), np.ones(len(values_ns), np.int64), int(values_ns.max()))


def _trial_fields(
    line: dict[str, Any], seconds: int, measured: dict[str, tuple[int, str]], rng: np.random.Generator
) -> dict[str, Any]:
    count = next(iter(measured.values()))[0]
    rate = count / seconds
    everything = count // seconds * (seconds + WARM_UP_S)
    rabbit = line["target"].startswith("rabbitmq")
    cpu = CPU_US[line["target"]] * rng.lognormal(0, 0.03) * (2 if line["workload"] == "durable" else 1)
    none = dict.fromkeys(("refused", "returned", "unknown", "lost", "undelivered", "unconfirmed_missing"), 0)
    none |= dict.fromkeys(("duplicated", "redelivered", "reordered", "foreign", "stray"), 0)
    return {name: line[name] for name in ("index", "repetition", "target", "workload")} | {
        "outcome": TrialOutcome.COMPLETED,
        "reason": "",
        "start_utc": "2026-01-01T12:00:00Z",
        "start_monotonic_ns": 10**12,
        "measure_from_s": WARM_UP_S,
        "measure_to_s": WARM_UP_S + seconds,
        "drained": True,
        "offered": count,
        "sent": count,
        "received": count,
        "achieved_rate": rate * (1 - 0.001 * rng.random()),
        "latency": {
            tag: {"count": total, "histogram": histogram, "negative": 0, "out_of_range": 0}
            for tag, (total, histogram) in measured.items()
        },
        "ledger": none | {"sent": everything, "confirmed": everything, "received": everything, "balanced": True},
        "little": {"backlog_integral_s": 4.0, "response_sum_s": 4.0, "holds": True},
        "broker": {
            "name": "rabbitmq" if rabbit else "broker-j",
            "kind": "rabbitmq" if rabbit else "qpid-broker-j",
            "product": "RabbitMQ" if rabbit else "Apache Qpid Broker-J",
            "version": "4.0.5" if rabbit else "10.1.0",
            "runtime": "Erlang/OTP 27 [jit]" if rabbit else "OpenJDK 21.0.8",
            "asked": {"memory cap": "1 GiB", "cpus": "2"} | ({"queue type": "quorum"} if rabbit else {"store": "BDB"}),
            "reported": {"memory cap": "1 GiB", "cpus": "2" if rabbit else "4"}
            | ({"queue type": "quorum"} if rabbit else {"store": "BDB"}),
            "limits": {
                "memory": "1024 MiB, cgroup v1",
                "cpus": "2, the host has 4: no quota needed",
            },
            "labels": [],
            "started": 1,
        },
        "broker_usage": {
            "cpu_s": cpu * count / 1e6,
            "cpu_us_per_message": cpu,
            "cpu_cores_busiest": cpu * rate / 1e6,
            "rss_peak": 180 * 2**20,
        },
        "client_usage": {"cpu_s": 0.1, "cpu_us_per_message": 62.0, "cpu_cores_busiest": 0.31, "rss_peak": 70 * 2**20},
        "health": [],
        "findings": [],
        "counters": {"blocked_events": 0},
    }


def _timeline(record: TrialRecord, seconds: int, rng: np.random.Generator) -> pd.DataFrame:
    backlog = tuple(rng.integers(0, 4, (WARM_UP_S + seconds) * 10).tolist())
    return _ticks(record.offered // seconds // 10, record.broker_usage.cpu_us_per_message, backlog)


@functools.cache
def _ticks(each: int, cpu: float | None, backlog: tuple[int, ...]) -> pd.DataFrame:
    at = np.arange(len(backlog))
    frame = pd.DataFrame(
        {
            "at_ns": at * 100_000_000,
            "phase": np.where(at < WARM_UP_S * 10, "warm-up", "measure"),
            **dict.fromkeys(("offered", "sent", "received", "confirmed"), each),
            "backlog": backlog,
            "broker_cpu_s": np.nan if cpu is None else cpu * each / 1e6,
            "broker_rss": float(180 * 2**20),
            "client_cpu_s": 62.0 * each / 1e6,
            "client_rss": float(70 * 2**20),
        }
    )
    return frame.reindex(columns=list(TIMELINE_COLUMNS)).astype(TIMELINE_COLUMNS)
