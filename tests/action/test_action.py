"""action.yml: every step of it in order, with a busbench that is made up; what people and later steps get.

Git, the branch of the history and the interface (`tests.action.service`) are real.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.core import TyperGroup

from bench.cli.main import verb
from brokers.user_cache import user_cache
from tests.action.runner import ROOT, ActionRun, commit, git
from tests.action.service import Service, served

BENCH = r"""#!/usr/bin/env bash
# Notes how it was called, and answers as FAKE_… says.
set -eu
printf '%s\n' "$*" >>"$CALLS"
option() { # name, words: its value
  while [ $# -gt 1 ]; do [ "$1" = "$want" ] && { echo "$2"; return; }; shift; done
}
case "$1 ${2:-}" in
  "history add") want=--store; s=$(option "$@"); mkdir -p "$s/runs"; echo "$GITHUB_SHA" >"$s/runs/${RUN:-1}.parquet" ;;
  "history check") echo "p99: a step at $GITHUB_SHA"; exit "${FAKE_CHECK:-0}" ;;
  "history branch") [ -z "${FAKE_BRANCH:-}" ] || echo "$FAKE_BRANCH" ;;
  "run "*) want=--out; mkdir -p "$(option "$@")"; exit "${FAKE_RUN:-0}" ;;
  "gate "*)
    want=--md; md=$(option "$@"); want=--comment-marker
    printf '<!-- busbench: %s -->\n**verdict** %s\n' "$(option "$@")" "${FAKE_GATE:-0}" >"$md"
    exit "${FAKE_GATE:-0}" ;;
  "doctor --noise") echo "With 10 pairs this host decides little."; exit "${FAKE_NOISE:-0}" ;;
  *) echo "what is $*?"; exit 2 ;;
esac
"""
SETUP = """#!/usr/bin/env bash
set -eu
echo "setup: as told"
[ "${FAKE_SETUP:-0}" = 0 ] || { echo "setup: error: no compiler"; exit "$FAKE_SETUP"; }
mkdir -p "$(dirname "$0")/../.venv/bin"
cp "$(dirname "$0")/bench" "$(dirname "$0")/../.venv/bin/bench"
"""
BWRAP = """#!/usr/bin/env bash
[ ! -e "$FORBIDDEN" ] || { echo "bwrap: setting up uid map: Permission denied" >&2; exit 1; }
"""
SUDO = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
[ "${FAKE_SUDO:-0}" = 0 ] && rm "$FORBIDDEN"
"""


@dataclass
class Place:
    """A repository that uses the action, its origin, and what stands around it."""

    folder: Path
    service: Service

    @property
    def workspace(self) -> Path:
        """The checkout."""
        return self.folder / "workspace"

    @property
    def origin(self) -> Path:
        """Where it comes from."""
        return self.folder / "origin.git"

    @property
    def work(self) -> Path:
        """What the action made."""
        return self.folder / "temp/busbench"

    def calls(self) -> list[str]:
        """Return the commands that were called, each as one line."""
        return (self.folder / "calls").read_text().splitlines()

    def gate(self) -> list[str]:
        """Return the words of the one call of the gate."""
        [call] = [call for call in self.calls() if call.startswith("gate ")]
        return shlex.split(call)

    def stored(self) -> dict[str, str]:
        """Return what each file of the history's branch holds, by its digest."""
        names = git(self.origin, "ls-tree", "-r", "--name-only", "busbench-history").splitlines()
        return {name: git(self.origin, "rev-parse", f"busbench-history:{name}") for name in names}

    def use(
        self, inputs: Mapping[str, str] | None = None, event: Mapping[str, str] | None = None, **environment: str
    ) -> ActionRun:
        """Use the action once, on a fresh runner."""
        temp = self.folder / "temp"
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir()
        (self.folder / "calls").write_text("")
        surroundings = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "CALLS": str(self.folder / "calls"),
            "FORBIDDEN": str(self.folder / "forbidden"),
            "SYSCTLS": str(self.folder / "sysctls"),
            "GITHUB_API_URL": self.service.url,
            "GITHUB_REPOSITORY": "we/ours",
            "GITHUB_SHA": git(self.workspace, "rev-parse", "HEAD"),
            **environment,
        }
        event = {"event.repository.default_branch": "main"} | dict(event or {"event_name": "push"})
        given = {"scenario": "bench/ci.toml"} | dict(inputs or {})
        ran = ActionRun(self.folder / "action", self.workspace, temp, given, surroundings, event).run()
        for name, one in ran.ran.items():  # shown where a test fails
            sys.stdout.write(f"--- {name}: {one.outcome}\n{one.said}")
        return ran

    def pull_request(self, inputs: Mapping[str, str] | None = None, **environment: str) -> ActionRun:
        """Use it on a pull request towards main."""
        event = {"event_name": "pull_request", "event.pull_request.number": "7"}
        return self.use(inputs, event, GITHUB_BASE_REF="main", **environment)


def program(path: Path, text: str) -> None:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(stat.S_IRWXU)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A repository with a scenario, one commit on main, and a branch with another; the action beside it."""
    action = tmp_path / "action"
    shutil.copytree(ROOT / ".ci/action", action / ".ci/action")
    for name in (
        "requirements.lock",
        "pyproject.toml",
        ".ci/sandbox.sh",
        "reports/gate/comment.py",
        *(f"brokers/image/{one}.toml" for one in ("stable", "current")),
    ):
        (action / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, action / name)
    program(action / ".ci/setup.sh", SETUP)
    program(action / ".ci/bench", BENCH)
    program(tmp_path / "bin/bwrap", BWRAP)
    program(tmp_path / "bin/sudo", SUDO)
    (tmp_path / "home").mkdir()
    (tmp_path / "sysctls/kernel").mkdir(parents=True)
    (tmp_path / "sysctls/kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(tmp_path, "clone", "--quiet", "origin.git", "workspace")
    workspace = tmp_path / "workspace"
    git(workspace, "checkout", "--quiet", "-B", "main")
    commit(workspace, "bench/ci.toml", "# as it was\n")
    git(workspace, "push", "--quiet", "origin", "main")
    git(workspace, "checkout", "--quiet", "-b", "topic")
    commit(workspace, "bench/ci.toml", "# as it is to be\n")
    with served() as service:
        yield Place(tmp_path, service)


def test_a_push_is_measured_judged_and_stored(place: Place) -> None:
    """In this order, with the options that the verbs have; the history is a branch of files alone."""
    ran = place.use()
    assert not ran.failed, ran.ran
    work = place.work
    assert [call.split()[0:2] for call in place.calls()] == [
        ["run", "bench/ci.toml"],
        ["gate", f"{work}/results"],
        ["history", "add"],
        ["history", "branch"],
        ["history", "check"],
    ]
    words = place.gate()
    assert words[words.index("--baseline-store") + 1] == f"{work}/history"
    assert words[words.index("--comment-marker") + 1] == "performance"
    assert words[words.index("--merge-base-with") + 1] == "main"
    head = git(place.workspace, "rev-parse", "HEAD")
    assert place.stored().keys() == {"runs/1.parquet"}
    assert git(place.origin, "show", "busbench-history:runs/1.parquet") == head
    assert "**verdict** 0" in ran.summary
    assert "The run took 0 min" in ran.summary
    assert place.service.comments == []
    assert git(place.workspace, "status", "--porcelain") == ""


def test_of_a_branch_its_own_series_are_looked_at(place: Place) -> None:
    """As `bench history branch` names it, which is what the run was stored by."""
    assert not place.use(FAKE_BRANCH="topic").failed
    [looked] = [call for call in place.calls() if call.startswith("history check")]
    assert "--branch topic" in looked


def test_the_history_grows_whoever_stores_meanwhile(place: Place) -> None:
    """A second run adds to the first; one that another job stored in between is kept, too."""
    place.use(RUN="1")
    git(place.origin, "config", "receive.denyNonFastForwards", "true")
    hook = place.origin / "hooks/pre-receive"
    # Another job is faster, once: it stores a run of its own while ours is on its way.
    program(
        hook,
        f"""#!/usr/bin/env bash
        rm -- "$0"
        unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
        cd {place.origin}
        blob=$(echo theirs | git hash-object -w --stdin)
        export GIT_INDEX_FILE={place.folder}/their.index
        git read-tree busbench-history
        git update-index --add --cacheinfo "100644,$blob,runs/theirs.parquet"
        export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
        git update-ref refs/heads/busbench-history \\
          "$(git commit-tree "$(git write-tree)" -p busbench-history -m theirs)"
        echo "you come too late" >&2
        exit 1
        """,
    )
    ran = place.use(RUN="2")
    assert not ran.failed, ran.ran
    assert "attempt 1 of 5" in ran.ran["The history, onto its branch"].said
    assert place.stored().keys() == {"runs/1.parquet", "runs/2.parquet", "runs/theirs.parquet"}
    assert git(place.origin, "rev-list", "--count", "busbench-history") == "3"
    # By which `bench history add` knows the place of a commit.
    assert git(place.workspace, "rev-parse", "--is-shallow-repository") == "false"


@pytest.mark.parametrize("fails", ["add", "write-tree", "commit-tree"])
def test_a_history_outlives_what_goes_wrong(place: Place, fails: str) -> None:
    """Where there is nothing to push, nothing is pushed: of nothing the branch would be deleted."""
    place.use(RUN="1")
    before = place.stored()
    real = shutil.which("git")
    program(place.folder / "bin/git", f'#!/bin/sh\ncase " $* " in *" {fails} "*) exit 1 ;; esac\nexec {real} "$@"\n')
    ran = place.use(RUN="2")
    assert ran.ran["The history, onto its branch"].outcome == "failure"
    assert place.stored() == before


def test_a_history_that_cannot_be_stored_is_told(place: Place) -> None:
    """With the permission that is missing, and without trying for ever; the rest is done."""
    program(place.origin / "hooks/pre-receive", "#!/bin/sh\necho 'read only' >&2\nexit 1\n")
    ran = place.use(ATTEMPTS="2")
    assert ran.failed
    step = ran.ran["The history, onto its branch"]
    assert step.outcome == "failure"
    assert "contents: write" in step.said
    assert "cannot be stored" in ran.summary


def test_a_pull_request_is_held_against_the_history_and_stores_nothing(place: Place) -> None:
    """One comment says so; a second run updates it, and comments of others stay."""
    place.use()
    place.service.comments.append({"id": 50, "body": "<!-- busbench: performance -->", "user": {"login": "mallory"}})
    before = place.stored()
    assert not place.pull_request().failed
    assert "--merge-base-with" not in place.gate()
    assert place.stored() == before
    assert not place.pull_request(FAKE_GATE="3").failed
    mine = [one for one in place.service.comments if one["user"]["login"] != "mallory"]
    assert len(mine) == 1
    assert mine[0]["body"].startswith("<!-- busbench: performance -->\n**verdict** 3")
    assert place.service.comments[0]["body"] == "<!-- busbench: performance -->"


def test_both_sides_in_turn(place: Place) -> None:
    """The scenario as it was at the merge base, beside what it is now; no other run is made."""
    ran = place.pull_request({"against": "merge-base", "pairs": "12", "budget": "b.toml"})
    assert not ran.failed, ran.ran
    words = place.gate()
    work = place.work
    assert words[1:4] == [f"{work}/baseline.toml", "bench/ci.toml", "--paired"]
    assert words[words.index("--pairs") + 1] == "12"
    assert words[words.index("--budget") + 1] == "b.toml"
    assert (work / "baseline.toml").read_text() == "# as it was\n"
    assert len(place.calls()) == 1
    assert ran.ran["Run"].outcome == "skipped"


def test_a_scenario_that_is_new_has_no_merge_base(place: Place) -> None:
    """It is measured once, and the comment says why; one that is not there at all is refused."""
    absent = place.pull_request({"against": "merge-base", "scenario": "bench/new.toml"})
    assert absent.failed
    assert "bench/new.toml is no file of this repository" in absent.ran["What this run does"].said
    commit(place.workspace, "bench/new.toml", "# new\n")
    ran = place.pull_request({"against": "merge-base", "scenario": "bench/new.toml"})
    assert not ran.failed, ran.ran
    assert "bench/new.toml is new here: there is nothing to compare with yet." in place.service.comments[0]["body"]
    assert place.calls()[0].startswith("run bench/new.toml")


def test_two_values_of_a_setting(place: Place) -> None:
    """One a line; words with spaces stay one."""
    ran = place.use({"set-candidate": "brokers.r.image=current\nbrokers.r.note=a b\n"})
    assert not ran.failed, ran.ran
    [call] = place.calls()
    assert call.endswith(
        "--set-candidate brokers.r.image=current --set-candidate brokers.r.note=a b"
        f" --md {place.work}/gate.md --junit {place.work}/gate.xml --json {place.work}/gate.json"
        " --comment-marker performance"
    )


@pytest.mark.parametrize(
    ("code", "undecided", "failed"),
    [("0", "pass", False), ("1", "pass", True), ("3", "pass", False), ("3", "fail", True), ("4", "pass", True)],
)
def test_what_a_verdict_does_to_the_job(place: Place, code: str, undecided: str, failed: bool) -> None:  # noqa: FBT001
    """Whatever it is, the run is stored and people are told."""
    ran = place.use({"undecided": undecided}, FAKE_GATE=code)
    assert ran.failed is failed
    assert ran.ran["Gate"].outputs["code"] == code
    assert f"**verdict** {code}" in ran.summary
    assert place.stored()
    assert ran.ran["Results"].outcome == "success"


def test_a_failed_setup_is_told_and_nothing_else_happens(place: Place) -> None:
    """Summary, results and comment survive it, and the old verdict does not stand there any longer."""
    place.pull_request()
    assert "**verdict** 0" in place.service.comments[0]["body"]
    shutil.rmtree(place.folder / "action/.venv")
    ran = place.pull_request(FAKE_SETUP="4")
    assert ran.failed
    assert place.calls() == []
    assert {name for name, one in ran.ran.items() if one.outcome == "failure"} == {"Setup"}
    assert ran.ran["Results"].outcome == "success"
    [one] = place.service.comments
    assert one["body"].startswith("<!-- busbench: performance -->\n**Performance: no result.**")
    assert "The setup ended with: failure" in one["body"]
    assert "no compiler" in ran.ran["Setup"].said


def test_a_run_that_fails_is_told(place: Place) -> None:
    """Neither judged nor stored; invalid trials alone are the gate's business."""
    ran = place.use(FAKE_RUN="4")
    assert ran.failed
    assert [call.split()[0] for call in place.calls()] == ["run"]
    assert "no verdict" in ran.summary
    assert "The run ended with exit code 4" in ran.summary
    assert not place.use(FAKE_RUN="3").failed


def test_forbidden_namespaces_are_allowed_on_a_runner(place: Place) -> None:
    """By the line for AppArmor; where sudo is refused, the line is named, and setup goes on."""
    (place.folder / "forbidden").touch()
    ran = place.use(FAKE_SUDO="1")
    assert not ran.failed
    assert "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in ran.ran["Setup"].said
    assert "setting up uid map: Permission denied" in ran.ran["Setup"].said
    assert "::warning" in ran.ran["Setup"].said
    ran = place.use()
    assert place.calls()[0] == "-n sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    forbade = "AppArmor forbade user namespaces (bwrap: setting up uid map: Permission denied)"
    assert f"{forbade}: allowed until this runner ends" in ran.ran["Setup"].said
    assert "::warning" not in ran.ran["Setup"].said


def test_namespaces_that_something_else_forbids(place: Place) -> None:
    """Nothing of the machine is changed; brokers that somebody else runs still work."""
    (place.folder / "forbidden").touch()
    (place.folder / "sysctls/kernel/apparmor_restrict_unprivileged_userns").write_text("0\n")
    ran = place.use()
    assert not any("sysctl" in call for call in place.calls())
    assert "place = external" in ran.ran["Setup"].said


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"against": "yesterday"}, "against: yesterday is none of: history, merge-base"),
        ({"undecided": "maybe"}, "undecided: maybe is none of: pass, fail"),
        ({"history": "cloud"}, "history: cloud is none of: branch, artifact, none"),
        ({"scenario": ""}, "scenario: name a file of your repository"),
    ],
)
def test_inputs_that_cannot_be(place: Place, inputs: dict[str, str], says: str) -> None:
    """They are told before anything is installed, in the summary as well."""
    ran = place.use(inputs)
    assert ran.failed
    assert says in ran.summary
    assert ran.ran["Setup"].outcome == "skipped"


def test_a_shallow_checkout_is_told(place: Place) -> None:
    """With what to set."""
    shutil.rmtree(place.workspace)
    git(place.folder, "clone", "--quiet", "--depth=1", f"file://{place.origin}", "workspace")
    git(place.workspace, "checkout", "--quiet", "--orphan", "unborn")
    git(place.workspace, "commit", "--quiet", "--message", "alone")
    ran = place.pull_request({"against": "merge-base"})
    assert ran.failed
    assert "fetch-depth: 0" in ran.summary


def test_without_history_nothing_is_compared(place: Place) -> None:
    """It is measured, and said so; limits that stand by themselves are judged all the same."""
    ran = place.use({"history": "none"})
    assert not ran.failed
    assert [call.split()[0] for call in place.calls()] == ["run", "gate"]
    assert "no-baseline" in place.calls()[1]
    assert "--allow-first" in place.calls()[1]
    assert "nothing to compare with" in ran.summary
    assert git(place.origin, "branch", "--list", "busbench-history") == ""


def test_an_origin_that_does_not_answer_is_no_first_run(place: Place) -> None:
    """Else every gate would pass where the network is down."""
    git(place.workspace, "remote", "set-url", "origin", str(place.folder / "nowhere.git"))
    ran = place.use({})
    assert ran.failed
    assert "The branch busbench-history cannot be fetched" in ran.ran["The history, from its branch"].said


def test_a_history_kept_as_an_artifact(place: Place) -> None:
    """It is taken from the main branch's newest, and left for the next run."""
    ran = place.use({"history": "artifact"})
    assert not ran.failed, ran.ran
    assert (
        "no history is kept as artifact busbench-history of branch main yet"
        in ran.ran["The history, from an artifact"].said
    )
    left = ran.ran["The history, into an artifact"]
    assert left.given["path"] == f"{place.work}/history"
    assert (place.work / "history/runs/1.parquet").exists()
    assert ran.ran["The history, onto its branch"].outcome == "skipped"


@pytest.mark.parametrize(("code", "warned"), [("0", False), ("3", True)])
def test_noise_is_told_and_stops_nothing(place: Place, code: str, warned: bool) -> None:  # noqa: FBT001
    """The last line of what was seen stands in the summary."""
    ran = place.use({"noise": "true", "effect": "5%", "pairs": "12"}, FAKE_NOISE=code)
    assert not ran.failed
    assert place.calls()[0] == "doctor --noise --effect 5% --pairs 12"
    assert "this host decides little" in ran.summary
    assert ("::warning" in ran.ran["Noise of this runner"].said) is warned


def test_a_change_over_time_is_told(place: Place) -> None:
    """As a warning and in the summary; it fails nothing, as stored runs prove nothing."""
    ran = place.use(FAKE_CHECK="3")
    assert not ran.failed
    assert "p99: a step at" in ran.summary
    assert "::warning" in ran.ran["Over time"].said


def test_caches_are_found_by_what_they_hold(place: Place) -> None:
    """The environment's key changes with the lock, the image's with the recipes, neither with the scenario."""

    def keys() -> list[str]:
        ran = place.use()
        return [ran.ran[f"The {one}, from the cache"].given["key"] for one in ("environment", "image")]

    def appended(name: str) -> list[str]:
        with (place.folder / "action" / name).open("a") as file:
            file.write("# changed\n")
        return keys()

    first = keys()
    commit(place.workspace, "bench/ci.toml", "# another\n")
    assert keys() == first
    environment, image = appended("requirements.lock")
    assert environment != first[0]
    assert image == first[1]
    assert appended("brokers/image/stable.toml")[1] != first[1]


def elsewhere() -> list[list[str]]:
    """Return the commands of docs/ci.md for GitLab and for Jenkins, as many as have a shell of their own."""
    page = (ROOT / "docs/ci.md").read_text()
    [gitlab] = re.findall(r"### GitLab\n\n```yaml\n(.*?)```", page, re.DOTALL)
    [jenkins] = re.findall(r"### Jenkins\n\n```groovy\n(.*?)```", page, re.DOTALL)
    job = yaml.safe_load(gitlab)["performance"]
    return [["\n".join(job["script"]), *job["after_script"]], re.findall(r"\bsh '(.*?)'(?=$|;)", jenkins, re.MULTILINE)]


@pytest.mark.parametrize("lines", elsewhere(), ids=["gitlab", "jenkins"])
def test_other_systems_call_the_same(place: Place, lines: list[str]) -> None:
    """The commands of docs/ci.md, one after the other: measured, judged, stored and summed up."""
    action = place.folder / "action"
    git(action, "init", "--quiet")
    git(action, "add", "--all", "--force")
    git(action, "commit", "--quiet", "--message", "busbench")
    work = place.workspace / "busbench-out"
    environment = {
        "PATH": f"{place.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(place.folder / "home"),
        "CALLS": str(place.folder / "calls"),
        "FORBIDDEN": str(place.folder / "forbidden"),
        "SCENARIO": "bench/ci.toml",
        "BUSBENCH_WORK": str(work),
        "BUSBENCH_URL": str(action),
        "CI_COMMIT_BRANCH": "main",
        "CI_DEFAULT_BRANCH": "main",
        "CHANGE_ID": "",
        "GITHUB_SHA": "a-commit",
    }
    for line in lines:
        done = subprocess.run(
            ["sh", "-e", "-c", line], cwd=place.workspace, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert [call.split()[0] for call in place.calls()] == ["run", "gate", *["history"] * 3]
    assert place.stored()
    assert "**verdict** 0" in (work / "comment.md").read_text()
    assert (work / "gate.md").exists()


SCENARIO = """
name = "ci"
title = "Scripted"
question = "Is it as it was?"
[[brokers]]
name = "calm"
kind = "memory"
capacity = 5000
[[targets]]
name = "calm"
broker = "calm"
protocol = "memory"
driver = "memory"
[[workloads]]
name = "steady"
duration = "2s"
load = { kind = "rate", rate = 500 }
[plan]
repetitions = 5
warm_up = { settle = "1s" }
"""


@pytest.mark.compiled
def test_the_real_command_does_what_the_steps_ask(place: Place) -> None:
    """On a broker of virtual time: a first run passes, its figures are there, and it is stored."""
    commit(place.workspace, "bench/ci.toml", SCENARIO)
    program(place.folder / "action/.ci/bench", f'#!/bin/sh\nexec {sys.executable} -m bench "$@"\n')
    given = {"run-options": "--no-report --seed 7"}
    ran = place.use(given, PYTHONPATH=str(ROOT), XDG_CACHE_HOME=str(user_cache().parent))
    assert not ran.failed, ran.summary
    assert "nothing to compare with yet" in ran.summary
    assert "<details><summary>Over time</summary>" in ran.summary
    assert (place.work / "results/run.json").exists()
    assert (place.work / "history.html").exists()
    assert not (place.work / "latest").is_symlink()
    assert len(place.stored()) == 1


def parse(words: list[str]) -> None:
    """Raise what the command line would, where it does not know these words."""
    command = verb(words[0])
    if isinstance(command, TyperGroup):
        inner = command.get_command(command.make_context(words[0], words[1:]), words[1])
        assert inner is not None, words
        inner.make_context(words[1], words[2:])
    else:
        command.make_context(words[0], words[1:])


def test_every_call_is_one_that_bench_knows(place: Place) -> None:
    """With every option that a workflow can ask for."""
    (place.workspace / "b.toml").touch()
    given = {"budget": "b.toml", "pairs": "12", "noise": "true", "effect": "5%", "run-options": "--seed 7 --no-report"}
    place.use(given)
    calls = place.calls()
    place.pull_request(given | {"against": "merge-base"})
    calls += place.calls()
    place.use({"set-candidate": "brokers.r.image=current"})
    calls += place.calls()
    assert {call.split()[0] for call in calls} == {"doctor", "run", "gate", "history"}
    for call in calls:
        parse(call.split())


def test_the_scripts_can_be_run(place: Place) -> None:
    """Each but the one that is sourced; each opens with what it is for."""
    scripts = sorted((place.folder / "action/.ci/action").glob("*.sh"))
    assert len(scripts) > 6
    for script in scripts:
        text = script.read_text()
        assert os.access(ROOT / ".ci/action" / script.name, os.X_OK) is (script.name != "common.sh"), script.name
        assert script.name == "common.sh" or text.startswith("#!/usr/bin/env bash\n# ")
        assert "set -euo pipefail" in text or "common.sh" in text
