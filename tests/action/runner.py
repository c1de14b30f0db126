"""A small runner of action.yml: its steps in order, with conditions, inputs and outputs, as GitHub's runner has them.

Steps that use an action of somebody else's (caches, uploads) are not carried out: they leave no outputs, as a cache
without a hit does. What they would have been given is kept.
"""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
STEP_TIMEOUT_S = 900
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*')|(?P<operator>&&|\|\||!=|==|!|\(|\))|(?P<call>\w+)\(\)|(?P<name>[\w-]+(?:\.[\w-]+)*))"
)
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not "}


@dataclass
class Ran:
    """What came of a step.

    Attributes:
        outcome: success, failure or skipped.
        said: what it printed.
        outputs: for later steps.
        given: what a step of somebody else's was given.
    """

    outcome: str
    said: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)


class ActionRun:
    """One use of the action in a workspace."""

    def __init__(
        self,
        action: Path,
        workspace: Path,
        temp: Path,
        inputs: Mapping[str, str],
        environment: Mapping[str, str],
        event: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
    ) -> None:
        """Use it.

        Args:
            action: the checkout of busbench.
            workspace: the repository that uses it.
            temp: RUNNER_TEMP.
            inputs: of the action, beside its defaults.
            environment: of every step.
            event: what `github.…` is, by the rest of its name.
            before: words before each command, such as those that make it another user's.
        """
        self.action, self.workspace, self.temp = action, workspace, temp
        self._environment, self._before = dict(environment), before
        given = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()} | dict(inputs)
        self._values = {f"inputs.{name}": value for name, value in given.items()} | {"runner.temp": str(temp)}
        self._values |= {f"github.{name}": value for name, value in (event or {}).items()}
        self._values["inputs.token"] = given["token"].replace("${{ github.token }}", "a-token")
        self.ran: dict[str, Ran] = {}
        self.summary = ""
        self._failed = False

    @property
    def failed(self) -> bool:
        """Whether the job would be."""
        return self._failed

    def run(self) -> "ActionRun":
        """Carry out every step."""
        for step in STEPS:
            ran = self._step(step) if self._is_wanted(step) else Ran("skipped")
            self.ran[step["name"]] = ran
            if ran.outcome == "failure" and not step.get("continue-on-error"):
                self._failed = True
            if "id" in step:
                self._values[f"steps.{step['id']}.outcome"] = ran.outcome
                self._values |= {f"steps.{step['id']}.outputs.{name}": value for name, value in ran.outputs.items()}
        return self

    def _is_wanted(self, step: dict[str, Any]) -> bool:
        condition = str(step.get("if", "success()"))
        told = re.search(r"\b(?:always|cancelled|failure|success)\(\)", condition)
        return bool(self.evaluate(condition)) and (told is not None or not self._failed)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of GitHub's, as far as the action needs them."""
        states: dict[str, Callable[[], bool]] = {
            "always": lambda: True,
            "cancelled": lambda: False,
            "success": lambda: not self._failed,
        }
        words, place = [], 0
        while place < len(expression.rstrip()):
            found = _TOKEN.match(expression, place)
            assert found is not None, expression[place:]
            place = found.end()
            if found["name"]:
                words.append(repr(self._values.get(found["name"], "")))
            elif found["call"]:
                words.append(str(states[found["call"]]()))
            else:
                words.append(_OPERATORS.get(found["operator"] or "", found["text"] or found["operator"]))
        return eval("".join(words), {})  # noqa: S307  (made of literals and operators alone)

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(self.evaluate(found[1].strip())), str(text))

    def _step(self, step: dict[str, Any]) -> Ran:
        if "uses" in step:
            return Ran("success", given={name: self._filled(value) for name, value in step["with"].items()})
        files = {name: self.temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("")
            path.chmod(0o666)
        environment = {
            **self._environment,
            "GITHUB_ACTION_PATH": str(self.action),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTIONS": "true",
            **{name: str(path) for name, path in files.items()},
            **{name: self._filled(value) for name, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            [*self._before, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
        outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        return Ran("success" if done.returncode == 0 else "failure", done.stdout, outputs)


def git(folder: Path, *words: str) -> str:
    """Return what git says in a folder; it fails where git does."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = {f"GIT_{one}_{part}": "tester" for one in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *words], cwd=folder, env=os.environ | alone | who, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str, message: str = "a change") -> str:
    """Write a file and commit it; return the commit."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")
