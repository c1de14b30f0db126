"""One run of either side on one running broker: a driver of ours by the suite's own trial, or a peer on its JVM."""

import secrets
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from bench.ceiling.stored import ceilings_of
from bench.crosscheck.jvm import run_peer
from bench.crosscheck.pairing import Pairing
from bench.crosscheck.peer import Job, Measured, PeerError
from bench.crosscheck.readings import Reading
from bench.drivers.registry import registry
from bench.record.histogram import decode
from bench.results.records import BROKE_OFF, PlannedTrial, TrialRecord, Usage
from bench.run.running_brokers import Instance, broker_record
from bench.run.timeline import usage_between
from bench.run.trial import Conditions, Live, declared, run_trial
from bench.run.trial_record import conclude
from bench.scenario.scenario import Scenario
from bench.topology.layout import Layout
from brokers.endpoint import Endpoint, Protocol

_SEED = 1  # loads are evenly spaced or closed loops: no chance is involved


class Sides:
    """Both sides on one broker."""

    def __init__(
        self, scenario: Scenario, instance: Instance, folders: Mapping[str, Path], warm_up_s: int, scratch: Path
    ) -> None:
        """Use a running broker.

        Args:
            scenario: for its plan.
            instance: the broker.
            folders: where each peer lies, by name.
            warm_up_s: time under load of a JVM before its measured part, at least.
            scratch: a folder for the runs' files.
        """
        self._scenario = scenario
        self._instance = instance
        self._folders = folders
        self._warm_up_s = warm_up_s
        self._scratch = scratch
        self._token = secrets.token_hex(3)
        self._runs = 0
        self._ceilings = ceilings_of(name for name, one in registry().installed.items() if not one.member.inline)

    def reading(self, pairing: Pairing, side: str, pair: int) -> Reading:
        """Run a side once; return what it measured.

        Raises:
            PeerError: it gave no result.
            BrokerError: the broker failed.
        """
        if side == pairing.peer.name:
            measured, usage, of_broker = self.theirs(pairing)
            return Reading(
                side=side,
                pair=pair,
                sent_per_s=measured.sent_per_s,
                received_per_s=measured.received_per_s,
                p50_ns=measured.p50_ns,
                p99_ns=measured.p99_ns,
                cpu_us_per_message=usage.cpu_us_per_message,
                rss_peak=usage.rss_peak,
                broker_cpu_us_per_message=of_broker.cpu_us_per_message,
            )
        record = self.ours(pairing, side)
        p50_ns, p99_ns = quantiles_ns(record)
        notes = [note.text for note in record.health if note.hard or note.code == "client-bound"]
        return Reading(
            side=side,
            pair=pair,
            sent_per_s=record.sent / max(1, record.measure_to_s - record.measure_from_s),
            received_per_s=record.achieved_rate,
            p50_ns=p50_ns,
            p99_ns=p99_ns,
            cpu_us_per_message=record.client_usage.cpu_us_per_message,
            rss_peak=record.client_usage.rss_peak,
            broker_cpu_us_per_message=record.broker_usage.cpu_us_per_message,
            notes=(*notes, *(note.text for note in record.findings)),
        )

    def ours(self, pairing: Pairing, driver: str, watch: Callable[[Live], None] = lambda _live: None) -> TrialRecord:
        """Run one trial of ours, after the plan's `settle`; return its record.

        Raises:
            PeerError: it gave no result.
            BrokerError: the broker could not be prepared.
        """
        target = pairing.target
        if driver != target.driver:  # options are those of the target's own driver
            target = target.model_copy(update={"driver": driver, "options": {}})
        prefix, queues = self._names(pairing)
        scratch = self._scratch / prefix
        scratch.mkdir()
        given = Conditions(
            target=target,
            workload=pairing.workload,
            plan=self._scenario.plan,
            seed=_SEED,
            layout=pairing.workload.laid_out(prefix, queues, _SEED),
            loaded_ns=0,
            known_warm=True,
            scratch=scratch,
            watch=watch,
        )
        raw = run_trial(given, self._instance.broker)
        planned = PlannedTrial(
            index=0, repetition=0, target=target.name, workload=pairing.workload.name, restart_broker=False
        )
        kind = self._scenario.broker(target.broker).kind
        broker = broker_record(target.broker, kind, self._instance.facts, self._instance.started)
        external = not self._instance.broker.pids()
        ceiling = self._ceilings.get(driver)
        record = conclude(
            planned,
            pairing.workload,
            _SEED,
            raw,
            broker,
            external=external,
            ceiling=ceiling,
            subject=self._scenario.subject,
        ).record
        if record.outcome in BROKE_OFF or "service" not in record.latency or not record.latency["service"].count:
            message = f"driver {driver} gave no result: {record.outcome.value}: {record.reason or 'nothing arrived'}"
            raise PeerError(message)
        return record

    def theirs(
        self, pairing: Pairing, watch: Callable[[bool], None] = lambda _measuring: None
    ) -> tuple[Measured, Usage, Usage]:
        """Run the peer once; return what it measured, and what it and the broker used in its measured part.

        Raises:
            PeerError: it gave no result.
            BrokerError: the broker could not be prepared.
        """
        peer, broker, endpoint = pairing.peer, self._instance.broker, self.endpoint(pairing)
        if endpoint.tls is not None or endpoint.sasl != "plain":
            message = (
                f"broker {broker.name} wants TLS or SASL {endpoint.sasl}: peers are driven over plain TCP by password"
            )
            raise PeerError(message)
        layout = pairing.workload.laid_out(*self._names(pairing), _SEED)
        with declared(broker, layout):
            job = self._job(pairing, layout, endpoint)
            ran = run_peer(peer, self._folders[peer.name], job, broker, watch)
        measured = peer.read(ran.said, job)
        ends = measured.from_ns, measured.to_ns, measured.received
        return measured, usage_between(ran.samples, "client", *ends), usage_between(ran.samples, "broker", *ends)

    def command(self, pairing: Pairing) -> str:
        """Return the peer's command line for people: without credentials, and with a name for its queue."""
        shown = replace(self.endpoint(pairing), username="USER", password="PASSWORD")  # noqa: S106  (stand-ins)
        folder = str(self._folders[pairing.peer.name])
        layout = pairing.workload.laid_out("QUEUE", ["QUEUE"] * pairing.workload.plain_queues, _SEED)
        return shlex.join(("java", *pairing.peer.java(folder, self._job(pairing, layout, shown))))

    def endpoint(self, pairing: Pairing) -> Endpoint:
        """Return where a target is reached."""
        return self._instance.broker.endpoint(cast("Protocol", pairing.target.protocol))

    def _job(self, pairing: Pairing, layout: Layout, endpoint: Endpoint) -> Job:
        report = str(self._scratch / f"{self._runs}.report")
        return Job(pairing.workload, endpoint, layout.flows[0], self._warm_up_s, report)

    def _names(self, pairing: Pairing) -> tuple[str, list[str]]:
        """Return the prefix of all names of one more run, and those of its plain queues."""
        self._runs += 1
        prefix = f"busbench-crosscheck-{self._token}-{self._runs}"
        return prefix, [f"{prefix}-{number}" for number in range(pairing.workload.plain_queues)]


def quantiles_ns(record: TrialRecord) -> tuple[int, int]:
    """Return p50 and p99 of received - sent."""
    service = decode(record.latency["service"].histogram)
    return service.get_value_at_percentile(50), service.get_value_at_percentile(99)
