"""The steps of action.yml from a clean clone in an ordinary user's account, with user namespaces allowed and forbidden.

System packages are there, and the image is as a cache would bring it. Everything else is made by the steps.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.image.cache import ensure
from brokers.user_cache import user_cache
from tests.action.runner import ROOT, ActionRun, commit, git
from tests.evidence.faults import somebody, somebody_without_namespaces

SCENARIO = """
name = "ci"
title = "RabbitMQ"
question = "Did this change make RabbitMQ slower for us?"
[[brokers]]
name = "rabbitmq"
kind = "rabbitmq"
[[brokers]]
name = "scripted" # whose trials are valid on a busy host too
kind = "memory"
capacity = 5000
[[targets]]
name = "scripted"
broker = "scripted"
protocol = "memory"
driver = "memory"
[[targets]]
name = "rabbitmq-091"
broker = "rabbitmq"
protocol = "amqp091"
driver = "wire091"
[[workloads]]
name = "steady"
duration = "3s"
load = { kind = "rate", rate = 500, capacity = 20000 }
[plan]
repetitions = 5
restart = "run"
idle = false
drain = "3s"
warm_up = { at_least = "1s", at_most = "1s", settle = "1s" }
"""


@pytest.fixture
def account() -> Iterator[Path]:
    """A folder that others may enter, with a home, a clean clone of this checkout, and a repository that uses it."""
    folder = Path(tempfile.mkdtemp(prefix="busbench-action-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        for name in ("home/.cache/busbench", "temp"):
            (folder / name).mkdir(parents=True)
        git(folder, "clone", "--quiet", "--no-local", str(ROOT), "action")
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
        git(folder, "clone", "--quiet", "origin.git", "workspace")
        git(folder / "workspace", "checkout", "--quiet", "-B", "main")
        commit(folder / "workspace", "bench/ci.toml", SCENARIO)
        git(folder / "workspace", "push", "--quiet", "origin", "main")
        ensure("stable", print)
        subprocess.run(["cp", "-a", user_cache() / "images", folder / "home/.cache/busbench/images"], check=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def surroundings(folder: Path) -> dict[str, str]:
    """Return the user's environment: no program of root's, and how this machine reaches its package indexes."""
    path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if not one.startswith("/root"))
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    return kept | {"PATH": path, "HOME": str(folder / "home")}


def as_user(folder: Path, words: tuple[str, ...], *command: str) -> str:
    """Return what a command of the user's says."""
    done = subprocess.run(
        [*words, *command], env=surroundings(folder), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def use(folder: Path, words: tuple[str, ...]) -> ActionRun:
    """Use the action on a push to main, as the user."""
    shutil.rmtree(folder / "temp", ignore_errors=True)
    (folder / "temp").mkdir(mode=0o777)
    (folder / "temp").chmod(0o777)
    environment = surroundings(folder) | {"GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "main"}
    environment["GITHUB_SHA"] = as_user(folder, words, "git", "-C", str(folder / "workspace"), "rev-parse", "HEAD")
    event = {"event_name": "push", "event.repository.default_branch": "main"}
    inputs = {"scenario": "bench/ci.toml"}
    ran = ActionRun(folder / "action", folder / "workspace", folder / "temp", inputs, environment, event, words).run()
    for name, one in ran.ran.items():
        print(f"--- {name}: {one.outcome}\n{one.said}")  # noqa: T201  (shown where the test fails)
    print(ran.summary)  # noqa: T201
    return ran


@pytest.mark.live
@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_an_ordinary_user_from_a_clean_clone(account: Path) -> None:
    """Setup, run, gate and history do their work; forbidden namespaces are named, and fail the run alone."""
    with somebody(account) as words:
        ran = use(account, words)
        assert not ran.failed
        assert "nothing to compare with yet" in ran.summary
        assert "Setup took" in ran.summary
        assert re.search(r"rabbitmq-091 · steady +500 msg/s", ran.ran["Run"].said)
        second = use(account, words)
        assert "up to date" in second.ran["Setup"].said
        # Its verdict is the host's.
        assert {name for name, one in second.ran.items() if one.outcome == "failure"} <= {"Gate"}
        stored = as_user(account, words, "git", "-C", str(account / "origin.git"), "ls-tree", "-r", "busbench-history")
        assert len(stored.splitlines()) == 2
    with somebody_without_namespaces(account) as words:
        ran = use(account, words)
        assert "no sandbox starts here" in ran.ran["Setup"].said
        assert ran.ran["Setup"].outcome == "success"
        assert "allow user namespaces" in ran.ran["Run"].said
        assert ran.failed
        assert {name for name, one in ran.ran.items() if one.outcome == "failure"} == {"Run"}
        assert "no verdict" in ran.summary
        assert (account / "temp/busbench/comment.md").exists()
