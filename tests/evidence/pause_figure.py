"""The figure of docs/method.md: what an estimate makes of a host that is away for 3 % of the time.

    python -m tests.evidence.pause_figure

Simulates the broker of `tests/laws/test_pauses.py` that stalls for 80 ms each second, and draws the share of messages
that take longer than a time: without pauses, all with pauses, those that no pause touched, and the estimate.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bench.units import NS_PER_MS
from tests.evidence.series import ROOT
from tests.laws.test_pauses import _untouched, pooled, recorded, runs

RUNS = 60
_AT_MS = np.linspace(0.2, 95, 400)


def draw() -> Figure:
    """Return the figure."""
    made = runs("a stall of 80 ms each second", 0.03, 2, 30, RUNS)
    found = pooled(recorded(run) for run in made)
    truth = np.concatenate([run.truth for run in made])
    whole = np.concatenate([run.done - run.due for run in made])
    untouched = np.concatenate([_untouched(run) for run in made])
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "busbench", "font.size": 10}):
        figure = Figure((7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        for values, label, style in (
            (whole, "all messages, host away 3 % of the time", {"color": "#b4513e", "linestyle": "--"}),
            (untouched, "only messages that no pause touched", {"color": "#8a8a8a", "linestyle": ":"}),
            (truth, "the same broker on a host that is never away", {"color": "#222222", "linewidth": 2.6}),
        ):
            share = 1 - np.searchsorted(np.sort(values), _AT_MS * NS_PER_MS, side="right") / len(values)
            axes.plot(_AT_MS, 100 * share, label=label, **style)
        estimate = [100 * found.above(at * NS_PER_MS) for at in _AT_MS]
        axes.plot(_AT_MS, estimate, label="estimate of busbench", color="#2f7fb8", linewidth=1.4)
        axes.set_yscale("log")
        axes.set_ylim(0.05, 20)
        axes.set_yticks([0.1, 1, 10], ["0.1 %", "1 %", "10 %"])
        axes.set_xlabel("response, ms")
        axes.set_ylabel("share that takes longer")
        axes.legend(frameon=False, loc="lower left")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw().savefig(ROOT / "docs" / "pauses.svg", metadata={"Date": None})
