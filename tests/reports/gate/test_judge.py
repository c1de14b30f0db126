"""What estimates decide, and what all messages may keep them from deciding."""

from itertools import product
from typing import Any

from bench.stats.noninferiority import Decision, Judgement
from reports.gate.budget import Budget, Limit
from reports.gate.judge import _agreed, judge_paired
from reports.gate.result import Gate
from tests.reports.in_memory import made_tables


def test_all_messages_can_only_undo_a_decision() -> None:
    """A pass against a regression, either way, is undecided; where all messages are undecided the estimate stands."""
    for mine, theirs in product(Judgement, Judgement):
        found = _agreed(Decision(mine, 10, 0.05, needed=12), Decision(theirs, 10, 0.05))
        stands = theirs in {mine, Judgement.UNDECIDED}
        assert found.outcome is (mine if stands else Judgement.UNDECIDED)
        assert found.needed == (12 if stands else None)


SIDES = {"rabbitmq-091": "baseline", "rabbitmq-10": "candidate"}


def in_turn(run: dict[str, Any]) -> dict[str, Any]:
    """Let the two targets of RabbitMQ be two sides of one, on a large host."""
    for line in run["plan"]:
        if side := SIDES.get(line["target"]):
            line["paired"] = {"target": "rabbit", "broker": "rabbitmq", "side": side}
    return run


def judged(rates: list[float], invalid: tuple[int, ...] = ()) -> Gate:
    """Return a gate by the rate of pairs, the candidate's as given and the baseline's 2,000; some are invalid."""

    def with_rate(trial: dict[str, Any]) -> dict[str, Any]:
        new = SIDES.get(trial["target"]) == "candidate"
        health = [{"code": "send-lag", "hard": True, "text": "late"}] if trial["repetition"] in invalid else []
        return trial | {"achieved_rate": rates[trial["repetition"]] if new else 2_000.0, "health": health}

    data = made_tables(mode="full", repetitions=len(rates), closed_loop=False, change=with_rate, change_run=in_turn)
    return judge_paired(data, Budget(limits=(Limit(metric="achieved_rate", workload="steady"),)), None, ["run"])


def test_another_opinion_is_said_and_decides_nothing() -> None:
    """Nine pairs alike and one at a tenth: t is undecided, the signed-rank test would pass it."""
    noise = [0, 4, -3, 1, -4, 2, 0, 3, -2, 1]
    rates = [2_000.0 + one for one in noise]
    quiet = judged(rates)
    assert (quiet.verdict, quiet.lines[0].second) == ("pass", None)
    rates[3] = 200.0
    found = judged(rates)
    [line] = found.lines
    assert (found.verdict, line.verdict, line.disputed) == ("undecided", "undecided", True)
    assert line.second is not None
    assert line.second.verdict == "pass"
    assert "some pair lies far from the others" in line.text
    assert "says pass (" in line.text


def test_drift_of_a_side_is_said() -> None:
    """A rate that falls from pair to pair: the interval is widened, and a remark says by how much and why."""
    found = judged([2_000.0 - 20 * k for k in range(10)])
    assert found.drift is not None
    assert found.drift.widening > 2
    assert found.remarks[0].startswith("Neighbouring pairs are alike (lag-1 correlation 1.")
    assert "of 1 line): each side drifts for itself, so intervals are" in found.remarks[0]
    fewer = judged([2_000.0 - 20 * k for k in range(10)], invalid=(8, 9)).drift
    eight = judged([2_000.0 - 20 * k for k in range(8)]).drift
    assert fewer == eight != found.drift  # of the pairs that there are, not of those that were planned
