"""What someone who watches is told of when workers showed their counts."""

import numpy as np

from bench.run.trial import mean_ns


def test_workers_that_are_not_there_have_shown_nothing() -> None:
    """Where nobody consumes there is no consumer; and one that has shown nothing yet has no time."""
    assert mean_ns(np.empty(0, np.int64)) == 0
    assert mean_ns(np.array([0, 4])) == 0
    assert mean_ns(np.array([2, 4])) == 3
