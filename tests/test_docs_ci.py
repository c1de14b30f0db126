"""docs/ci.md: its commands parse, its budget is the built-in one, its scenario can be run."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.core import TyperGroup

from bench.cli.main import verb
from bench.scenario.loading import load_scenario
from reports.gate.budget import DEFAULT, Limit
from reports.gate.metrics import METRICS
from reports.gate.result import EXIT_CODES
from reports.history.formats.plain_csv import COLUMNS
from reports.history.imported import FORMATS

PAGE = (Path(__file__).parents[1] / "docs/ci.md").read_text()


def commands() -> list[list[str]]:
    """Return the words of every `bench` command of the page, those in YAML and over several lines included."""
    joined = re.sub(r"\\\n\s*", " ", PAGE)
    joined = re.sub(r">-\n\s+(.*(?:\n {10}.*)*)", lambda found: " ".join(found[1].split()), joined)
    shell = re.sub(r"\$\{\{.*?\}\}", "main", joined)
    lines = re.findall(r"(?:^|`|run: )(?:\.venv/bin/)?(bench (?:gate|run|history|doctor) [^`\n]*)", shell, re.MULTILINE)
    return [shlex.split(line.partition(" || ")[0], comments=True) for line in lines]


def test_the_page_has_commands() -> None:
    """The search below finds the examples of every way to use the gate."""
    found = [" ".join(words) for words in commands()]
    assert sum("--junit gate.xml" in one for one in found) == 1
    assert any("--set-candidate" in one for one in found)
    assert len(found) >= 10


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_parse(words: list[str]) -> None:
    """Each is a command line that `bench` understands."""
    command, rest = verb(words[1]), words[2:]
    if isinstance(command, TyperGroup):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(words[1], rest)


def test_the_budget_is_the_built_in_one() -> None:
    """The budget of the page is `budget.toml` to the letter, and every field of an entry stands in its table."""
    assert f"```toml\n{DEFAULT.read_text()}```" in PAGE
    for name, field in Limit.model_fields.items():
        assert f"| `{name}` | {' '.join((field.description or '').split())} |" in PAGE
    for name in METRICS:
        assert f"- `{name}`: " in PAGE


def test_exit_codes_are_told() -> None:
    """Every verdict stands in the table with its code."""
    for verdict, code in EXIT_CODES.items():
        assert re.search(rf"^\| {code} \| [^|]*{verdict}", PAGE, re.MULTILINE)


def test_the_scenario_can_be_run(tmp_path: Path) -> None:
    """The scenario of the example is sound."""
    [text] = re.findall(r"```toml\n# bench/ci.toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "ci.toml").write_text(text)
    assert load_scenario(str(tmp_path / "ci.toml")).scenario.name == tomllib.loads(text)["name"]


def test_no_secret_is_needed() -> None:
    """The workflow asks for no secret, and its token may only read."""
    assert "secrets." not in PAGE
    assert "contents: read" in PAGE


def test_columns_and_formats_of_a_history_are_told() -> None:
    """Each column of a plain CSV with what it holds, and each format by the name that an option takes."""
    for name, words in COLUMNS.items():
        assert f"| `{name}` | {words} |" in PAGE
    for name in FORMATS:
        assert f"| `{name}` | " in PAGE
