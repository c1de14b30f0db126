"""`--list-set` tells the truth: each line, typed after `--set`, is taken and changes nothing."""

import pytest

from bench.scenario.loading import SHIPPED, load_text, what_can_be_set
from bench.scenario.scenario import Scenario, Workload
from bench.scenario.settable import Settable, toml

ALL = """
name = "all"
title = "Every kind of value"
question = "Is \\"this\\" read back = as it stands?"
brokers = [
  { name = "a.b", kind = "rabbitmq", place = "external", external = { host = "amqps://me@h.example/v", tls = true } },
  { name = "7", kind = "memory", stalls = [{ at = "1s", length = "10ms" }] },
]
targets = [
  { name = "t", label = "true", broker = "a.b", protocol = "amqp091", driver = "wire091" },
  { name = "u", broker = "7", protocol = "memory", driver = "memory" },
]
[[workloads]]
name = "mixed"
size = [{ size = "1KiB", weight = 2 }, { size = 100 }]
load = { kind = "rate", rate = [100, 200], arrivals = "poisson" }
[[workloads]]
name = "swept"
size = { sweep = [32, "1KiB"] }
load = { sweep = [{ kind = "rate", rate = 10 }, { kind = "in_flight", in_flight = 4 }] }
[[workloads]]
name = "closed"
consumers = 2
load = { kind = "in_flight", in_flight = [16, 256] }
[plan]
restart = "run"
[quick]
restart = "run"
workloads = ["closed"]
"""
# Naming one field of this table gives the others the defaults of any warm-up.
WHOLE = "quick.warm_up."


def scenario(text: str, *overrides: str) -> Scenario:
    """Return a scenario with its sweeps taken apart."""
    return load_text(text, "test", overrides).scenario


def listed(text: str, tmp_path_factory: pytest.TempPathFactory) -> list[Settable]:
    """Return what is listed for a file."""
    file = tmp_path_factory.mktemp("set") / "s.toml"
    file.write_text(text)
    return list(what_can_be_set(str(file)))


@pytest.mark.parametrize("name", [*sorted(path.stem for path in SHIPPED.glob("*.toml")), "all"])
def test_every_line_can_be_typed_and_changes_nothing(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """For every shipped scenario, and one that has a value of every kind."""
    text = ALL if name == "all" else (SHIPPED / f"{name}.toml").read_text()
    before = scenario(text)
    found = listed(text, tmp_path_factory)
    assert len({one.path for one in found}) == len(found)
    typed = [f"{one.path}={one.value}" for one in found if one.value is not None and not one.path.startswith(WHOLE)]
    assert len(typed) > 40
    assert scenario(text, *typed) == before
    for one in typed:
        if not one.startswith(("brokers", "targets")):  # each is read alone, too; these take longest
            assert scenario(text, one) == before, one


def test_every_field_of_a_workload_is_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Those that are not set as well, in the order of the models; those that nobody writes are left out."""
    found = [one.path for one in listed(ALL, tmp_path_factory) if one.path.startswith("workloads.closed.")]
    fields = [name for name in Workload.model_fields if name not in {"part_of", "at", "sizes"}]
    assert list(dict.fromkeys(path.split(".")[2] for path in found)) == fields


def test_a_line_says_value_type_and_whether_it_is_the_default(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lists stand as they are written, tables that are not there name themselves."""
    lines = list(map(str, listed(ALL, tmp_path_factory)))
    assert "workloads.mixed.load.rate=[100, 200]  (number, ≥ 0.001, ≤ 10,000,000)" in lines
    assert "workloads.closed.duration=30s  (duration, default)" in lines
    assert "brokers.0.memory=1GiB  (size, ≥ 268,435,456, default)" in lines
    assert "brokers.0.external.tls=true  (ClientTls or true or false; docs/scenario.md has its fields)" in lines or (
        "brokers.0.external.tls=true  (ClientTls; docs/scenario.md has its fields)" in lines
    )
    assert "workloads.closed.consumer_rate  not set  (number)" in lines
    assert "brokers.1.stalls.0.at=1s  (duration)" in lines


def test_long_values_are_cut(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file may hold ten thousand names of queues, and a title up to 200 letters."""
    [line] = [str(one) for one in listed(ALL.replace("Every", "Every " * 30), tmp_path_factory) if one.path == "title"]
    assert len(line) < 100
    assert "…" in line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain words", "plain words"),
        ("true", '"true"'),
        ("12", '"12"'),
        ("30s", "30s"),
        (" x", '" x"'),
        ("a\nb", '"a\\nb"'),
        ([1, "a"], '[1, "a"]'),
        ({"a": [True]}, '{"a" = [true]}'),
    ],
)
def test_values_are_written_in_toml(value: object, text: str) -> None:
    """Text without quotes where it reads as the same text."""
    assert toml(value) == text
