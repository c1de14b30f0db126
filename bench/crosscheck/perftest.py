"""RabbitMQ's PerfTest: its command line, and what the lines that it prints say. Pure.

Its sampling interval is set to the length of the measured part, so that one printed line
is the measured part, percentiles included: percentiles of seconds could not be joined.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote

from bench.crosscheck.peer import Job, Measured, Peer, PeerError, PeerOutput, bound, common_refusals
from bench.scenario.scenario import RateLoad, Workload
from bench.units import NS_PER_S

_TIME = re.compile(r"\btime (\d+\.\d+) s, ")
_SENT = re.compile(r"\bsent: (\d+(?:\.\d+)?) msg/s")
_RECEIVED = re.compile(r"\breceived: (\d+(?:\.\d+)?) msg/s")
_LATENCY = re.compile(r"min/median/75th/95th/99th consumer latency: (\d+)/(\d+)/(\d+)/(\d+)/(\d+) µs")
_NS_PER_US = 1_000
_QUOTED = 8


class PerfTest(Peer):
    """PerfTest over AMQP 0-9-1."""

    name = "PerfTest"
    version = "2.22.1"
    protocol = "amqp091"
    artifact = "com.rabbitmq:perf-test:2.22.1"
    differs = (
        "PerfTest takes its percentiles from a sample of 1,028 messages of the measured part,"
        " paces in steps of a millisecond, and in a closed loop bounds messages until the confirm;"
        " ours are bounded until they are received too, by in_flight"
    )

    def refusals(self, workload: Workload) -> tuple[str, ...]:
        """See `Peer`."""
        if faults := common_refusals(workload, self.name):
            return tuple(faults)
        layout = workload.laid_out("q", [f"q-{number}" for number in range(workload.plain_queues)], 0)
        route = layout.flows[0]
        faults = []
        if route.plain and len(route.queues) > 1:
            faults.append(f"queues = {len(route.queues)}: a crosscheck compares one of the default exchange")
        elif len(route.keys) > 1:
            faults.append(f"keys: {len(route.keys)} of them: here {self.name} sends with one")
        if route.exclusive or layout.dead or layout.rules:
            faults.append("topology.queues: a crosscheck compares queues that keep what they get, for all to consume")
        if len(route.queues) > 1 and _numbered(route.queues) is None:
            faults.append(f"topology.queues: {self.name} wants one entry with a `count`")
        if not faults and workload.consumers % len(route.queues):
            faults.append(
                f"consumers = {workload.consumers}: must be a multiple of the queues ({len(route.queues)}), which"
                f" {self.name} deals them over in turn"
            )
        return tuple(faults)

    def java(self, folder: str, job: Job) -> tuple[str, ...]:
        """See `Peer`."""
        work, at = job.workload, job.endpoint
        account = f"{quote(at.username, safe='')}:{quote(at.password, safe='')}"
        acks = {0: ("-a",), 1: ()}.get(work.ack_batch, ("-A", str(work.ack_batch)))
        # Each producer paces itself.
        rate = ("-r", f"{work.load.rate / work.producers:.10g}") if isinstance(work.load, RateLoad) else ()
        # fmt: off
        return (
            "-Duser.language=en", "-Duser.country=US",
            "-cp", f"{folder}/*", "com.rabbitmq.perf.PerfTest",
            "-h", f"amqp://{account}@{at.host}:{at.port}/{quote(at.virtual_host, safe='')}",
            "-p", *_queues(job.route.queues), "-e", job.route.exchange, "-k", job.route.keys[0],
            "-x", str(work.producers), "-y", str(work.consumers),
            "-s", str(work.size), *(("-f", "persistent") if work.durable else ()),
            *(("-c", str(bound(work))) if bound(work) else ()), "-q", str(work.prefetch), *acks, *rate,
            "-i", str(job.measure_s), "-z", str(self.seconds(job.measure_s, job.warm_up_s)),
        )
        # fmt: on

    def seconds(self, measure_s: int, warm_up_s: int) -> int:
        """See `Peer`; a second more than is read, so that its end cannot cut the measured part."""
        return (_warm_intervals(measure_s, warm_up_s) + 1) * measure_s + 1

    def read(self, said: PeerOutput, job: Job) -> Measured:
        """See `Peer`."""
        lines = [(at_ns, line) for at_ns, line in said.lines if _TIME.search(line)]
        warm = _warm_intervals(job.measure_s, job.warm_up_s)
        if len(lines) <= warm:
            raise PeerError(_complaint(said))
        before, after = lines[warm - 1], lines[warm]
        length_s = _number(_TIME, after[1]) - _number(_TIME, before[1])
        latency = _LATENCY.search(after[1])
        if latency is None or length_s <= 0:
            raise PeerError(_complaint(said))
        received = _number(_RECEIVED, after[1])
        return Measured(
            from_ns=after[0] - round(length_s * NS_PER_S),
            to_ns=after[0],
            received=round(received * length_s),
            sent_per_s=_number(_SENT, after[1]),
            received_per_s=received,
            p50_ns=int(latency[2]) * _NS_PER_US,
            p99_ns=int(latency[5]) * _NS_PER_US,
        )

    def measuring(self, line: str, job: Job) -> bool:
        """See `Peer`."""
        at = _TIME.search(line)
        return at is not None and round(float(at[1])) >= _warm_intervals(job.measure_s, job.warm_up_s) * job.measure_s


def _queues(names: Sequence[str]) -> tuple[str, ...]:
    """Return the options that name queues."""
    if len(names) == 1:
        return ("-u", names[0])
    first = str(_numbered(names))
    return ("-qp", f"{first.replace('%', '%%')}%d", "-qpf", "0", "-qpt", str(len(names) - 1))


def _numbered(names: Sequence[str]) -> str | None:
    """Return what stands before the number in the names of queues that are numbered from 0; None where they are not."""
    first = names[0].removesuffix("0")
    return first if all(name == f"{first}{number}" for number, name in enumerate(names)) else None


def _warm_intervals(measure_s: int, warm_up_s: int) -> int:
    """Return the intervals of warm-up: whole ones, no fewer than asked for, at least one."""
    return max(1, -(-warm_up_s // measure_s))


def _number(pattern: re.Pattern[str], line: str) -> float:
    found = pattern.search(line)
    if found is None:
        message = f"PerfTest printed a line that cannot be read: {line}"
        raise PeerError(message)
    return float(found[1])


def _complaint(said: PeerOutput) -> str:
    last = "\n  ".join(line for _, line in said.lines[-_QUOTED:]) or "nothing"
    return f"PerfTest did not print the measured part. It said:\n  {last}"
