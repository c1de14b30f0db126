"""RabbitMQ, started by us from an image. What is written and run: `brokers.rabbitmq_config`."""

from pathlib import Path, PurePosixPath

from brokers import limits, ports, rabbitmq_config
from brokers.base import BrokerError, Facts
from brokers.control import Control
from brokers.places.base import Launch, Place
from brokers.settings import RabbitMQSettings
from brokers.started import Program, StartedBroker

INQUIRY_TIMEOUT_S = 10.0


class RabbitMQ(StartedBroker):
    """A RabbitMQ node of its own."""

    def __init__(
        self,
        settings: RabbitMQSettings,
        folder: Path,
        image_root: Path,
        place: Place,
        fixed_ports: ports.Ports | None = None,
    ) -> None:
        """Describe a node; see `StartedBroker`."""
        super().__init__(settings, rabbitmq_config.dialect(settings), folder, place, fixed_ports)
        self._rabbit = settings
        self._image_root = image_root

    def _program(self, at: ports.Ports, home: PurePosixPath) -> Program:
        # The wrapper in /usr/sbin insists on being root or the user rabbitmq.
        found = sorted(self._image_root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
        if not found:
            message = f"broker {self.name!r}: the image at {self._image_root} holds no RabbitMQ: build another recipe"
            raise BrokerError(message)
        return Program(
            files=rabbitmq_config.files(self._rabbit, at, home),
            folders=("home", "data", "log"),
            argv=("/" + str(found[-1].relative_to(self._image_root)),),
            environment=rabbitmq_config.environment(self._rabbit, at, home),
            main="beam.smp",
        )

    def _says_ready(self, log: str) -> bool:
        return rabbitmq_config.says_ready(log)

    def _says_failed(self, log: str) -> bool:  # noqa: ARG002  (a start that fails ends the server)
        return False

    def _reasons(self, log: str) -> list[str]:
        return rabbitmq_config.reasons(log)

    def _observe(self, at: ports.Ports, control: Control) -> Facts:
        return Facts(
            product="RabbitMQ",
            version=control.server_property("version"),
            runtime=rabbitmq_config.runtime(self.log()),
            asked=rabbitmq_config.asked(self._rabbit),
            reported=self._ask(at),
        )

    def _ask(self, at: ports.Ports) -> dict[str, str]:
        """Return what the server says of its settings."""
        output = self.folder / "inquiry.log"
        environment = rabbitmq_config.environment(self._rabbit, at, self._place.home(self.folder))
        asking = self._place.start(
            Launch(rabbitmq_config.inquiry(), environment, self.folder, output, main="erl_call"), limits.Limits()
        )
        asking.wait(INQUIRY_TIMEOUT_S)
        asking.end()
        return rabbitmq_config.answer(output.read_text())
