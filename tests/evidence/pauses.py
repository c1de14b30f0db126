"""Whether estimates without the host's pauses hold on a real broker. Needs a quiet machine, root, and an hour a part.

    python -m tests.evidence.pauses --part burners  [--json FILE] [--blocks 20]
    python -m tests.evidence.pauses --part controls [--json FILE] [--blocks 12]

`burners`: RabbitMQ at 2,000 msg/s, as it is and stopped for 80 ms each second, while pauses of 2 to 30 ms take 0, 1,
3 and 5 % of every CPU (`tests.evidence.burner`). `controls`: the same broker behind a proxy that passes data on at
once, delays each piece by a tenth of the median, or stalls for 300 ms every 10 s (`tests.evidence.detour`), at 0 and
5 %. A block holds every condition once, in a random order; finished blocks are kept beside the JSON file, and an
interrupted part goes on after them. Ends in 1 where an interval is not as it must be.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from bench.cli.image import ensure_images
from bench.pauses.meter import PauseMeter
from bench.record.buckets import highest_ns
from bench.record.histogram import decode
from bench.record.payload import buckets, estimated
from bench.results.records import BrokerRecord, PlannedTrial, TrialRecord
from bench.run.precompile import warm_up
from bench.run.running_brokers import Fleet
from bench.run.scratch_folder import scratch_folder
from bench.run.trial import Conditions, run_trial
from bench.run.trial_record import conclude
from bench.scenario.scenario import Plan, Scenario, Workload
from bench.stats.ratio import Pair, Verdict, compare
from bench.units import NS_PER_MS
from brokers.base import Broker
from brokers.endpoint import Endpoint, Protocol
from brokers.places.limits import root_group
from tests.evidence.burner import burning
from tests.evidence.detour import detour

RATE = 2_000
SECONDS = 6
DRAIN = 0.1
"""For a capacity of 22,000 msg/s, which the broker exceeds by far."""
STALL_MS, EVERY_S = 80, 1.0
LEVELS = (0.0, 0.01, 0.03, 0.05)
AT_MS = 10
TOLERANCE = 0.10
"""Within which an interval must lie, or else hold 1."""
PLAN = Plan.model_validate({"warm_up": {"settle": "1s"}, "drain": "5s", "extend": 3.0})
WORKLOAD = Workload.model_validate(
    {
        "name": "steady",
        "size": 100,
        "confirm_window": 256,
        "prefetch": 1000,
        "ack_batch": 64,
        "duration": f"{SECONDS}s",
        "load": {"kind": "rate", "rate": RATE},
    }
)
SCENARIO = Scenario.model_validate(
    {
        "name": "pauses",
        "title": "Pauses",
        "question": "Do estimates hold?",
        "brokers": [{"name": "rabbitmq", "kind": "rabbitmq"}],
        "targets": [{"name": "rabbitmq", "broker": "rabbitmq", "protocol": "amqp091", "driver": "wire091"}],
        "workloads": [WORKLOAD.model_dump(mode="json")],
    }
)


@dataclass(frozen=True)
class Condition:
    """What is done in a trial: the share of CPU time that is taken, whether the broker is stopped, and its detour."""

    level: float
    stopped: bool = False
    way: str = ""

    @property
    def name(self) -> str:
        """A key of JSON."""
        return f"{self.level:g}{' stopped' if self.stopped else ''}{f' {self.way}' if self.way else ''}"


BURNERS = tuple(Condition(level, stopped) for level in LEVELS for stopped in (False, True))
CONTROLS = tuple(Condition(level, way=way) for level in (0.0, 0.05) for way in ("straight", "slower", "stalling"))


class Through:
    """A broker that drivers reach at another port."""

    def __init__(self, broker: Broker, port: int) -> None:
        """Stand before a broker."""
        self._broker, self._port = broker, port

    def __getattr__(self, name: str) -> Any:
        """Be the broker in all else."""
        return getattr(self._broker, name)

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """Return the broker's endpoint at our port."""
        return replace(self._broker.endpoint(protocol), port=self._port)


@contextmanager
def stopping(broker: Broker) -> Iterator[None]:
    """Stop a broker's processes for 80 ms each second until the context ends."""
    over, pids = threading.Event(), broker.pids()

    def stop() -> None:
        while not over.wait(EVERY_S - time.monotonic() % EVERY_S):
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(STALL_MS / 1e3)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measured(condition: Condition, broker: Broker, meter: PauseMeter, number: int, folder: Path) -> TrialRecord:
    """Run one trial under a condition."""
    target, scratch = SCENARIO.targets[0], folder / f"{number}-{condition.name}"
    scratch.mkdir()
    given = Conditions(
        target=target,
        workload=WORKLOAD,
        plan=PLAN,
        seed=number,
        layout=WORKLOAD.laid_out("pauses", (f"busbench-pauses-{number}-{random.getrandbits(32):x}",), number),
        loaded_ns=0,
        known_warm=True,
        scratch=scratch,
        watch=lambda _: None,
        meter=meter,
        drain=DRAIN,
    )
    with (
        stopping(broker) if condition.stopped else nullcontext(),
        burning(condition.level, 1000 + number, 3.0 * SECONDS + 20),
    ):
        raw = run_trial(given, broker)
    planned = PlannedTrial(index=0, repetition=0, target=target.name, workload=WORKLOAD.name, restart_broker=False)
    record = BrokerRecord(
        name="rabbitmq", kind="rabbitmq", product="", version="", runtime="", asked={}, reported={}, limits={},
        labels=(), started=1,
    )  # fmt: skip
    return conclude(planned, WORKLOAD, number, raw, record, external=False).record


def figures(record: TrialRecord) -> dict[str, float]:
    """Return p50 and p99 in ms and the share above 10 ms, of the estimate and of all messages."""
    response, pauses = record.latency["response"], record.pauses
    assert pauses is not None
    assert not pauses.lost, pauses.lost
    assert response.events is not None
    assert response.censored is not None
    found, whole = estimated([response.events], [response.censored]), decode(response.histogram)
    index, count = buckets(response.histogram)
    above = float(count[highest_ns(index) > AT_MS * NS_PER_MS].sum() / count.sum())
    return {
        "p50": found.quantile(0.5) / NS_PER_MS,
        "p99": found.quantile(0.99) / NS_PER_MS,
        "above": found.above(AT_MS * NS_PER_MS),
        "all p50": whole.get_value_at_percentile(50) / NS_PER_MS,
        "all p99": whole.get_value_at_percentile(99) / NS_PER_MS,
        "all above": above,
        "away": pauses.away_share,
        "crossing": pauses.crossing or float("nan"),
        "clean": pauses.clean_s,
    }


def blocks(conditions: Sequence[Condition], count: int, kept: Path) -> list[dict[str, dict[str, float]]]:
    """Return the figures of every block by condition; those that were measured before are read."""
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    if len(found) >= count:
        return found[:count]
    warm_up(["wire091"], lambda _: None)
    roots = {name: one.root for name, one in ensure_images(SCENARIO).items()}
    with scratch_folder() as scratch, tempfile.TemporaryDirectory() as name, PauseMeter(root_group()) as meter:
        fleet = Fleet(SCENARIO, scratch, roots, lambda _: None)
        try:
            broker = fleet.get("rabbitmq", 0).broker
            # Two trials warm the broker; the last tells the delay of the slower detour.
            first = [figures(measured(Condition(0.0), broker, meter, number, Path(name))) for number in (-2, -1)][-1]
            port = broker.endpoint("amqp091").port
            with (
                detour(port) as straight,
                detour(port, "--delay-us", f"{100 * first['p50']:.1f}") as slower,
                detour(port, "--stall-ms", "300", "--every-s", "10") as stalling,
            ):
                ways = {"straight": straight, "slower": slower, "stalling": stalling}
                while len(found) < count:
                    block = {}
                    for one in random.sample(conditions, len(conditions)):
                        asked = cast("Broker", Through(broker, ways[one.way])) if one.way else broker
                        block[one.name] = figures(measured(one, asked, meter, len(found), Path(name)))
                    found.append(block)
                    with kept.open("a") as file:
                        file.write(json.dumps(block) + "\n")
                    print(f"block {len(found)} of {count}", flush=True)
        finally:
            fleet.stop_all()
    return found


def ratio(found: Sequence[dict[str, dict[str, float]]], a: Condition, b: Condition, figure: str) -> dict[str, Any]:
    """Return the ratio of a figure under two conditions over all blocks that have both, with its 95 % interval."""
    both = [(one[a.name][figure], one[b.name][figure]) for one in found]
    both = [pair for pair in both if all(0 < value < float("inf") for value in pair)]
    if len(both) < 2:
        return {"n": len(both), "ratio": None, "low": None, "high": None, "verdict": ""}
    made = compare(Pair([x for x, _ in both], [y for _, y in both]))
    return {"n": made.n, "ratio": made.ratio, "low": made.low, "high": made.high, "verdict": made.verdict.value}


def holds(one: dict[str, Any]) -> bool:
    """Return whether an interval holds 1, or lies near it."""
    if one["ratio"] is None:
        return False
    near = one["low"] >= 1 - TOLERANCE and one["high"] <= 1 + TOLERANCE
    return bool(near or one["low"] <= 1 <= one["high"])


def burners(found: Sequence[dict[str, dict[str, float]]]) -> tuple[list[dict[str, Any]], bool]:
    """Return each figure under pauses over that without, and whether those of estimates are as they must be."""
    rows, met = [], True
    for stopped in (False, True):
        for level in LEVELS[1:]:
            for figure in ("p50", "p99", *(("above",) if stopped else ())):
                pair = Condition(level, stopped), Condition(0.0, stopped)
                estimate, whole = ratio(found, *pair, figure), ratio(found, *pair, f"all {figure}")
                # Half of all messages is no tail: it is shown, and judged by nothing.
                fine = figure == "p50" or holds(estimate)
                met = met and fine
                rows.append(
                    {"stopped": stopped, "level": level, "figure": figure, "met": fine}
                    | {"estimate": estimate, "all": whole}
                )
    return rows, met


def controls(found: Sequence[dict[str, dict[str, float]]]) -> tuple[list[dict[str, Any]], bool]:
    """Return what is said of brokers that are slower by a known amount, and whether all are called worse."""
    rows, met = [], True
    for level in (0.0, 0.05):
        for way, figure in (("slower", "p50"), ("stalling", "p99")):
            pair = Condition(level, way=way), Condition(level, way="straight")
            estimate, whole = ratio(found, *pair, figure), ratio(found, *pair, f"all {figure}")
            fine = estimate["verdict"] == Verdict.WORSE.value
            met = met and fine
            rows.append({"level": level, "way": way, "figure": figure, "met": fine, "estimate": estimate, "all": whole})
    return rows, met


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is missing, judge, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("burners", "controls"), required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--blocks", type=int)
    given = parser.parse_args(words)
    conditions, judge, count = (BURNERS, burners, 20) if given.part == "burners" else (CONTROLS, controls, 12)
    beside = given.json.with_suffix("") if given.json else Path(tempfile.mkdtemp()) / "pauses"
    found = blocks(conditions, given.blocks or count, beside.with_name(f"{beside.name}-blocks.jsonl"))
    rows, met = judge(found)
    for row in rows:
        what = " ".join(str(value) for key, value in row.items() if key not in {"estimate", "all", "met"})
        said = "; ".join(
            f"{name} {one['ratio']:.3f} ({one['low']:.3f} to {one['high']:.3f}) {one['verdict']}"
            for name in ("estimate", "all")
            if (one := row[name])["ratio"] is not None
        )
        print(f"{what}: {said}{'' if row['met'] else '  NOT AS IT MUST BE'}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
