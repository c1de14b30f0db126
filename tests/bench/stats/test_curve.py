"""Rates of a curve: shares of each target's own limit and equal rates for all, in a seeded order."""

from bench.stats.curve import SHARES, points


def test_shares_and_equal_rates() -> None:
    """Each target has every share of its own rate and every share of the highest, each trial once."""
    made = points({"a": 1_000.0, "b": 400.0}, seed=3)
    assert 8 <= len(SHARES) <= 12
    assert (SHARES[0], SHARES[-1]) == (0.1, 0.95)
    for target, limit in (("a", 1_000), ("b", 400)):
        mine = [point for point in made if point.target == target]
        assert sorted(p.rate for p in mine if p.share is not None) == [limit * share for share in SHARES]
        assert {1_000 * share for share in SHARES} <= {point.rate for point in mine}
        assert len({point.rate for point in mine}) == len(mine)


def test_the_order_is_random_and_seeded() -> None:
    """The same seed, the same order; neither rising nor target by target; nothing to do without a rate."""
    limits = {"a": 1_000.0, "b": 900.0}
    assert points(limits, 1) == points(limits, 1) != points(limits, 2)
    rates = [point.rate for point in points(limits, 1)]
    assert rates != sorted(rates)
    assert points({}, 1) == ()
