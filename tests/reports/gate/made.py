"""Gates made by hand, for what writes them down."""

from typing import Any

from reports.gate.result import EXIT_CODES, Gate, GateLine, LimitLine


def made_line(verdict: str = "pass", **changes: Any) -> GateLine:
    """Return a line of ten pairs, 2 % worse."""
    fields: dict[str, Any] = {
        "target": "rabbit",
        "workload": "steady",
        "metric": "p99",
        "unit": "ms",
        "direction": "lower",
        "verdict": verdict,
        "n": 10,
        "planned": 10,
        "baseline": 1_000_000.0,
        "candidate": 1_020_000.0,
        "ratio": 1.02,
        "low": 1.001,
        "high": 1.04,
        "alpha": 0.002,
        "bound": 1.03,
        "limit": 0.1,
        "detectable": 0.07,
        "needed": 24 if verdict == "undecided" else None,
        "text": f"p99 latency: +2 %, {verdict}.",
    }
    return GateLine(**(fields | changes))


def made_limit(verdict: str = "pass", **changes: Any) -> LimitLine:
    """Return a limit of 5 ms on a p99 of 4 ms."""
    fields: dict[str, Any] = {
        "target": "rabbit",
        "workload": "steady",
        "metric": "p99",
        "unit": "ms",
        "side": "at_most",
        "bound": 5_000_000.0,
        "verdict": verdict,
        "n": 10,
        "planned": 10,
        "value": 4_000_000.0,
        "low": 3_800_000.0,
        "high": 4_200_000.0,
        "alpha": 0.01,
        "needed": 12 if verdict == "undecided" else None,
        "text": f"p99 latency: 4 ms, at most 5 ms, {verdict}.",
    }
    return LimitLine(**(fields | changes))


def made_gate(verdict: str = "pass", *lines: GateLine, **changes: Any) -> Gate:
    """Return a gate of these lines."""
    fields: dict[str, Any] = {
        "verdict": verdict,
        "exit_code": EXIT_CODES[verdict],
        "sentence": f"{verdict.capitalize()}: as it is.",
        "paired": True,
        "baseline": "a",
        "candidate": "b",
        "host_classes": ("CPU × 2",),
        "pairs": 10,
        "alarm": 0.01,
        "miss": 0.05,
        "power": 0.95,
        "noise_floor": {},
        "lines": lines or (made_line(verdict),),
        "remarks": ("a remark",),
        "started_utc": "2026-01-01T12:00:00+00:00",
        "results": ("results/gate",),
    }
    return Gate(**(fields | changes))
