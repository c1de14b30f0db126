"""Rows with trials enough that have too few in common are neither told apart nor alike: they are not compared."""

import re
from collections.abc import Mapping

import numpy as np
import pytest

from reports.cases import Case, Row
from reports.durability import Durability
from reports.exclusions import not_compared
from reports.format import Name
from reports.questions import questions
from reports.verdict import Statement, answer, comparisons
from tests.reports.synthetic import scenario

ALL = range(20)


def case(rows: Mapping[str, tuple[float, range]], runs: Mapping[str, str] | None = None) -> Case:
    """Return rows around a level each, with 2 % of noise, that have only some repetitions, of one run or as told."""
    rng = np.random.default_rng(4)
    made = []
    for target, (level, kept) in rows.items():
        noisy = {
            ((runs or {}).get(target, "run"), k): float(level * factor)
            for k, factor in enumerate(rng.lognormal(0, 0.02, len(ALL)))
            if k in kept
        }
        name = Name(target, target.upper(), target.upper(), "1.0", "AMQP 1.0")
        made.append(Row(name, "steady", noisy, level, client_bound=False, durability=Durability.NONE))
    return Case(questions(scenario())[0], {"steady": made}, "full", 8)


def said(of: Case) -> Statement:
    """Return what is said of it."""
    return answer(of, comparisons([of]))


def test_a_row_with_too_few_pairs_is_not_called_alike() -> None:
    """Twice the latency, ten trials, and seven of them in common with any other: it is named as not compared."""
    found = said(case({"a": (2e6, range(5, 15)), "b": (1e6, range(12)), "c": (1.3e6, range(12))}))
    assert (found.kind, found.winner, found.headline) == ("open", None, "No single winner")
    assert re.fullmatch(
        r"C has 1\.2\d to 1\.3\d times the p99 response of B \(9\S+ % interval, est.*, n = 12 pairs\)\.",
        found.effect,
    )
    assert found.exclusions == "Not compared, with 7 usable pairs of 10 needed: A with any other row."
    assert "told apart" not in found.sentence


def test_a_pair_is_named_where_each_row_is_compared_with_another() -> None:
    """The two leaders cannot be compared; both beat the third."""
    found = said(case({"a": (1e6, range(5, 15)), "b": (1e6, range(11)), "c": (2e6, ALL)}))
    assert re.match(
        r"C has (1\.9\d*|2\.0\d*) (to 2\.0\d* )?times the p99 response of every other row compared", found.effect
    )
    assert "told apart" not in found.effect
    assert found.exclusions == "Not compared, with 6 usable pairs of 10 needed: A with B."


def test_what_is_alike_is_said_beside_what_is_not_compared() -> None:
    """No row is behind, and one is compared with none."""
    found = said(case({"a": (1e6, range(11)), "b": (1.001e6, range(11)), "c": (2e6, range(5, 15))}))
    assert found.headline == "No winner: not every row is compared"
    assert found.effect == "A and B lie within 5 % of each other."
    assert found.exclusions == "Not compared, with 6 usable pairs of 10 needed: C with any other row."


def test_without_any_pair_nothing_is_ranked() -> None:
    """Two rows of ten trials and five in common: no word of which is lower."""
    found = said(case({"a": (2e6, range(10)), "b": (1e6, range(5, 15))}))
    assert (found.kind, found.headline) == ("not ranked", "Not ranked: too few pairs")
    assert found.effect == "Any two rows have 5 usable pairs of trials, and a verdict needs 10."
    assert found.exclusions == ""


@pytest.mark.parametrize(
    ("runs", "headline"),
    [({}, "Not ranked: too few pairs"), ({"b": "later"}, "Not ranked: rows of different runs")],
)
def test_rows_without_a_pair_are_of_different_runs_only_if_they_share_none(runs: dict[str, str], headline: str) -> None:
    """Left-out trials of one run do not make two of it."""
    found = said(case({"a": (2e6, range(10)), "b": (1e6, range(10, 20))}, runs))
    assert (found.kind, found.headline) == ("not ranked", headline)


def test_rows_that_are_compared_are_not_listed() -> None:
    """Nothing stands outside."""
    assert not_compared(case({"a": (2e6, ALL), "b": (1e6, ALL)})) == ""
