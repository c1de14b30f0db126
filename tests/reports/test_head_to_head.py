"""Product against product: what counts as ahead, and what is only seen."""

from collections.abc import Sequence
from dataclasses import replace

from reports.cases import Case, Row
from reports.durability import Durability
from reports.head_to_head import head_to_heads
from reports.questions import questions
from reports.summary import HeadToHead, Summary
from reports.verdict import comparisons
from tests.reports.synthetic import scenario
from tests.reports.test_verdict import row


def found(*loads: Sequence[Row], mode: str = "full", cpus: int = 8) -> list[HeadToHead]:
    """Return what is said of loads that are judged by p99, each of its own rows."""
    asked = questions(scenario())[0]
    cases = [
        Case(asked, {f"load-{place}": [replace(each, workload=f"load-{place}") for each in rows]}, mode, cpus)
        for place, rows in enumerate(loads)
    ]
    return list(head_to_heads(cases, comparisons(cases)))


def test_each_load_counts_once_by_its_verdict() -> None:
    """Two loads to one, one within the noise: the sentence counts them, and begins with the product ahead in more."""
    faster, slower, alike = ([row("a", 1e6), row("b", level)] for level in (2e6, 0.5e6, 1.001e6))
    [said] = found(slower, slower, faster, alike)
    assert (said.first_ahead, said.second_ahead) == (("load-2",), ("load-0", "load-1"))
    assert said.alike == ("load-3",)
    assert said.seen == 0
    assert said.sentence == "B 1.0 was ahead of A 1.0 in 2 of 4 loads, behind in 1 and not relevantly different in 1."


def test_a_product_stands_with_its_best_row() -> None:
    """A second, slow protocol of a product takes nothing from it."""
    rows = [row("a", 1e6), row("slow", 9e6), row("b", 2e6)]
    rows[1] = replace(rows[1], name=replace(rows[1].name, product="A"))
    [said] = found(rows, rows, rows)
    assert len(said.first_ahead) == 3


def test_without_a_verdict_it_is_seen_and_said_to_be() -> None:
    """In a quick look one is ahead where every pair of trials says so; where pairs disagree nobody is."""
    clear = [row("a", 1e6, n=2), row("b", 2e6, n=2)]
    torn = [row("a", 1e6, n=2), replace(row("b", 1e6), estimates={("run", 0): 0.5e6, ("run", 1): 2e6})]
    [said] = found(clear, clear, torn, mode="quick")
    assert (said.first_ahead, said.undecided, said.seen) == (("load-0", "load-1"), ("load-2",), 3)
    assert said.sentence.endswith("not told apart in 1. This was seen in every pair of trials, and is no ranking.")


def test_rows_of_unlike_durability_are_never_held_against_each_other() -> None:
    """A load in which no two rows survive the same is counted as not compared; like rows of it are found."""
    unlike = [row("a", 1e6, kept=Durability.PROCESS), row("b", 2e6, kept=Durability.SYSTEM)]
    another = row("c", 3e6, kept=Durability.SYSTEM)
    partly = [*unlike, replace(another, name=replace(another.name, product="A"))]
    [said] = found(unlike, unlike, partly)
    assert said.unlike == ("load-0", "load-1")
    assert said.second_ahead == ("load-2",)


def test_few_loads_or_one_product_need_no_count() -> None:
    """Below three loads, or with one product, the answers say all."""
    pair = [row("a", 1e6), row("b", 2e6)]
    assert not found(pair, pair)
    assert not found(pair[:1], pair[:1], pair[:1])


def test_a_report_tells_it(quick_summary: Summary) -> None:
    """A summary of several loads has it."""
    assert [each.seen for each in quick_summary.head_to_head]
