"""docs/brokers.md and docs/places.md do what they say: their examples, installed as packages, are measured.

ToyMQ is played by our relay, which really passes messages on; the place is the page's own.
"""

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.bench.drivers.fake_package import install

pytestmark = [pytest.mark.live, pytest.mark.compiled]

ROOT = Path(__file__).parents[1]
TOYMQ = """#!{python}
import sys
from bench.ceiling import relay
with open(sys.argv[1]) as file:
    conf = dict(line.strip().split(" = ") for line in file)
print("toymq: ready", flush=True)
relay.main(["--port", conf["listen"].rpartition(":")[2], "--memory", conf["hold"], "--product", "ToyMQ"])
"""
SCENARIO = """
name = "toy"
title = "A toy"
question = "Is a product of another package measured as ours are?"
brokers = [{{ name = "toy", kind = "toymq", place = "bare", place_options = {{ root = "{root}" }}, hold_mib = 32 }}]
targets = [{{ name = "toy", broker = "toy", protocol = "amqp091", driver = "wire091" }}]
[plan]
repetitions = 1
warm_up = {{ at_least = "1s", window = "1s", settle = "500ms", at_most = "1s" }}
[[workloads]]
name = "steady"
duration = "1s"
load = {{ kind = "rate", rate = 500 }}
[[workloads]]
name = "closed"
duration = "1s"
load = {{ kind = "in_flight", in_flight = [16] }}
"""


def blocks(page: str) -> dict[str, str]:
    """Return the files of a page's example, by name."""
    text = (ROOT / "docs" / page).read_text()
    return dict(re.findall(r"^### `([^`]+)`\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of both pages, and ToyMQ as if it were installed on this host."""
    folder = tmp_path_factory.mktemp("toy")
    for page, group in (("brokers.md", "busbench.brokers"), ("places.md", "busbench.places")):
        files = blocks(page)
        project = tomllib.loads(files.pop("pyproject.toml"))["project"]
        install(folder / "site", project["name"], project["entry-points"][group], files, group)
    program = folder / "opt/toymq-1.0/bin/toymq"
    program.parent.mkdir(parents=True)
    program.write_text(TOYMQ.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "toy.toml").write_text(SCENARIO.format(root=folder))
    return folder


def bench(site: Path, *words: str, installed: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run the command, with or without the packages."""
    path = f"{site / 'site'}:{ROOT}" if installed else str(ROOT)
    return subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=site,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_both_are_listed_with_their_packages(site: Path) -> None:
    """And nothing is left out."""
    listed = bench(site, "broker", "list")
    assert "toymq  (package busbench-toymq 1.0)\n    ToyMQ: queues in memory, AMQP 0-9-1" in listed.stdout
    assert "bare  (package busbench-bare 1.0)\n    installed on this host" in listed.stdout
    assert "option root: " in listed.stdout
    assert listed.stderr == ""


def test_its_settings_are_checked_and_documented_as_ours_are(site: Path) -> None:
    """An unknown field, a wrong value, a field of another product: a line each; the schema has its own."""
    wrong = bench(site, "run", "toy.toml", "--set", "brokers.toy.hold_mib=much", "--set", "targets.0.protocol=amqp10")
    assert wrong.returncode == 2
    assert "brokers.0.hold_mib: 'much': input should be a valid integer" in wrong.stderr
    other = bench(site, "run", "toy.toml", "--set", "brokers.toy.store=bdb")
    assert "brokers.0.store: store belongs to" in other.stderr
    assert "ToyMQ: how much it holds." in bench(site, "schema").stdout


@pytest.fixture(scope="module")
def measured(site: Path) -> Path:
    """The results folder of a run on the toy."""
    ran = bench(site, "run", "toy.toml", "--out", "results/toy", "--seed", "1")
    assert ran.returncode in {0, 3}, ran.stderr  # 3: a busy host made a trial invalid
    return site / "results/toy"


def test_it_is_started_measured_and_reported(measured: Path) -> None:
    """Every message arrived, its CPU time was seen, idle costs too, and the page says what the product wants said."""
    idles: list[object] = []
    for trial in sorted((measured / "trials").iterdir()):
        record = json.loads((trial / "trial.json").read_text())
        assert record["outcome"] == "completed"
        assert record["ledger"]["balanced"]
        assert record["ledger"]["received"] == record["ledger"]["sent"] > 100
        assert record["broker"]["product"] == "ToyMQ"
        assert record["broker_usage"]["cpu_s"] > 0
        assert "1024 MiB" in record["broker"]["limits"]["memory"]
        assert "toymq: ready" in (trial / "broker.log").read_text()
        idle = record["broker"]["idle"]
        assert (idle["connections"], idle["queues"]) == (100, 100)
        idles.append(idle)
    assert idles[0] == idles[1]  # measured once
    run = json.loads((measured / "run.json").read_text())
    assert run["products"]["toy"]["package"] == "busbench-toymq 1.0"
    page = (measured / "report.html").read_text()
    assert "What a crash of ToyMQ leaves: it keeps everything in memory." in page
    assert "Toy AMQP 0-9-1" in page


def test_what_is_not_installed_is_named(site: Path, measured: Path) -> None:
    """By a scenario with what there is, and by a results folder with the package that brought it."""
    scenario = bench(site, "run", "toy.toml", installed=False)
    assert scenario.returncode == 2
    assert re.search(r"brokers\.0\.kind: 'toymq' is not an installed product: choose 'rabbitmq'", scenario.stderr)
    assert "Traceback" not in scenario.stderr
    folder = bench(site, "report", str(measured), installed=False)
    assert folder.returncode == 2
    assert "busbench-toymq 1.0" in folder.stderr
    assert "toymq" in folder.stderr
    assert len(folder.stderr.strip().splitlines()) == 1
