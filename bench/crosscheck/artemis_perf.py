"""Artemis perf over AMQP 1.0: its command line, and what the JSON that it writes says. Pure.

It speaks through Qpid JMS, so any AMQP 1.0 broker will do. Options of the client stand in
the connection URL (https://qpid.apache.org/releases/qpid-jms-1.15.0/docs/).
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from bench.crosscheck.peer import Job, Measured, Peer, PeerError, PeerOutput, bound, common_refusals, exchange_refusals
from bench.scenario.scenario import RateLoad, Workload
from bench.units import NS_PER_MS

_NS_PER_US = 1_000
_QUOTED = 8
_LEAST_WARM_UP_S = 2
"""It samples a little less often than once a second, and where the warm-up ends is where the measured part begins."""


class ArtemisPerf(Peer):
    """`artemis perf client` over AMQP 1.0."""

    name = "Artemis perf"
    version = "2.44.0"
    protocol = "amqp10"
    artifact = "org.apache.activemq:apache-artemis:2.44.0:tar.gz:bin"
    differs = (
        "Artemis perf keeps latencies in µs with two digits, also of the second after the measured part,"
        " carries its time in an application property (its messages are some 140 bytes longer than ours),"
        " and in a closed loop bounds messages until they are accepted; ours are bounded until they are received"
        " too, by in_flight"
    )

    def refusals(self, workload: Workload) -> tuple[str, ...]:
        """See `Peer`."""
        faults = common_refusals(workload, self.name) + exchange_refusals(workload)
        if workload.confirm_window == 0 and isinstance(workload.load, RateLoad):
            faults.append(f"confirm_window = 0: {self.name} awaits every message's acceptance")
        if workload.ack_batch > 1:
            faults.append(
                f"ack_batch = {workload.ack_batch}: {self.name} acknowledges one by one (1) or automatically (0)"
            )
        if isinstance(workload.load, RateLoad) and workload.load.rate % workload.producers:
            faults.append(
                f"load.rate = {workload.load.rate:.10g}: {self.name} wants whole messages a second"
                f" of each of the producers ({workload.producers})"
            )
        return tuple(faults)

    def java(self, folder: str, job: Job) -> tuple[str, ...]:
        """See `Peer`; memory as the tool's own script sets it."""
        work, at = job.workload, job.endpoint
        options = {"jms.prefetchPolicy.all": str(work.prefetch)}
        if at.hostname is not None:
            options["amqp.vhost"] = at.hostname
        if work.ack_batch == 0:
            options["jms.presettlePolicy.presettleConsumers"] = "true"
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        rate = ("--rate", f"{work.load.rate:.0f}") if isinstance(work.load, RateLoad) else ()
        # fmt: off
        return (
            "-Xms512M", "-Xmx1024M", "-Duser.language=en", "-Duser.country=US", f"-Dartemis.home={folder}",
            "-cp", f"{folder}/lib/artemis-boot.jar", "org.apache.activemq.artemis.boot.Artemis",
            "perf", "client", "--protocol", "AMQP", "--url", f"amqp://{at.host}:{at.port}?{query}",
            "--user", at.username, "--password", at.password,
            "--producers", str(work.producers), "--consumers", str(work.consumers),
            "--message-size", str(work.size), *(("--persistent",) if work.durable else ()),
            "--max-pending", str(bound(work)), *rate,
            "--warmup", str(max(job.warm_up_s, _LEAST_WARM_UP_S)),
            "--duration", str(self.seconds(job.measure_s, job.warm_up_s)),
            "--json", job.report, f"queue://{at.address(job.queue)}",
        )
        # fmt: on

    def seconds(self, measure_s: int, warm_up_s: int) -> int:
        """See `Peer`; a second more, as its intervals are a little longer than a second."""
        return max(warm_up_s, _LEAST_WARM_UP_S) + measure_s + 1

    def read(self, said: PeerOutput, job: Job) -> Measured:
        """See `Peer`; the measured part is the intervals that it does not call warm-up, `measure_s` at most."""
        try:
            samples = json.loads(said.report)
            intervals = [sample for sample in samples if sample["sampleType"] == "interval"]
            [summary] = [sample for sample in samples if sample["sampleType"] == "summary"]
            return _measured(intervals, summary, said.epoch_ns, job.measure_s)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            last = "\n  ".join(line for _, line in said.lines[-8:]) or "nothing"
            message = (
                f"Artemis perf did not report the measured part ({type(error).__name__}: {error}). It said:\n  {last}"
            )
            raise PeerError(message) from error

    def measuring(self, line: str, job: Job) -> bool:  # noqa: ARG002  (it says so itself)
        """See `Peer`."""
        return line.startswith("--- warmup false")


def _measured(
    intervals: list[Mapping[str, Any]], summary: Mapping[str, Any], epoch_ns: int, measure_s: int
) -> Measured:
    warm = [sample for sample in intervals if sample["warmup"]]
    counted = [sample for sample in intervals if not sample["warmup"]][:measure_s]
    edges_ms = [warm[-1]["time"], *(sample["time"] for sample in counted)]
    lengths_s = [(after - before) / 1_000 for before, after in pairwise(edges_ms)]
    whole_s = sum(lengths_s)
    received = sum(sample["transferTime"]["count"] for sample in counted)
    latency = summary["totalTransferTime"]
    if summary["result"] != "success" or not received:
        message = f"result {summary['result']}, {received} messages"
        raise ValueError(message)
    sent = sum(sample["sent"] * length_s for sample, length_s in zip(counted, lengths_s, strict=True))
    return Measured(
        from_ns=edges_ms[0] * NS_PER_MS - epoch_ns,
        to_ns=edges_ms[-1] * NS_PER_MS - epoch_ns,
        received=received,
        sent_per_s=sent / whole_s,
        received_per_s=received / whole_s,
        p50_ns=latency["50"] * _NS_PER_US,
        p99_ns=latency["99"] * _NS_PER_US,
    )
