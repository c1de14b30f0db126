"""Which kept ceilings a run compares with: those of its drivers, versions and host."""

import json
from pathlib import Path

import pytest

from bench.ceiling.measure import host_name, version
from bench.ceiling.stored import Ceiling, Way, ceilings_of, keep
from bench.drivers.registry import registry
from bench.results.records import BrokerRecord, PlannedTrial, TrialRecord
from bench.run.memory_trial import run_inline
from bench.run.phases import WarmRule
from bench.run.trial import Raw
from bench.run.trial_record import conclude
from bench.scenario.scenario import MemoryBroker, Plan, Workload


def kept(file: Path, **changes: object) -> None:
    """Keep a ceiling of driver wire091 that applies, but for the changes."""
    ways = (
        Way(side="send", settled=False, rate=9e6, cpu_us=0.1),
        Way(side="send", settled=True, rate=3e6, cpu_us=0.3),
        Way(side="receive", settled=False, rate=7e6, cpu_us=0.1),
        Way(side="receive", settled=True, rate=4e6, cpu_us=0.2),
    )
    plain = Ceiling(
        driver="wire091", version=version(registry().installed["wire091"]), host=host_name(), measured_utc="", size=100,
        ways=ways,
    )  # fmt: skip
    keep(file, [plain.model_copy(update=changes)])


def test_a_ceiling_of_this_version_and_host_applies(tmp_path: Path) -> None:
    """The slower of both sides counts, each with the settlements of the workload."""
    file = tmp_path / "ceilings.json"
    kept(file)
    found = ceilings_of(["pika-codec", "wire091"], file)
    assert list(found) == ["wire091"]
    assert found["wire091"].rate(confirms=True, acks=True) == 3e6
    assert found["wire091"].rate(confirms=False, acks=True) == 4e6
    assert found["wire091"].rate(confirms=False, acks=False) == 7e6
    assert found["wire091"].model_copy(update={"ways": ()}).rate(confirms=True, acks=True) is None


@pytest.mark.parametrize("changes", [{"version": "busbench 0.0.1"}, {"host": "another CPU, 64 CPUs, Linux 6.1"}])
def test_one_of_another_version_or_host_does_not(tmp_path: Path, changes: dict[str, object]) -> None:
    """It says nothing of what is measured here and now."""
    file = tmp_path / "ceilings.json"
    kept(file, **changes)
    assert ceilings_of(["wire091"], file) == {}


def test_a_former_name_has_the_ceiling_of_the_name_of_today(tmp_path: Path) -> None:
    """So that a scenario which uses it is judged as any other."""
    file = tmp_path / "ceilings.json"
    kept(file, driver="pika-codec", version=version(registry().installed["pika-codec"]))
    assert list(ceilings_of(["pika"], file)) == ["pika"]


def test_without_a_file_or_with_a_strange_one_there_is_none(tmp_path: Path) -> None:
    """A missing file, one that is no JSON, one of other fields: no ceiling, and no fault of the run."""
    file = tmp_path / "ceilings.json"
    assert ceilings_of(["wire091"], file) == {}
    for text in ("{", json.dumps({"wire091": {"rate": 3}}), json.dumps({"gone": {"rate": 3}})):
        file.write_text(text)
        assert ceilings_of(["wire091"], file) == {}


def test_a_driver_that_is_not_installed_any_more_is_passed_over(tmp_path: Path) -> None:
    """Its ceiling stays in the file and is nobody's."""
    file = tmp_path / "ceilings.json"
    kept(file, driver="gone")
    assert ceilings_of(["gone"], file) == {}


@pytest.mark.parametrize(("rate", "bound"), [(700.0, True), (900.0, False)])
def test_a_trial_keeps_the_ceiling_and_is_judged_by_it(rate: float, bound: bool) -> None:  # noqa: FBT001
    """400 msg/s are more than half of 700 and less than half of 900; the record holds what was compared with."""
    work = Workload.model_validate({"name": "w", "duration": "1s", "load": {"kind": "rate", "rate": 400}})
    plan = Plan.model_validate({"warm_up": {"settle": "0s"}, "drain": "1s"})
    account, control, left, *_ = run_inline(work, MemoryBroker(name="m", kind="memory"), plan, 1, ("q",))
    raw = Raw(
        [account], control.start_ns, control, WarmRule(plan.warm_up, 0, control.start_ns, known_warm=True), (), left
    )
    planned = PlannedTrial(index=0, repetition=0, target="t", workload="w", restart_broker=False)
    broker = BrokerRecord(
        name="m", kind="memory", product="", version="", runtime="", asked={}, reported={}, limits={}, labels=(),
        started=1,
    )  # fmt: skip
    ways = tuple(Way(side=side, settled=settled, rate=rate, cpu_us=1) for side in ("send", "receive") for settled in (
        False, True))  # fmt: skip
    most = Ceiling(driver="x", version="1", host="h", measured_utc="", size=100, ways=ways)
    record = conclude(planned, work, 1, raw, broker, external=True, ceiling=most).record
    assert record.ceiling == rate
    assert ("client-bound" in {note.code for note in record.health}) is bound
    assert TrialRecord.model_validate_json(record.model_dump_json()) == record
    assert conclude(planned, work, 1, raw, broker, external=True).record.ceiling is None
