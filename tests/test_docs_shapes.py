"""docs/shapes.md does what it says: each of its workloads is sound behind the head of the page, on both brokers."""

import re
from pathlib import Path

import pytest

from bench.scenario.loading import load_text
from bench.scenario.scenario import RateLoad, Scenario

PAGE = (Path(__file__).parents[1] / "docs/shapes.md").read_text()
HEAD, *SHAPES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def loaded(shape: str) -> Scenario:
    """Return the scenario that a part of the page makes behind its head."""
    return load_text(f"{HEAD}\n{shape}", "docs/shapes.md").scenario


@pytest.mark.parametrize("shape", SHAPES[:-1], ids=lambda shape: re.findall('name = "(.*?)"', shape)[0])
def test_each_shape_can_be_run(shape: str) -> None:
    """It is checked as `bench run FILE --plan` does."""
    assert loaded(shape).workloads


def test_all_of_it_fits_in_one_workload() -> None:
    """Patterns, Zipf, sizes, two speeds, properties, calls beside, two protocols, dead letters, and a sweep."""
    found = loaded(SHAPES[-1])
    assert [(one.name, one.at) for one in found.workloads] == [
        ("market-p20", {"flows.0.prefetch": 20}),
        ("market-p200", {"flows.0.prefetch": 200}),
    ]
    trades, tagged, calls = found.workloads[0].parts()
    assert trades.keys is not None
    assert (len(trades.keys.texts), trades.keys.order) == (1000, "zipf")
    assert (len(trades.sizes), len(trades.kinds), trades.consumer_driver, trades.reject) == (3, 2, "wire10", 0.01)
    assert tagged.properties.message_id == "m-{seq}"
    assert isinstance(calls.load, RateLoad)
    assert (calls.pattern, calls.background, calls.load.rate) == ("rpc", True, 200)
    layout = found.workloads[0].laid_out("p", ["p-q"], 1)
    assert layout.dead == ("p-letters",)
    assert sum(len(flow.queues) for flow in layout.flows) == 102
    assert layout.flows[0].uniform == 1
