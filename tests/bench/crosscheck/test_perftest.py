"""PerfTest: the command line that asks for the same load, and the lines that it really prints."""

from dataclasses import replace
from typing import Any

import pytest

from bench.crosscheck.peer import PeerError, PeerOutput
from bench.crosscheck.perftest import PerfTest
from bench.units import NS_PER_S
from tests.crosschecks import RECORDED, job, workload

PEER = PerfTest()


def option(arguments: tuple[str, ...], name: str) -> str:
    """Return the value after an option."""
    return arguments[arguments.index(name) + 1]


def said(lines: list[str]) -> PeerOutput:
    """Return lines as if one came each second."""
    return PeerOutput([(number * NS_PER_S, line) for number, line in enumerate(lines)], "", 0)


def test_a_rate_is_asked_of_each_producer() -> None:
    """Rate, confirm window, prefetch, acknowledgement, size: each field has its option."""
    words = PEER.java(
        "/there", job(workload(producers=2, consumers=3, prefetch=10, ack_batch=5, size=64, durable=True))
    )
    expected = {"-r": "2500", "-c": "256", "-q": "10", "-A": "5", "-s": "64", "-x": "2", "-y": "3", "-f": "persistent"}
    assert {name: option(words, name) for name in expected} == expected
    assert option(words, "-cp") == "/there/*"


def test_it_uses_the_queue_that_we_made() -> None:
    """Through the default exchange, as our drivers do, and declaring nothing."""
    words = PEER.java("/there", job())
    assert (option(words, "-u"), option(words, "-e"), option(words, "-k")) == ("queue", "", "queue")
    assert "-p" in words


def test_it_uses_exchange_and_queues_that_we_made() -> None:
    """A fan-out goes to our exchange, and consumers are dealt over our queues by their numbers."""
    words = PEER.java("/there", job(workload(pattern="fanout", queues=10, consumers=10)))
    assert (option(words, "-e"), option(words, "-k"), option(words, "-y")) == ("all-w", "", "10")
    assert (option(words, "-qp"), option(words, "-qpf"), option(words, "-qpt")) == ("all-w-%d", "0", "9")
    assert "-u" not in words


def bound_by(keys: Any, **queue: Any) -> dict[str, Any]:
    """Return fields of a workload with a topic exchange and a queue."""
    topology = {
        "exchanges": [{"name": "e", "type": "topic"}],
        "queues": [{"name": "q"} | queue],
        "bindings": [{"exchange": "e", "queue": "q", "key": "k.{n}.#", "count": 10}],
    }
    return {"exchange": "e", "keys": keys, "topology": topology}


def test_a_topic_is_published_with_its_key() -> None:
    """One key and one queue of a topology."""
    words = PEER.java("/there", job(workload(**bound_by("k.7.x"))))
    assert (option(words, "-e"), option(words, "-k"), option(words, "-u")) == ("all-e", "k.7.x", "all-q")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (bound_by(["k.1.x", "k.2.x"]), "keys"),
        (bound_by("k.1.x", arguments={"x-message-ttl": 1000}), "topology.queues"),
        ({"pattern": "fanout", "queues": 2, "consumers": 3}, "consumers = 3"),
        ({"pattern": "rpc", "ack_batch": 1}, "pattern = 'rpc'"),
        ({"flows": [{"name": "a"}, {"name": "b"}]}, "flows = 2"),
        ({"consumers": [{"count": 1}, {"count": 1, "prefetch": 900}]}, "consumers = 2"),
        ({"queues": 2, "producers": 2, "consumers": 2}, "queues = 2"),
        ({"body": {"content": "json"}}, "body, properties"),
        ({"reject": 0.1}, "reject = 0.1"),
    ],
)
def test_what_it_cannot_do_the_same_is_refused(fields: dict[str, Any], named: str) -> None:
    """One sentence, which begins with the field."""
    (refusal,) = PEER.refusals(workload(**fields))
    assert refusal.startswith(named)


def test_credentials_and_virtual_host_are_escaped() -> None:
    """What a URI gives a meaning to is percent-encoded."""
    assert option(PEER.java("/there", job()), "-h") == "amqp://us%2Fer:pass%20word@127.0.0.1:5672/%2F"


@pytest.mark.parametrize(("batch", "there", "missing"), [(0, "-a", "-A"), (1, "-p", "-A"), (64, "-A", "-a")])
def test_acknowledgement(batch: int, there: str, missing: str) -> None:
    """Automatic, one by one (its default), or in batches."""
    words = PEER.java("/there", job(workload(ack_batch=batch)))
    assert there in words
    assert missing not in words


def test_a_closed_loop_is_bounded_by_confirms_and_has_no_rate() -> None:
    """The bound is dealt over the producers; a closed loop has no rate, so it is never an unbounded one."""
    words = PEER.java("/there", job(workload(load={"kind": "in_flight", "in_flight": [64]}, producers=2)))
    assert option(words, "-c") == "32"
    assert "-r" not in words


@pytest.mark.parametrize(("warm_up_s", "length"), [(1, 9), (4, 9), (5, 13)])
def test_the_warm_up_is_whole_intervals(warm_up_s: int, length: int) -> None:
    """With 4 s measured: rounded up to intervals of 4 s, and a second more at the end."""
    words = PEER.java("/there", replace(job(), warm_up_s=warm_up_s))
    assert (option(words, "-i"), option(words, "-z")) == ("4", str(length))


def test_the_measured_part_is_the_interval_after_the_warm_up() -> None:
    """Of a real run: rates and percentiles of the second interval; its edges are when the lines came."""
    found = PEER.read(said((RECORDED / "perftest.txt").read_text().splitlines()), job())
    assert (found.sent_per_s, found.received_per_s) == (5001, 5002)
    assert (found.p50_ns, found.p99_ns) == (304_000, 4_062_000)
    assert found.received == 5002 * 4
    assert (found.from_ns, found.to_ns) == (1 * NS_PER_S, 5 * NS_PER_S)


def test_measuring_begins_with_the_last_line_of_the_warm_up() -> None:
    """The first interval line ends the warm-up of 3 s, rounded up to 4."""
    lines = (RECORDED / "perftest.txt").read_text().splitlines()
    assert [PEER.measuring(line, job()) for line in lines[:6]] == [False, False, False, False, True, True]


@pytest.mark.parametrize("kept", [0, 5])
def test_output_without_the_measured_part_is_told(kept: int) -> None:
    """A run that stopped early is quoted, not guessed at."""
    lines = (RECORDED / "perftest.txt").read_text().splitlines()[:kept]
    with pytest.raises(PeerError, match="did not print the measured part"):
        PEER.read(said(lines), job())


def test_a_line_of_another_form_is_told() -> None:
    """A version that prints otherwise is not read wrongly."""
    lines = ["id: t, time 4.0 s, x", "id: t, time 8.0 s, min/median/75th/95th/99th consumer latency: 1/2/3/4/5 µs"]
    with pytest.raises(PeerError, match="cannot be read"):
        PEER.read(said(lines), job())
