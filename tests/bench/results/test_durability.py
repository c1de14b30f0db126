"""Classes of durability from evidence, and what becomes of evidence over the parts of a run."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.results import archive
from bench.results.durability import FILE, SYNCED, DurabilityClass, DurabilityRecord, Probe, classify
from tests.reports.synthetic import build


def probe(syncs: int, messages: int = 1_000, broker: str = "rabbitmq", why_not: str = "") -> Probe:
    """Return a probe with so many fdatasyncs."""
    return Probe(broker=broker, workload="durable", size=100, messages=messages, fdatasyncs=syncs, why_not=why_not)


@pytest.mark.parametrize(
    ("fsyncs", "fdatasyncs", "writes", "expected"),
    [
        (1, 0, 0, DurabilityClass.PROCESS),  # RabbitMQ classic
        (2, 0, 0, DurabilityClass.PROCESS),  # RabbitMQ stream
        (2, 1_000, 0, DurabilityClass.SYSTEM),  # RabbitMQ quorum
        (0, 1_000, 0, DurabilityClass.SYSTEM),  # Broker-J BDB
        (2, 0, 1_001, DurabilityClass.SYSTEM),  # Broker-J Derby
    ],
)
def test_the_stores_we_know(fsyncs: int, fdatasyncs: int, writes: int, expected: DurabilityClass) -> None:
    """What was counted over 1,000 confirms gives the class of each store."""
    found = Probe(
        broker="b", workload="w", size=1_024, messages=1_000,
        fsyncs=fsyncs, fdatasyncs=fdatasyncs, synchronous_writes=writes,
    )  # fmt: skip
    assert found.durability is expected


@given(st.integers(0, 5_000), st.integers(1, 2_000))
def test_the_class_is_a_threshold(syncs: int, messages: int) -> None:
    """From 0.95 synchronous writes a confirm on a message survives the system, below only the process."""
    survives = probe(syncs, messages).durability is DurabilityClass.SYSTEM
    assert survives == (syncs >= SYNCED * messages) or abs(syncs / messages - SYNCED) < 1e-9


def test_a_transient_message_survives_nothing() -> None:
    """However often the broker syncs."""
    assert classify(5.0, durable=False) is DurabilityClass.NONE


def test_without_evidence_there_is_no_class() -> None:
    """A probe with a reason has none, and says the reason."""
    found = probe(0, 0, why_not="strace is not installed")
    assert found.durability is None
    assert found.words == "not measured: strace is not installed"


def test_a_later_part_of_a_run_keeps_what_an_earlier_one_saw() -> None:
    """Found evidence replaces what was there; a probe that found nothing does not."""
    nothing = probe(0, 0, why_not="it was no longer running after the trials")
    seen, other = probe(1_000), probe(3, broker="other")
    earlier = DurabilityRecord(probes=(seen, other))
    assert DurabilityRecord(probes=(nothing,)).joined(earlier).of("rabbitmq") == seen
    assert DurabilityRecord(probes=(probe(5),)).joined(earlier).of("rabbitmq") == probe(5)
    assert DurabilityRecord(probes=(nothing,)).joined(None).of("rabbitmq") == nothing
    assert DurabilityRecord(probes=(nothing,)).joined(earlier).of("other") == other
    assert earlier.of("nobody") is None


def test_it_lies_in_the_results_folder(tmp_path: Path) -> None:
    """What is written is read with the run; a damaged file is as if nobody had looked."""
    folder = build(tmp_path / "run", repetitions=1, closed_loop=False)
    assert archive.read(folder).durability is None
    record = DurabilityRecord(probes=(probe(1_002),))
    archive.write_durability(folder, record)
    assert archive.read(folder).durability == record
    (folder / FILE).write_text("{")
    assert archive.read(folder).durability is None
