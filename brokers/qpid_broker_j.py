"""Apache Qpid Broker-J, started by us from an image. What is written and run: `brokers.qpid_broker_j_config`."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Any

from brokers import ports, qpid_broker_j_config
from brokers.base import BrokerError, Facts
from brokers.control import Control
from brokers.places.base import Place
from brokers.settings import QpidBrokerJSettings
from brokers.started import Program, StartedBroker

REST_TIMEOUT_S = 5.0
PROBE = "bench.probe"


class QpidBrokerJ(StartedBroker):
    """A Broker-J of its own."""

    def __init__(
        self,
        settings: QpidBrokerJSettings,
        folder: Path,
        image_root: Path,
        place: Place,
        fixed_ports: ports.Ports | None = None,
    ) -> None:
        """Describe a broker; see `StartedBroker`."""
        super().__init__(settings, qpid_broker_j_config.dialect(), folder, place, fixed_ports)
        self._qpid = settings
        self._image_root = image_root

    def _program(self, at: ports.Ports, home: PurePosixPath) -> Program:
        found = sorted(self._image_root.glob("opt/qpid-broker/*/lib"))
        if not found:
            message = f"broker {self.name!r}: the image at {self._image_root} holds no Broker-J: build another recipe"
            raise BrokerError(message)
        library = PurePosixPath("/") / found[-1].relative_to(self._image_root)
        return Program(
            files={"initial.json": qpid_broker_j_config.initial(self._qpid, home)},
            # The initial configuration is read only where the work folder is new.
            folders=("work",),
            argv=qpid_broker_j_config.command(self._qpid, at, home, library),
            environment=qpid_broker_j_config.environment(home),
            main="java",
        )

    def _says_ready(self, log: str) -> bool:
        return qpid_broker_j_config.says_ready(log)

    def _says_failed(self, log: str) -> bool:
        return qpid_broker_j_config.says_failed(log)

    def _reasons(self, log: str) -> list[str]:
        return qpid_broker_j_config.reasons(log)

    def _observe(self, at: ports.Ports, control: Control) -> Facts:
        name = qpid_broker_j_config.VIRTUAL_HOST
        broker = self._get(at, "broker")
        host = self._get(at, f"virtualhost/{name}/{name}")
        # The policies of queues are told by a queue.
        control.declare(PROBE, self._dialect.transient)
        queue = self._get(at, f"queue/{name}/{name}/{PROBE}")
        control.delete(PROBE)
        return Facts(
            product="Apache Qpid Broker-J",
            version=str(broker.get("productVersion")),
            runtime=qpid_broker_j_config.runtime(broker),
            asked=qpid_broker_j_config.asked(self._qpid),
            reported=qpid_broker_j_config.reported(broker, host, queue),
        )

    def _get(self, at: ports.Ports, path: str) -> dict[str, Any]:
        """Return one object of its management interface."""
        token = base64.b64encode(b"guest:guest").decode()
        request = urllib.request.Request(
            f"http://{ports.LOOPBACK}:{at.http}/api/latest/{path}", headers={"Authorization": f"Basic {token}"}
        )
        # No proxy stands between us and our own loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=REST_TIMEOUT_S) as answer:
                found = json.load(answer)
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            message = f"broker {self.name!r}: its management interface does not answer {path}: {error}"
            raise BrokerError(message) from error
        one: dict[str, Any] = found[0] if isinstance(found, list) else found
        return one
