"""Which differences between two rows are intended, and which make them unlike."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.results.comparability import (
    MOST_CLIENT_COST,
    By,
    Client,
    Row,
    Setting,
    Sort,
    differences,
    row,
    settings_differ,
    unequal_cost,
    unlike,
)
from bench.results.records import ImageRecord, RunRecord
from bench.scenario.products import describe
from bench.scenario.scenario import Scenario
from tests.reports.synthetic import scenario

DIGESTS = {name: "sha256:" + letter * 64 for name, letter in (("stable", "a"), ("current", "b"))}


def run(asked: Scenario | None = None, **changes: Any) -> RunRecord:
    """Return a run's record."""
    images = {name: ImageRecord(recipe=name, content_digest=digest, packages={}) for name, digest in DIGESTS.items()}
    fields = {
        "run_id": "r", "started_utc": "2026-01-01T12:00:00Z", "mode": "full", "scenario": asked or scenario(),
        "seed": 1, "overrides": (), "command": "", "plan": (), "tools": {"busbench": "0.1.0"},
        "host": {"cpu": "A", "cpus": "8"},
        "images": images, "products": describe(asked or scenario()),
    }  # fmt: skip
    return RunRecord.model_validate(fields | changes)


def changed(broker: str, **changes: Any) -> Scenario:
    """Return the scenario with one broker's settings changed."""
    asked = scenario()
    brokers = tuple(one.model_copy(update=changes if one.name == broker else {}) for one in asked.brokers)
    return asked.model_copy(update={"brokers": brokers})


def second_rabbit(**changes: Any) -> Scenario:
    """Return the scenario with the broker `broker-j` made a RabbitMQ that differs from the first so."""
    asked = scenario()
    first = asked.brokers[0]
    return asked.model_copy(update={"brokers": (first, first.model_copy(update={"name": "broker-j"} | changes))})


def of(record: RunRecord, target: int, workload: int = 0, promise: str = "nothing") -> Row:
    """Return the settings of a target under a workload, by their places."""
    return row(record, record.scenario.targets[target], record.scenario.workloads[workload], [], promise)


def names(first: Row, second: Row, by: By = "target", *, intended: bool = False) -> set[str]:
    """Return the names of what differs, unintended unless asked otherwise."""
    return {found.name for found in differences(first, second, by) if found.intended is intended}


def test_two_brokers_with_like_settings_are_alike() -> None:
    """RabbitMQ and Broker-J under the same caps: what the products bring with them is the question."""
    record = run()
    assert unlike(of(record, 0), of(record, 3), "target") == ()
    assert {"broker", "kind", "protocol", "driver", "queue"} <= names(of(record, 0), of(record, 3), intended=True)


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"memory": 2 * 1024**3}, "memory cap"), ({"cpus": 1}, "CPUs"), ({"image": "current"}, "image")],
)
def test_two_products_want_the_same_resources(changes: dict[str, Any], name: str) -> None:
    """Between two products another cap, CPU count or image is unfair; between two entries of one it is the question."""
    record = run(changed("broker-j", **changes))
    assert names(of(record, 0), of(record, 2)) == {name}
    record = run(second_rabbit(**changes))
    assert names(of(record, 0), of(record, 2)) == set()
    assert name in names(of(record, 0), of(record, 2), intended=True)


def test_the_words_name_both_values() -> None:
    """What a refusal prints."""
    record = run(changed("broker-j", cpus=1))
    assert unlike(of(record, 0), of(record, 2), "target") == ("CPUs: 2 against 1",)


def test_unlike_promises_are_never_intended_between_targets() -> None:
    """Not even between two queue types of one product."""
    record = run(second_rabbit(durable_queue="classic"))
    first, second = of(record, 0, 1, "a crash of the operating system"), of(record, 2, 1, "a crash of the process")
    assert names(first, second) == {"durability class"}
    assert "queue" in names(first, second, intended=True)


def test_workloads_differ_in_what_they_declare() -> None:
    """Load, size, window are the question; the promise is where `durable` is."""
    record = run()
    steady, durable, closed = (of(record, 0, place, promise) for place, promise in ((0, "x"), (1, "y"), (2, "x")))
    assert unlike(steady, durable, "workload") == ()
    assert unlike(steady, closed, "workload") == ()
    assert unlike(steady, dict(steady) | {"durability class": durable["durability class"]}, "workload") != ()


def test_runs_differ_in_versions_and_images_alone() -> None:
    """A newer tool or image is what runs are compared for; another host, mode or setting is not."""
    old, digest = run(), {"stable": ImageRecord(recipe="stable", content_digest="sha256:c", packages={})}
    new = run(tools={"busbench": "0.2.0"}, images=digest)
    assert unlike(of(old, 0), of(new, 0), "run") == ()
    assert names(of(old, 0), of(new, 0), "run", intended=True) == {"tool busbench", "image"}
    assert names(of(old, 0), of(run(host={"cpu": "B", "cpus": "8"}), 0), "run") == {"host class"}
    assert names(of(old, 0), of(run(mode="quick"), 0), "run") == {"mode"}
    assert names(of(old, 0), of(run(changed("rabbitmq", cpus=1)), 0), "run") == {"CPUs"}


WORDS = st.text("abc ", min_size=1, max_size=3)
ROWS = st.dictionaries(
    st.sampled_from(["broker", "kind", "durable", "x", "y", "z"]),
    st.builds(Setting, st.sampled_from(Sort), WORDS, st.none() | WORDS),
).map(lambda found: {name: Setting(Sort.WAY, asked="same") for name in ("broker", "kind", "durable")} | found)


@given(ROWS, ROWS, st.sampled_from(["target", "workload", "run"]))
def test_differences_are_complete_and_turn_round(first: Row, second: Row, by: By) -> None:
    """A row equals itself; every unequal value is found once; turned round, the same names differ."""
    assert differences(first, first, by) == ()
    found = differences(first, second, by)

    def value(side: Row, name: str) -> str:
        return side[name].value.strip().lower() if name in side else "–"

    unequal = [name for name in {**first, **second} if value(first, name) != value(second, name)]
    assert sorted(each.name for each in found) == sorted(unequal)
    assert {each.name for each in differences(second, first, by)} == {each.name for each in found}


@given(st.dictionaries(st.sampled_from("abcd"), WORDS), st.dictionaries(st.sampled_from("abcd"), WORDS))
def test_asked_and_reported(asked: dict[str, str], reported: dict[str, str]) -> None:
    """Only what is both asked and reported can disagree; case and spaces around do not count."""
    wrong = [key for key in asked if key in reported and asked[key].strip() != reported[key].strip()]
    assert [found.partition(":")[0] for found in settings_differ(asked, reported)] == wrong
    assert settings_differ(asked, {key: f" {value.upper()} " for key, value in asked.items()}) == ()


def client(cpu_us: float | None, driver: str = "pika-codec", *, shared: bool = True) -> Client:
    """Return who drove a row."""
    return Client("amqp091", driver, cpu_us, shared)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (client(10), client(10 * MOST_CLIENT_COST, "wire091")),
        (client(10), client(30)),
        (client(10, shared=False), client(30, "wire091", shared=False)),
        (client(10), client(None, "wire091")),
    ],
    ids=["little", "like clients", "own CPUs", "unknown"],
)
def test_rows_that_may_be_ranked(first: Client, second: Client) -> None:
    """Clients of nearly equal cost, the same client, CPUs of their own, or no figure."""
    assert unequal_cost(first, second) is None
    assert unequal_cost(second, first) is None


def test_rows_whose_clients_cost_unequal_cpu_time() -> None:
    """On shared CPUs the reason names both drivers with their figures."""
    why = unequal_cost(client(10), client(30, "wire091"))
    assert why is not None
    assert why.startswith("not ranked by throughput or cost")
    assert "factor of 3.00 (10.0 µs with pika-codec, 30.0 µs with wire091)" in why


def _stands_on(**facts: str) -> Row:
    """Return a row of one broker in a place, with what it stands on."""
    asked = {"broker": facts["place"], "kind": "rabbitmq"}
    found = {name: Setting(Sort.WAY, asked=value) for name, value in asked.items()}
    return found | {name: Setting(Sort.RESOURCE, reported=value) for name, value in facts.items()}


def test_places_of_one_broker_may_differ_but_for_emulation() -> None:
    """Network and kernel-based virtualisation are what is asked; an emulator is held against nothing."""
    sandbox = _stands_on(place="sandbox", network="loopback", virtualisation="none")
    container = _stands_on(place="container", network="veth pair", virtualisation="none")
    guest = _stands_on(place="vm", network="user network", virtualisation="KVM")
    emulated = _stands_on(place="vm", network="user network", virtualisation="emulated (TCG)")
    assert unlike(sandbox, container, "target") == unlike(sandbox, guest, "target") == ()
    for other in (sandbox, guest):
        assert unlike(other, emulated, "target") == (
            f"virtualisation: {other['virtualisation'].value} against emulated (TCG)",
        )
    assert unlike(emulated, emulated, "target") == ()


def test_what_an_older_result_does_not_tell_is_no_difference() -> None:
    """Nor what is unknown of a broker of someone else's."""
    told = _stands_on(place="sandbox", network="loopback")
    assert differences(told, _stands_on(place="sandbox"), "run") == ()
