"""Versions of records: newer ones are refused, older ones go through every step, damage is neither."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.plan.paired import merged, paired_plan
from bench.plan.plan import extended, make_plan
from bench.record import hlog
from bench.record.histogram import Seconds
from bench.results import archive, schema_versions
from bench.results.base import Record
from bench.results.records import SCHEMA_VERSION, RunRecord, SearchStep, TrialRecord
from bench.results.schema_versions import NewerVersionError, Schema
from bench.run.conductor import conduct
from bench.scenario.loading import load_scenario
from bench.scenario.products import describe
from bench.scenario.scenario import RateLoad
from tests.bench.results.test_archive import smoke_record
from tests.quiet import Quiet


class Port(Record):
    """A record whose third version has a whole number where the first had text under another name."""

    schema_version: int = 3
    number: int


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Lead out of version 1."""
    return {name: value for name, value in document.items() if name != "port"} | {"number": document["port"]}


def whole(document: dict[str, Any]) -> dict[str, Any]:
    """Lead out of version 2."""
    return document | {"number": int(document["number"].removeprefix("p"))}


PORT = Schema(Port, 3, {1: renamed, 2: whole})


@pytest.mark.parametrize(
    "stored",
    [
        {"schema_version": 1, "port": "p7"},
        {"schema_version": 2, "number": "p7"},
        {"schema_version": 3, "number": 7},
    ],
)
def test_every_older_version_reads_as_the_newest(stored: dict[str, Any]) -> None:
    """Steps are taken in turn from the file's version on, and the record says that it is of the newest."""
    assert PORT.parse("x.json", json.dumps(stored)) == Port(schema_version=3, number=7)


def test_a_version_without_a_step_reads_as_it_is() -> None:
    """New fields with a default need none."""
    assert Schema(Port, 3).parse("x.json", '{"schema_version": 2, "number": 7}') == Port(number=7)


def test_a_newer_version_is_refused_whatever_it_holds() -> None:
    """The line names file, version, the newest known and the next step, even where the rest would be valid."""
    words = r"^a/x\.json has schema_version 4, and the newest that this busbench reads is 3: install a newer busbench$"
    for rest in ({"number": 7}, {"strange": []}):
        with pytest.raises(NewerVersionError, match=words):
            PORT.parse(Path("a/x.json"), json.dumps({"schema_version": 4} | rest))


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "4", "{}", '{"schema_version": "2"}', '{"schema_version": true}', '{"schema_version": 0}',
     '{"schema_version": 3, "number": "many"}'],
)  # fmt: skip
def test_damage_is_a_value_error(text: str) -> None:
    """Torn text, no version and a fault of the model are damage, which callers tell from a newer version."""
    with pytest.raises(ValueError, match=r"schema_version|Expecting|validation error"):
        PORT.parse("x.json", text)


def test_the_newest_version_is_what_is_written() -> None:
    """Each kind of record writes the version that it reads as its newest."""
    for schema in (schema_versions.RUN, schema_versions.TRIAL, schema_versions.SEARCH, schema_versions.DURABILITY):
        assert schema.model.model_fields["schema_version"].default == schema.newest


def test_an_older_folder_is_upgraded_record_by_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run and its trials go through their own steps, before the models validate them."""
    record, text = smoke_record()
    folder = tmp_path / "run"
    archive.create(folder, record, text)
    assert conduct(record, folder, {}, Quiet()).failed == ()
    before = archive.read(folder)
    later = SCHEMA_VERSION + 1
    for file, old in ((folder / "run.json", "order"), *((one, "result") for one in folder.glob("trials/*/trial.json"))):
        stored = json.loads(file.read_text())
        stored[old] = stored.pop("plan" if old == "order" else "ledger")
        file.write_text(json.dumps(stored))

    def step(old: str, new: str) -> schema_versions.Upgrade:
        return lambda given: {new if name == old else name: value for name, value in given.items()}

    monkeypatch.setattr(schema_versions, "RUN", Schema(RunRecord, later, {SCHEMA_VERSION: step("order", "plan")}))
    monkeypatch.setattr(
        schema_versions, "TRIAL", Schema(TrialRecord, later, {SCHEMA_VERSION: step("result", "ledger")})
    )
    after = archive.read(folder)
    assert after.unreadable == {}
    assert after.record == before.record.model_copy(update={"schema_version": later})
    assert [one.record.ledger for one in after.trials] == [one.record.ledger for one in before.trials]
    assert {one.record.schema_version for one in after.trials} == {later}
    assert make_plan(after.record.scenario, after.record.seed) == after.record.plan


def test_older_trials_have_the_terms_of_today(tmp_path: Path) -> None:
    """Slip is send lag and blocked is backpressure: as tags of latencies, as codes of notes, and in the log."""
    trial = {
        "latency": {"slip": 1, "blocked": 2, "response": 3},
        "health": [{"code": "tool-slip", "text": "late"}, {"code": "steal"}],
        "findings": [{"code": "blocked"}],
    }
    now = schema_versions.TRIAL.upgrades[2](trial)
    assert now["latency"] == {"send_lag": 1, "backpressure": 2, "response": 3}
    assert now["health"] == [{"code": "send-lag", "text": "late"}, {"code": "steal"}]
    assert now["findings"] == [{"code": "backpressure"}]
    one = Seconds(np.zeros(1, np.int64), np.ones(1, np.int64), np.ones(1, np.int64), np.empty((0, 4), np.int64))
    hlog.write(tmp_path / "old.hlog", 0.0, {"slip": one, "response": one})
    assert sorted(hlog.read_seconds(tmp_path / "old.hlog")) == ["response", "send_lag"]


def as_before(record: RunRecord) -> dict[str, Any]:
    """Return a run as version 2 had it: what a trial is stood in names alone."""
    run = json.loads(record.model_dump_json()) | {"schema_version": 2}
    for entry, fields in ((run["plan"], ("paired", "step")), (run["scenario"]["workloads"], ("part_of", "at"))):
        for one in entry:
            for name in fields:
                del one[name]
    for one in run["scenario"]["workloads"]:
        if one["load"]["kind"] == "rate":
            one["load"]["rates"] = []
    return run


def test_older_paired_runs_say_whom_targets_stand_for() -> None:
    """Their targets come in twos, by the ends of names; a run with one such name by itself is no paired one."""
    given = load_scenario("rabbitmq-vs-qpid").scenario
    both, paired = merged(given, given, 5)
    plan = paired_plan(both, paired, 1)
    record = smoke_record()[0].model_copy(update={"scenario": both, "plan": plan, "products": describe(both)})
    assert schema_versions.RUN.parse("run.json", json.dumps(as_before(record))) == record
    assert schema_versions.RUN.parse("run.json", json.dumps(as_before(record) | {"schema_version": 1})) == record
    alone = both.model_copy(update={"targets": both.targets[:-1]})
    named = tuple(line for line in plan if line.target != both.targets[-1].name)
    single = record.model_copy(update={"scenario": alone, "plan": named})
    read = schema_versions.RUN.parse("run.json", json.dumps(as_before(single)))
    assert not any(line.paired for line in read.plan)


def test_older_searches_say_which_step_a_trial_is() -> None:
    """Kind and searched workload were in the names of their workloads, the rate is that of the load."""
    run = smoke_record()[0]
    run = run.model_copy(update={"plan": (), "purpose": "search", "products": describe(run.scenario)})
    base = run.scenario.workloads[0]
    run = run.model_copy(update={"scenario": run.scenario.model_copy(update={"workloads": ()})})
    for name, rate, kind in (
        ("a-b-c-320.5-short", 320.5, "short"), ("a-b-c-64000-hold", 64000.0, "hold"), ("a-b-c-5-curve", 5.0, "curve"),
    ):  # fmt: skip
        step = SearchStep(workload="a-b-c", kind=kind, rate=rate)
        changes = {"name": name, "load": RateLoad(kind="rate", rate=rate), "part_of": "a-b-c"}
        changes |= {"part_of": "a-b-c-hold"} if kind == "hold" else {}
        run, _ = extended(run, base.model_copy(update=changes), "calm", step)
    closed = load_scenario("rabbitmq-vs-qpid").scenario.workloads[-1]
    changes = {"name": "a-b-c-guess", "part_of": "a-b-c", "at": {}}
    run, _ = extended(
        run, closed.model_copy(update=changes), "calm", SearchStep(workload="a-b-c", kind="guess", rate=None)
    )
    assert schema_versions.RUN.parse("run.json", json.dumps(as_before(run))) == run


def test_older_sweeps_are_whole() -> None:
    """Workloads of one list of bounds or rates say what they are a part of; others are what they were."""
    given = load_scenario("rabbitmq-vs-qpid", ["workloads.steady.load.rate=[500,1000.5]"]).scenario
    assert {one.part_of for one in given.workloads} == {"steady", "", "in-flight"}
    record = smoke_record()[0].model_copy(
        update={"scenario": given, "plan": make_plan(given, 1), "products": describe(given)}
    )
    assert schema_versions.RUN.parse("run.json", json.dumps(as_before(record))).scenario == given


@pytest.mark.parametrize("change", [{"plan": None}, {"plan": [{}]}, {"scenario": []}, {"scenario": {"workloads": [1]}}])
def test_a_damaged_older_run_is_a_value_error(change: dict[str, Any]) -> None:
    """Steps meet documents that no model has validated."""
    with pytest.raises(ValueError, match="no whole record of version 2"):
        schema_versions.RUN.parse("run.json", json.dumps(as_before(smoke_record()[0]) | change))


def test_older_runs_gain_what_products_and_places_say() -> None:
    """Version 1 kept neither, version 2 no places; what a record has is kept as it is."""
    record, _ = smoke_record()
    found = describe(record.scenario)
    name = next(iter(found))
    stored = json.loads(record.model_dump_json(exclude={"products"}))
    first = schema_versions.RUN.parse("run.json", json.dumps(stored | {"schema_version": 1}))
    assert first.products == found
    kept = {name: found[name].model_dump(mode="json", exclude={"place"}) | {"title": "as it was called then"}}
    second = schema_versions.RUN.parse("run.json", json.dumps(stored | {"schema_version": 2, "products": kept}))
    assert second.products[name] == found[name].model_copy(update={"title": "as it was called then"})
