"""docs/drivers.md does what it says: its example is the shipped driver, and works as a package of its own."""

import os
import re
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from bench.drivers.registry import registry
from bench.run.shared_board import Board
from bench.run.worker_assignment import Assignment
from bench.run.worker_pool import WorkerEnded, WorkerPool
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import load_scenario
from bench.scenario.scenario import RateLoad, Workload
from brokers.endpoint import Endpoint
from tests.bench.drivers.amqp091_server import Amqp091Server
from tests.bench.drivers.fake_package import install, on_path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/drivers.md").read_text()
BLOCKS = dict(re.findall(r"^### `([^`]+)`\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PROJECT = tomllib.loads(BLOCKS["pyproject.toml"])["project"]


@pytest.fixture
def example(tmp_path: Path) -> Iterator[str]:
    """Install the page's package beside busbench; return the name of its driver."""
    points = PROJECT["entry-points"]["busbench.drivers"]
    modules = {name: text for name, text in BLOCKS.items() if name.endswith(".py")}
    install(tmp_path / "site", PROJECT["name"], points, modules)
    with on_path(tmp_path / "site"):
        yield next(iter(points))


def test_the_example_is_the_driver_that_is_shipped() -> None:
    """So what holds for one, such as the live tests, holds for the other."""
    assert set(BLOCKS) == {"pyproject.toml", "busbench_our_kombu/__init__.py", "busbench_our_kombu/lane.py"}
    assert BLOCKS["busbench_our_kombu/lane.py"] == (ROOT / "bench/drivers/kombu/lane.py").read_text()


def test_the_table_of_shapes_is_what_descriptions_say() -> None:
    """Each driver over a client library is in it."""
    table = re.search(r"^\| driver \| .*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert table is not None
    (_, *shapes), _, *rows = (
        [cell.strip("` ") for cell in row.strip("|").split("|")] for row in table[0].splitlines() if row
    )
    told = {
        name: {shape for shape, cell in zip(shapes, cells, strict=True) if cell.startswith("yes")}
        for names, *cells in rows
        for name in re.findall(r"[\w-]+", names)
    }
    found = registry().installed
    libraries = {name for name, one in found.items() if one.member.distribution and one.member.now is None}
    assert told == {name: set(found[name].member.shapes) for name in libraries}


def test_the_example_is_listed(example: str) -> None:
    """With its package and the version of its client; nothing is left out."""
    listed = CliRunner().invoke(app, ["drivers"])
    assert re.search(
        rf"^{example}  amqp091  kombu [\d.]+  \(package busbench-our-kombu 1\.0\)$", listed.stdout, re.MULTILINE
    )
    assert listed.stderr == ""
    assert list(registry().installed)[-1] == example


def test_the_example_serves_scenarios(example: str) -> None:
    """By `--driver` and by a target's `driver`; not for a protocol that it does not speak."""
    assert load_scenario("own-broker", driver=example).scenario.targets[0].driver == example
    assert load_scenario("own-broker", [f"targets.0.driver={example}"]).scenario.targets[0].driver == example
    with pytest.raises(
        ScenarioError, match=rf"targets\.1\.driver: '{example}' speaks amqp091, not amqp10: choose wire10, proton"
    ):
        load_scenario("own-broker", [f"targets.1.driver={example}"])


def test_the_example_is_not_there_once_its_package_is_gone() -> None:
    """What is allowed instead is told."""
    with pytest.raises(ScenarioError, match=r"targets\.0\.driver: 'our-kombu' is no driver: choose .*kombu, "):
        load_scenario("own-broker", ["targets.0.driver=our-kombu"])


def test_a_worker_process_opens_the_example(example: str, tmp_path: Path) -> None:
    """It finds the package as its conductor did, opens a consumer on a broker, and leaves when told."""
    server, fd = Amqp091Server(), Board.share(1)
    board, pool = Board(1, fd), WorkerPool([_assignment(example, server.endpoint, fd, tmp_path)], tmp_path)
    pool.start()
    try:
        deadline = time.monotonic() + 60
        while not board.ready():
            pool.check()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        board.stop()
        pool.see_off(20)
        [account] = pool.accounts()
    finally:
        pool.kill()
        server.stop()
        os.close(fd)
    assert account.counters["frames_in"] > 0


def test_a_worker_process_names_the_package_at_fault(example: str, tmp_path: Path) -> None:
    """A port that cannot be imported is told as the package's fault, not as the broker's."""
    (tmp_path / "site/busbench_our_kombu/lane.py").write_text("import no_such_client\n")
    fd = Board.share(1)
    at = Endpoint("amqp091", "127.0.0.1", 1, "/", None, "guest", "guest")
    pool = WorkerPool([_assignment(example, at, fd, tmp_path)], tmp_path)
    pool.start()
    try:
        with pytest.raises(WorkerEnded, match=r"package busbench-our-kombu 1\.0: .*No module named 'no_such_client'"):
            pool.see_off(60)
    finally:
        pool.kill()
        os.close(fd)


def test_a_shipped_scenario_names_the_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without kombu, python-clients is refused with the one command that helps; other scenarios load."""
    installed = registry().installed
    missing = installed["kombu"].member.__class__(**{**vars(installed["kombu"].member), "distribution": "no-kombu"})
    monkeypatch.setitem(installed, "kombu", type(installed["kombu"])(missing, installed["kombu"].package))
    with pytest.raises(ScenarioError) as caught:
        load_scenario("python-clients")
    assert [str(fault) for fault in caught.value.faults] == [
        "targets.5.driver: 'kombu' cannot be used: no-kombu is not installed: pip install 'kombu>=5.5'"
    ]
    assert load_scenario("rabbitmq-vs-qpid")


def _assignment(driver: str, at: Endpoint, fd: int, folder: Path) -> Assignment:
    return Assignment(
        role="consumer",
        worker=0,
        row=0,
        rows=1,
        driver=driver,
        workload=(work := Workload(name="w", load=RateLoad(kind="rate", rate=1))),
        route=work.laid_out("", ("q",), 1).flows[0],
        seed=1,
        endpoint=at,
        conductor=os.getpid(),
        board_fd=fd,
        account=folder / "consumer-0.account",
    )
