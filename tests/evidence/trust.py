"""The measured part of docs/evidence.md: whether verdicts hold on real brokers. Needs a quiet machine and an hour.

    python -m tests.evidence.trust            # measure what is missing, write the page
    python -m tests.evidence.trust --render   # write the page from what was measured

The files are in `results/evidence/`; see `tests.evidence.series`. Ends in 1 where something
is not as it must be; its figures are kept and shown all the same.
"""

import sys
from collections.abc import Iterator
from typing import Any

from tests.evidence.aa import TITLES
from tests.evidence.series import ROOT, Step, carry_out, pairs, program

FOLDER = ROOT / "results" / "evidence"
PAGE = ROOT / "docs" / "evidence.md"
_SHORT = tuple(
    word
    for override in (
        "workloads.0.duration=4s",
        "workloads.1.duration=4s",
        "plan.warm_up.settle=1s",
        "plan.warm_up.at_least=10s",
    )
    for word in ("--set", override)
)


def stores(found: list[dict[str, Any]]) -> Iterator[str]:
    """Return what each store wrote for its confirmed messages."""
    yield "| store | messages | fsync | fdatasync | O_DSYNC writes | a confirmed message survives |"
    yield "|---|---|---|---|---|---|"
    for one in found:
        counts = " | ".join(f"{one[name]:,}" for name in ("messages", "fsyncs", "fdatasyncs", "synchronous_writes"))
        wrong = "" if one["class"] == one["expected"] else f", NOT AS EXPECTED ({one['expected']})"
        yield f"| {one['product']}, {one['broker']} | {counts} | {one['class']}{wrong} |"


def beside_itself(found: dict[str, Any]) -> Iterator[str]:
    """Return the verdicts on target b; those that a report would judge stand out."""
    for part, holds in found["held"].items():
        yield f"{TITLES[part]}: {'as it must be' if holds else 'NOT AS IT MUST BE'}.\n"
        yield "| workload | metric | pairs | b / a | interval | verdict on b |"
        yield "|---|---|---|---|---|---|"
        for one in found[part]:
            mark = "**" if one["judged"] else ""
            yield (
                f"| {one['workload']} | {one['metric']} | {one['n']} | {one['ratio']:.3f} |"
                f" {one['low']:.3f} to {one['high']:.3f} | {mark}{one['verdict']}{mark} |"
            )


def _interval(one: dict[str, Any]) -> str:
    return "–" if one["ratio"] is None else f"{one['ratio']:.3f} ({one['low']:.3f} to {one['high']:.3f})"


def with_burners(found: list[dict[str, Any]]) -> Iterator[str]:
    """Return what estimates and all messages say of a broker whose host is away, over what they say of it without."""
    yield "| RabbitMQ | every CPU taken | figure | estimate, 95 % interval | of all messages |"
    yield "|---|---|---|---|---|"
    for one in found:
        what = "stopped for 80 ms each second" if one["stopped"] else "as it is"
        figure = "share above 10 ms" if one["figure"] == "above" else one["figure"]
        wrong = "" if one["met"] else " NOT AS IT MUST BE"
        estimate, whole = _interval(one["estimate"]), _interval(one["all"])
        yield f"| {what} | {100 * one['level']:g} % | {figure} | {estimate}{wrong} | {whole} |"


def behind_a_proxy(found: list[dict[str, Any]]) -> Iterator[str]:
    """Return what is said of a broker that is slower by a known amount."""
    yield "| behind a proxy that | every CPU taken | figure | estimate, 95 % interval | verdict | of all messages |"
    yield "|---|---|---|---|---|---|"
    for one in found:
        what = "delays by a tenth of p50" if one["way"] == "slower" else "stalls for 300 ms every 10 s"
        wrong = "" if one["met"] else " NOT AS IT MUST BE"
        yield (
            f"| {what} | {100 * one['level']:g} % | {one['figure']} | {_interval(one['estimate'])} |"
            f" {one['estimate']['verdict']}{wrong} | {_interval(one['all'])} {one['all']['verdict']} |"
        )


STEPS = {
    "health": Step("What is said of trials that go wrong, on RabbitMQ", program("health"), pairs),
    "durability": Step("What brokers write for a confirmed message", program("durability"), stores),
    "search": Step("`bench search --quick`", program("search"), pairs),
    "gate": Step("`bench gate --paired` on RabbitMQ", program("gate"), pairs),
    "same": Step("RabbitMQ beside itself", program("aa", "--part", "same", *_SHORT), beside_itself),
    "half": Step(
        "RabbitMQ beside itself with half its CPUs",
        program("aa", "--part", "half", "--pairs", "10", *_SHORT),
        beside_itself,
    ),
    "pauses": Step(
        "RabbitMQ on a host that is away, over the same without pauses",
        program("pauses", "--part", "burners"),
        with_burners,
    ),
    "controls": Step(
        "RabbitMQ slower by a known amount, over the same straight through",
        program("pauses", "--part", "controls"),
        behind_a_proxy,
    ),
}


if __name__ == "__main__":
    sys.exit(carry_out(STEPS, FOLDER, PAGE, str(__doc__)))
