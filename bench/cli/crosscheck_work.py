"""The work of `bench crosscheck`: which tools, in turn, and their figures on the terminal."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from bench.cli.console import EXIT_FAILED, EXIT_USAGE, err, fail, out, print_table, tell, warn_of_former
from bench.cli.image import check_recipes, ensure_images
from bench.crosscheck.artemis_perf import ArtemisPerf
from bench.crosscheck.conduct import CrosscheckOptions, conduct
from bench.crosscheck.fetch import FetchError, ensure
from bench.crosscheck.pairing import Pairing, estimate_s, pairings
from bench.crosscheck.peer import PeerError
from bench.crosscheck.perftest import PerfTest
from bench.crosscheck.ratios import FIGURES
from bench.crosscheck.readings import Captured, Checked, Crosscheck
from bench.crosscheck.tcpdump import SniffError
from bench.crosscheck.tcpdump import check as check_capture
from bench.run.host_record import host_facts, tool_versions
from bench.run.scratch_folder import scratch_root
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import load_scenario
from bench.scenario.scenario import Scenario
from bench.units import NS_PER_MS, NS_PER_S, time_words
from brokers.base import BrokerError

_SMALL = 0.1
_PEERS = (PerfTest(), ArtemisPerf())


def start(
    *,
    scenario: str,
    pairs: int,
    driver: list[str] | None,
    overrides: list[str] | None,
    warm_up: int,
    capture: bool,
    json: Path | None,
) -> None:
    """Carry it out and print what was found; see `bench.cli.crosscheck`."""
    try:
        given = load_scenario(scenario, overrides or []).scenario
        checks, refused = pairings(given, _PEERS, driver or [])
    except ScenarioError as error:
        fail(EXIT_USAGE, *map(str, error.faults))
    if capture and all(one.workload.closed for one in checks):
        fail(EXIT_USAGE, "--capture needs a workload with a fixed rate, and none is left")
    warn_of_former(name for one in checks for name in one.drivers)
    check_recipes(given)
    tell(*refused, kind="left out")
    if json is not None and not json.parent.is_dir():
        fail(EXIT_USAGE, f"--json {json}: there is no folder {json.parent}")
    settle_s = given.plan.warm_up.settle / NS_PER_S
    length = time_words(estimate_s(checks, settle_s, pairs, warm_up, capture=capture))
    err.print(f"{len(checks)} pairings, about {length}")
    started = datetime.now(UTC)
    checked, brokers = _carry_out(given, checks, pairs, warm_up, capture=capture)
    found = Crosscheck(
        scenario=given.name,
        started_utc=started.isoformat(timespec="seconds"),
        pairs=pairs,
        warm_up_s=warm_up,
        checked=checked,
        refused=refused,
        brokers=brokers,
        tools=tool_versions({name for one in checks for name in one.drivers}),
        host=host_facts(Path(), scratch_root()),
    )
    for one in checked:
        _print(one, pairs)
    if json is not None:
        _write(json, found)


def _carry_out(
    scenario: Scenario, checks: tuple[Pairing, ...], pairs: int, warm_up_s: int, *, capture: bool
) -> tuple[tuple[Checked, ...], dict[str, str]]:
    # Both sides of every pair meet the same broker, so it starts once.
    plan = scenario.plan.model_copy(update={"restart": "run"})
    used = {pairing.target.broker for pairing in checks}
    brokers = tuple(broker for broker in scenario.brokers if broker.name in used)
    scenario = scenario.model_copy(update={"plan": plan, "brokers": brokers})
    try:
        if capture:
            with tempfile.TemporaryDirectory() as folder:
                check_capture(Path(folder))
        folders = {pairing.peer.name: ensure(pairing.peer, err.print) for pairing in checks}
        roots = {name: found.root for name, found in ensure_images(scenario).items()}
        return conduct(CrosscheckOptions(scenario, checks, pairs, capture, warm_up_s, folders, roots), _say)
    except (FetchError, PeerError, SniffError, BrokerError) as error:
        fail(EXIT_FAILED, str(error))
    except OSError as error:
        fail(EXIT_FAILED, f"the host refused: {error}")


def _say(text: str) -> None:
    err.print(Text(f"  {text}", style="dim"))


def _write(path: Path, found: Crosscheck) -> None:
    try:
        path.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        fail(EXIT_FAILED, f"--json {path} cannot be written: {error.strerror}")


def _print(one: Checked, pairs: int) -> None:
    out.print(Text(f"\n{one.target} · {one.workload}  ({one.asked})", style="bold"))
    rows: list[tuple[str, ...]] = [
        ("", "sent/s", "received/s", "p50 ms", "p99 ms", "CPU µs/msg", "memory MiB", "broker µs/msg")
    ]
    rows += [
        (
            side.version if side.version.startswith(side.side) else f"{side.side} ({side.version})",
            f"{side.sent_per_s:,.0f}",
            f"{side.received_per_s:,.0f}",
            f"{side.p50_ns / NS_PER_MS:.2f}",
            f"{side.p99_ns / NS_PER_MS:.2f}",
            "?" if side.cpu_us_per_message is None else f"{side.cpu_us_per_message:.1f}",
            "?" if side.rss_peak is None else f"{side.rss_peak / 2**20:.0f}",
            "?" if side.broker_cpu_us_per_message is None else f"{side.broker_cpu_us_per_message:.1f}",
        )
        for side in one.medians
    ]
    print_table(rows)
    for driver, what in one.drivers.items():
        out.print(f"{driver}: {what}.")
    for driver in dict.fromkeys(ratio.driver for ratio in one.ratios):
        parts = []
        for ratio in (ratio for ratio in one.ratios if ratio.driver == driver):
            ends = "" if ratio.low is None else f" ({_times(ratio.low)} … {_times(ratio.high)})"
            parts.append(f"{FIGURES[ratio.figure]} ×{_times(ratio.ratio)}{ends}")
        out.print(f"{driver} / {one.peer}: {'; '.join(parts)}")
    counted = f"medians of {pairs} pairs" if pairs > 1 else "one pair"
    out.print(
        f"Compared: {counted}, in turn on one running broker, measured part only. Latency is received - sent as each"
        f" tool takes it; CPU and memory are those of all processes of a tool. {one.differs}."
    )
    if one.captured:
        _print_captured(one.captured)
    for note in dict.fromkeys(f"{found.side}: {note}" for found in one.readings if found.pair for note in found.notes):
        out.print(f"  {note}")


def _times(ratio: float | None) -> str:
    """Return a ratio with two digits that say something."""
    return "?" if ratio is None else f"{ratio:.2f}" if ratio >= _SMALL else f"{ratio:.1g}"


def _print_captured(captured: Sequence[Captured]) -> None:
    out.print("\nOne more run of each under a packet capture:")
    rows: list[tuple[str, ...]] = [
        ("", "p50 ms: own", "wire", "p99 ms: own", "wire", "messages", "one way only", "packets dropped")
    ]
    rows += [
        (
            one.side,
            *(f"{ns / NS_PER_MS:.2f}" for ns in (one.own_p50_ns, one.wire_p50_ns, one.own_p99_ns, one.wire_p99_ns)),
            *(f"{count:,}" for count in (one.messages, one.unmatched, one.dropped)),
        )
        for one in captured
    ]
    print_table(rows)
    out.print(
        "Own: received - sent as the tool takes it, over its measured part. Wire: from the packet that carried a"
        " message to the broker to the one that carried it back, by a decoder that measures nothing else; what"
        " own has above it is time within the tool."
    )
