"""action.yml and the workflows of docs/ci.md, as linters of GitHub's formats see them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.action.runner import ACTION, ROOT, STEPS

PAGE = (ROOT / "docs/ci.md").read_text()
ACTIONLINT = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or shutil.which("actionlint")
needs_actionlint = pytest.mark.skipif(ACTIONLINT is None, reason="no actionlint: make lint installs it where Go is")


def lint(folder: Path, workflow: str) -> str:
    """Return what actionlint says of a workflow in a repository that holds the action."""
    assert ACTIONLINT is not None
    (folder / ".git").mkdir(exist_ok=True)  # by which it knows the top of a repository
    shutil.copy(ROOT / "action.yml", folder)
    path = folder / ".github/workflows/checked.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(workflow)
    done = subprocess.run(
        [ACTIONLINT, "-no-color", "-shellcheck=", "-pyflakes=", str(path)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def as_workflow() -> dict[str, Any]:
    """Return the steps of the action as those of a job, which actionlint knows to check."""
    inputs = {
        name: {"type": "string", "description": one["description"], "required": one.get("required", False)}
        for name, one in ACTION["inputs"].items()
    }
    job = {"runs-on": "ubuntu-24.04", "steps": STEPS}
    return {"name": "steps", "on": {"workflow_call": {"inputs": inputs}}, "jobs": {"steps": job}}


@needs_actionlint
def test_the_steps_are_sound(tmp_path: Path) -> None:
    """Expressions, conditions, shells and the inputs of others' actions."""
    assert lint(tmp_path, yaml.safe_dump(as_workflow(), sort_keys=False)) == ""


@needs_actionlint
def test_a_fault_is_seen(tmp_path: Path) -> None:
    """An input that there is none of, and a step that comes later."""
    text = yaml.safe_dump(as_workflow(), sort_keys=False)
    assert "senario" in lint(tmp_path, text.replace("inputs.scenario", "inputs.senario"))
    assert "setpu" in lint(tmp_path, text.replace("steps.setup.outcome", "steps.setpu.outcome"))


def workflows() -> list[str]:
    """Return the examples of docs/ci.md that are GitHub's."""
    return [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "runs-on:" in text]


@needs_actionlint
@pytest.mark.parametrize("text", workflows())
def test_the_examples_are_sound(text: str, tmp_path: Path) -> None:
    """With the inputs that the action has, and the one that it needs."""
    used = re.sub(r"OWNER/busbench@\w+", "./", text)
    assert "uses: ./" in used
    assert lint(tmp_path, used) == ""
    assert "is required" in lint(tmp_path, re.sub(r"^ +scenario: .*\n", "", used, flags=re.MULTILINE))


def test_every_input_is_used_and_explained() -> None:
    """By a step, and in the table of docs/ci.md with its default."""
    text = (ROOT / "action.yml").read_text()
    for name, one in ACTION["inputs"].items():
        assert re.search(rf"inputs\.{re.escape(name)}\b(?!-)", text), name
        assert re.search(rf"^\| `{re.escape(name)}` \|", PAGE, re.MULTILINE), name
        assert set(one) <= {"description", "default", "required"}


def test_each_step_calls_one_script() -> None:
    """Of ours, which is there; what a workflow says reaches it by variables alone, and never as code."""
    for step in STEPS:
        if "run" in step:
            called = re.fullmatch(
                r'(?:python3 )?"\$GITHUB_ACTION_PATH/(\.ci/action/[\w.]+)"(?: \w+)?(?: "\$[^"{]+")?', step["run"]
            )
            assert called is not None, step["run"]
            assert (ROOT / called[1]).is_file()
            assert step["shell"] == "bash"
        else:
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step["uses"])


def test_what_always_runs() -> None:
    """Summary, results and comment, and after what may fail."""
    always = [step["name"] for step in STEPS if "always()" in step.get("if", "")]
    assert always == ["Summary", "Results", "Comment"]
    assert [step["name"] for step in STEPS[-3:]] == always


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_are_yaml(text: str) -> None:
    """GitLab's too."""
    assert isinstance(yaml.safe_load(text), dict)
