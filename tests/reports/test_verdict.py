"""What may be concluded: the sentences, and above all what they must not say."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bench.scenario.products import describe
from bench.stats.ratio import Verdict
from reports.cases import Case, Row
from reports.durability import Durability, durability
from reports.format import Name
from reports.questions import questions
from reports.summary import Summary
from reports.verdict import Statement, answer, comparisons
from tests.reports.synthetic import scenario

RANKING = re.compile(
    r"lowest|highest|fastest|slowest|best|winner|carries most|faster|slower|better|beats", re.IGNORECASE
)
NOISE = np.exp(0.02 * np.linspace(-1.5, 1.5, 10))


def row(target: str, level: float, *, n: int = 10, bound: bool = False, kept: Durability = Durability.NONE) -> Row:
    """Return a row whose trials lie around a level, with 2 % of noise that differs from target to target."""
    shift = sum(map(ord, target)) % n
    values = np.roll(NOISE[:n], shift) * level
    name = Name(target, target, target.upper(), "1.0", "AMQP 1.0")
    estimates = {("run", k): float(value) for k, value in enumerate(values)}
    return Row(name, "steady", estimates, float(np.median(values)), bound, kept)


def judged(
    rows: Sequence[Row], *, mode: str = "full", cpus: int | None = 8, sweep: bool = False
) -> tuple[str, str | None]:
    """Return sentence and winner of one question of the synthetic scenario."""
    found = said(rows, mode=mode, cpus=cpus, sweep=sweep)
    return found.sentence, found.winner


def said(rows: Sequence[Row], *, mode: str = "full", cpus: int | None = 8, sweep: bool = False) -> Statement:
    """Return what is said of one question of the synthetic scenario."""
    asked = questions(scenario())[2 if sweep else 0]
    by_workload = {w.name: [Row(**{**vars(r), "workload": w.name}) for r in rows] for w in asked.workloads}
    case = Case(asked, by_workload, mode, cpus)
    return answer(case, comparisons([case]))


def test_a_clear_winner_is_named_with_its_version() -> None:
    """20 % apart at 2 % noise and ten trials: the sentence names product, version, protocol and figures."""
    sentence, winner = judged([row("a", 1e6), row("b", 1.2e6), row("c", 1.4e6)])
    assert winner == "a"
    assert sentence.startswith("A 1.0 over AMQP 1.0 has the lowest p99 response. Next is B 1.0 over AMQP 1.0 with 1.1")
    assert re.search(
        r"1\.1\d to 1\.2\d times that \(97\.5 % interval, estimate 1\.20, n = 10 pairs\); the other has 1\.3\d to 1\.4",
        sentence,
    )
    assert "1.00 ms" in sentence


def test_a_quick_run_names_no_winner() -> None:
    """However clear the figures, a quick run ranks nothing and keeps the scenario's order."""
    sentence, winner = judged([row("b", 9e6), row("a", 1e6)], mode="quick")
    assert winner is None
    assert not RANKING.search(sentence.replace("names no winner", ""))
    assert sentence.index("9.00 ms") < sentence.index("1.00 ms")


def test_fewer_than_ten_trials_give_no_verdict() -> None:
    """Nine trials a row: figures, the number, and no ranking."""
    sentence, winner = judged([row("a", 1e6, n=9), row("b", 2e6, n=9)])
    assert winner is None
    assert "9 usable trials" in sentence
    assert not RANKING.search(sentence)


def test_a_client_bound_row_wins_nothing() -> None:
    """The lowest row is client-bound: the next one wins among the rest, and the sentence says who stood outside."""
    sentence, winner = judged([row("a", 1e6, bound=True), row("b", 1.5e6), row("c", 2e6)])
    assert winner == "b"
    assert "Not compared: A 1.0 over AMQP 1.0 (client-bound: a lower bound)" in sentence


def test_a_row_whose_messages_never_came_wins_nothing() -> None:
    """One trial without bound takes the row out of the comparison, visibly."""
    lossy = row("a", 1e6)
    lossy = Row(**{**vars(lossy), "estimates": {**lossy.estimates, ("run", 3): float("inf")}})
    sentence, winner = judged([lossy, row("b", 1.5e6), row("c", 2e6)])
    assert winner == "b"
    assert "more than 1 % of the messages never came" in sentence


def test_rows_of_unlike_durability_are_not_compared() -> None:
    """A store that survives less cannot win against one that survives more."""
    sentence, winner = judged([row("a", 1e6, kept=Durability.PROCESS), row("b", 2e6, kept=Durability.SYSTEM)])
    assert winner is None
    assert "different durability" in sentence


def test_few_cpus_rank_nothing_by_throughput() -> None:
    """A sweep on two CPUs, or on an unknown number, is shown and not ranked; the same on eight has a winner."""
    rows = [row("a", 2_000), row("b", 1_000)]
    for cpus, words in ((2, "this host has 2 CPUs"), (None, "not known")):
        sentence, winner = judged(rows, cpus=cpus, sweep=True)
        assert winner is None
        assert words in sentence
        assert not RANKING.search(re.sub("throughput is ranked|Not ranked", "", sentence))
    assert judged(rows, sweep=True)[1] == "a"


def test_equal_rows_are_said_to_be_the_same() -> None:
    """Differences well inside 5 % are no relevant difference."""
    sentence, winner = judged([row("a", 1e6), row("b", 1.005e6)])
    assert winner is None
    assert sentence.startswith("No relevant difference")


def test_rows_not_told_apart_are_said_to_be_so() -> None:
    """Two leaders within noise, one row behind: neither leader wins, and the sentence says what would decide."""
    rng = np.random.default_rng(2)
    rows = []
    for target, level in (("a", 1.0e6), ("b", 1.06e6), ("c", 3e6)):
        estimates = {("run", k): float(level * rng.lognormal(0, 0.15)) for k in range(10)}
        rows.append(Row(**{**vars(row(target, level)), "estimates": estimates}))
    sentence, winner = judged(rows)
    assert winner is None
    assert "a and b are not told apart" in sentence
    assert re.search(r"about \d+ trials a row would decide", sentence)
    told = re.search(
        r"c has (\S+) to (\S+) times the p99 response of every other row compared"
        r" \(outermost ends of the intervals, estimates (\S+) to (\S+), n = 10 pairs or more\)\.",
        sentence,
    )
    assert told
    low, high, least, most = map(float, told.groups())
    assert 1 < low < least < most < high
    assert 2.5 < least < 3.3


def test_a_row_is_behind_those_that_beat_it_and_no_others() -> None:
    """Between a leader and a row behind stands one that is told apart from neither: nothing is said of the two."""
    quiet, loud = row("a", 1.0e6), row("c", 1.3e6)
    rng = np.random.default_rng(3)
    wide = {("run", k): float(1.15e6 * rng.lognormal(0, 0.4)) for k in range(10)}
    found = said([quiet, Row(**{**vars(row("b", 1.15e6)), "estimates": wide}), loud])
    assert (found.kind, found.winner) == ("open", None)
    assert re.match(
        r"c has 1\.2\d to 1\.3\d times the p99 response of a \(98\.3 % interval, estimate 1\.3", found.effect
    )
    assert "a and b are not told apart" in found.effect


def test_a_lone_leader_is_not_told_apart_from_those_it_does_not_beat() -> None:
    """It beats one row, which beats the third; the leader and the third are open: both are named, and what decides."""
    asked = questions(scenario())[0]
    case = Case(asked, {"steady": [row("a", 1.0e6), row("b", 1.2e6), row("c", 1.4e6)]}, "full", 8)
    judged = comparisons([case])
    between = ("steady", "a", "c")
    found = answer(case, judged | {between: replace(judged[between], verdict=Verdict.UNDECIDED, trials_needed=31)})
    assert (found.kind, found.winner) == ("open", None)
    assert found.effect.startswith("b has 1.18 to 1.22 times the p99 response of a (")
    assert found.effect.endswith("a and c are not told apart; about 31 trials a row would decide.")


def test_without_any_figure_there_is_no_result() -> None:
    """Rows without estimates make one plain sentence."""
    nothing = Row(**{**vars(row("a", 1e6)), "estimates": {}, "centre": None})
    assert judged([nothing, nothing]) == ("No result. No trial could be used.", None)


def test_an_overloaded_row_wins_nothing_and_has_no_latency() -> None:
    """Its p99 would be the lowest; it is named as overloaded, and the next one wins."""
    rows = [
        Row(**{**vars(row("a", 1e6)), "overload": "overloaded: backlog grew by 90 msg/s"}),
        row("b", 1.5e6),
        row("c", 2e6),
    ]
    found = said(rows)
    assert found.winner == "b"
    assert "A 1.0 over AMQP 1.0 (overloaded: backlog grew by 90 msg/s)" in found.exclusions
    assert "without bound (overloaded: backlog grew by 90 msg/s) for A 1.0" in found.figures
    assert "1.00 ms" not in found.sentence


def test_a_product_is_ahead_where_each_of_its_rows_is() -> None:
    """Two rows of one product within noise, both clearly better than the other product's: the product is named."""
    rng = np.random.default_rng(5)
    rows = []
    for target, level in (("a", 1.0e6), ("aa", 1.01e6), ("b", 2e6), ("bb", 3e6)):
        name = Name(target, target, target[0].upper(), "1.0", f"way {target}")
        estimates = {("run", k): float(level * rng.lognormal(0, 0.08)) for k in range(10)}
        rows.append(Row(**{**vars(row(target, level)), "name": name, "estimates": estimates}))
    found = said(rows)
    assert (found.kind, found.winner) == ("ahead", None)
    assert found.headline == "A 1.0 has the lower p99 response, over every protocol"
    assert "B 1.0" in found.effect


def test_rows_of_different_runs_are_not_ranked() -> None:
    """However far apart, trials that were not interleaved decide nothing."""
    later = row("b", 3e6)
    later = Row(**{**vars(later), "estimates": {("later", k): v for (_, k), v in later.estimates.items()}})
    found = said([row("a", 1e6), later])
    assert (found.kind, found.headline) == ("not ranked", "Not ranked: rows of different runs")


@pytest.mark.parametrize("mode", ["quick", "full"])
def test_a_whole_report_names_only_whom_it_may(mode: str, quick_summary: Summary, full_summary: Summary) -> None:
    """Whole reports: the quick one names no winner in any sentence, the full one never the client-bound row."""
    if mode == "quick":
        assert all(answer.winner is None for answer in quick_summary.answers)
        assert not any(RANKING.search(a.sentence.replace("names no winner", "")) for a in quick_summary.answers)
        assert quick_summary.comparisons == ()
    else:
        steady = full_summary.answers[0]
        assert steady.winner == "rabbitmq-091"
        assert full_summary.cell("broker-j-10", "steady").client_bound
        assert "broker-j-10" not in {c.first for c in full_summary.comparisons if c.workload == "steady"}
        assert "broker-j-10" not in {c.second for c in full_summary.comparisons if c.workload == "steady"}


def test_durability_follows_the_store() -> None:
    """Quorum and BDB survive an operating-system crash; a transient workload promises nothing."""
    asked = scenario()
    known = describe(asked)
    steady, durable = asked.workloads[:2]
    assert durability(known, "rabbitmq", durable) is Durability.SYSTEM
    assert durability(known, "broker-j", durable) is Durability.SYSTEM
    assert durability(known, "rabbitmq", steady) is Durability.NONE
    with pytest.raises(KeyError):
        durability(known, "nobody", durable)


def test_a_sweep_is_one_question_in_rising_order() -> None:
    """Bounds of one closed loop belong together; rates stand by themselves."""
    found = questions(scenario())
    assert [question.name for question in found] == ["steady", "durable", "in-flight"]
    assert [workload.name for workload in found[2].workloads] == ["in-flight-16", "in-flight-64", "in-flight-256"]


def test_a_sweep_without_one_winner_tells_each_load_briefly_with_its_effect() -> None:
    """A winner at 16, one row behind at 64, all alike at 256: by how much stands in each part."""
    asked = questions(scenario())[2]
    first, second, third = (workload.name for workload in asked.workloads)
    levels = {first: (3e3, 2e3, 1e3), second: (3e3, 3e3, 1.5e3), third: (3e3, 3e3, 3e3)}
    cases = {
        name: [Row(**{**vars(row(target, level)), "workload": name}) for target, level in zip("abc", each, strict=True)]
        for name, each in levels.items()
    }
    case = Case(asked, cases, "full", 8)
    found = answer(case, comparisons([case]))
    assert found.headline == "No single winner over every number in flight"
    one, two, three = found.effect.removesuffix(".").split("; ")
    assert re.fullmatch(rf"{first}: a highest, the next has 0\.6\d+ to 0\.6\d+ times that", one)
    behind = r"c has 0\.\d+ to 0\.\d+ times that of every other row compared"
    assert re.fullmatch(rf"{second}: {behind}, the others alike", two)
    assert three == f"{third}: no relevant difference"


def test_one_row_alone_is_told_and_not_ranked() -> None:
    """Nothing to compare: the figure with its interval; of one trial the figure, and that it shows no interval."""
    found = said([row("a", 1e6)])
    assert (found.kind, found.winner) == ("measured", None)
    assert found.headline.startswith("p99 response 1.00 ms")
    assert re.fullmatch(r"95 % interval 0\.9\d+ to 1\.0\d ms, of 10 trials\.", found.effect)
    once = Row(**{**vars(row("a", 1e6)), "estimates": {("run", 0): 1e6}})
    assert said([once], mode="quick").effect == "One trial has no interval; 4 or more give one."


def test_many_points_are_told_together() -> None:
    """A sweep of eight points: who wins everywhere, by how much over all; else at how many of them."""
    sizes = {"size": {"sweep": [32 * 2**k for k in range(8)]}}
    [asked] = questions(scenario(sweep=sizes))
    slower = {one.name: 1.5 + place / 10 for place, one in enumerate(asked.workloads)}

    def told(level: float) -> Statement:
        rows = {
            name: [replace(one, workload=name) for one in (row("a", 1e6), row("b", 1e6 * max(factor, level)))]
            for name, factor in slower.items()
        }
        if not level:  # at one point the other is ahead
            rows["swept-32b"] = [replace(one, workload="swept-32b") for one in (row("a", 2e6), row("b", 1e6))]
        case = Case(asked, rows, "full", 8)
        return answer(case, comparisons([case]))

    everywhere = told(1.0)
    assert everywhere.headline == "A 1.0 over AMQP 1.0 has the lowest p99 response at every size"
    assert re.match(r"Over 8 points the others have 1\.\d+ to 2\.2\d times that \(outermost ends", everywhere.effect)
    assert "the p99 response was 1.00 ms everywhere for A 1.0" in everywhere.figures
    assert "from 1.50 ms at size 32 B to 2.20 ms at size 4 KiB for B 1.0" in everywhere.figures
    mixed = told(0.0)
    assert mixed.winner is None
    assert mixed.headline == "No single winner over every size"
    assert mixed.effect == (
        "B 1.0 over AMQP 1.0 has the lowest p99 response: 1 of 8 points;"
        " A 1.0 over AMQP 1.0 has the lowest p99 response: 7 of 8 points."
    )
