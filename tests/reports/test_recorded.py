"""Reports read what a run recorded of its brokers: settings alone change nothing on a page, the record does."""

from typing import Any

import pytest

from reports.summary import Summary
from tests.reports.in_memory import made_summary

Fields = dict[str, Any]


def with_record(**changes: Any) -> Summary:
    """Return the summary of a run whose record of `rabbitmq` differs so."""

    def run(fields: Fields) -> Fields:
        fields["products"]["rabbitmq"] |= changes
        return fields

    return made_summary(change_run=run)


@pytest.mark.parametrize(
    "settings",
    [
        {"durable_queue": "classic", "transient_queue": "quorum"},
        {"place": "external", "external": {"host": "amqps://broker.example"}},
        {"memory": 2 * 1024**3, "cpus": 1, "image": "current", "transport": "tls"},
        {"kind": "amqp091", "place": "external", "external": {"host": "a"}, "durable_queue": None},
    ],
)
def test_settings_of_the_stored_scenario_change_nothing(settings: Fields) -> None:
    """Kind of queue, durability, place, limits, caveats: the whole summary is as it was."""

    def run(fields: Fields) -> Fields:
        broker = fields["scenario"]["brokers"][0] | settings
        fields["scenario"]["brokers"][0] = {name: value for name, value in broker.items() if value is not None}
        if "kind" in settings:
            fields["scenario"]["brokers"][0].pop("transient_queue")
        return fields

    assert made_summary(change_run=run) == made_summary()


def test_the_recorded_promise_is_what_a_confirmed_message_survives() -> None:
    """In the rows, in the words on durability, and in what bars a comparison."""
    found = with_record(durable={"kind": "stream", "promises": "process"})
    survives = {cell.target: cell.durability for cell in found.cells if cell.workload == "durable"}
    assert survives["rabbitmq-091"] == "a crash of the broker's process"
    assert "a crash of the broker's process" in "\n".join(found.promises)
    assert {row.key: row.values["rabbitmq-091"] for row in found.differing}["queue"] == "stream"
    assert not next(row for row in found.differing if row.key == "durability class").intended


def test_the_recorded_place_is_where_it_ran() -> None:
    """Its name, its limits and its caveats."""
    place = {"name": "attic", "caps": {"memory cap": "7 MiB"}, "caveats": ["Heat: it is cool up there."]}
    found = with_record(place=place)
    assert {target.place for target in found.targets if target.broker == "rabbitmq"} == {"attic"}
    limits = {row.key: row.values["rabbitmq-091"] for row in found.differing}
    assert (limits["place"], limits["memory cap"], limits["CPUs"], limits["image"]) == ("attic", "7 MiB", "–", "–")
    assert "Heat: it is cool up there." in found.not_shown


def test_recorded_caveats_are_shown() -> None:
    """Those of a product that says nothing today, too."""
    assert "Speed: none." in with_record(caveats=["Speed: none."]).not_shown
