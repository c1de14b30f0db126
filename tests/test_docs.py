"""Documents that cannot rot: generated ones are fresh, named ones exist, every field has its words."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from bench.cli.main import VERBS
from bench.results import records
from bench.scenario import scenario
from bench.scenario.loading import SHIPPED, shipped_scenarios
from bench.scenario.reference import SCHEMA_FILE, SCHEMA_LINE, models_below, scenario_markdown, schema_text
from brokers import settings
from reports.reference import summary_markdown
from reports.summary import Summary

ROOT = Path(__file__).parents[1]
MODELS = [
    found
    for module in (scenario, records, settings)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.__name__
]


def test_the_scenario_reference_is_fresh() -> None:
    """docs/scenario.md is what the models say: `python -m bench.scenario.reference > docs/scenario.md`."""
    assert (ROOT / "docs/scenario.md").read_text() == scenario_markdown()


def test_the_schema_beside_the_shipped_scenarios_is_what_the_models_say() -> None:
    """Each of them names it at its head; made anew by `bench schema --out bench/scenarios/busbench.schema.json`."""
    assert (SHIPPED / SCHEMA_FILE).read_text() == schema_text()
    for path in SHIPPED.glob("*.toml"):
        assert path.read_text().startswith(f"{SCHEMA_LINE}\n"), path.name


def test_the_summary_reference_is_fresh() -> None:
    """docs/summary.md is what the models say: `python -m reports.reference > docs/summary.md`."""
    assert (ROOT / "docs/summary.md").read_text() == summary_markdown()


@pytest.mark.parametrize("model", models_below(Summary), ids=lambda m: m.__name__)
def test_every_part_of_a_summary_is_explained(model: type[BaseModel]) -> None:
    """Each model of summary.json opens with a sentence, and each number with a unit in its name or its text."""
    assert model.__doc__
    silent = [
        name
        for name, field in model.model_fields.items()
        if field.annotation in {float, float | None} and not field.description and not name.endswith("_rate")
    ]
    assert set(silent) <= {"median", "p99_ns"}, silent


@pytest.mark.parametrize(
    "model", [m for m in MODELS if m.__module__ != "bench.results.records"], ids=lambda m: m.__name__
)
def test_every_field_of_a_scenario_is_explained(model: type[BaseModel]) -> None:
    """No field that a user can write is without a sentence."""
    silent = [name for name, field in model.model_fields.items() if not field.description]
    assert silent == []


def test_the_readme_knows_every_command_and_scenario() -> None:
    """README names each verb and each shipped scenario, and no verb that does not exist."""
    text = (ROOT / "README.md").read_text()
    verbs = set(VERBS)
    named = set(re.findall(r"(?:`|^|/)bench ([a-z]+)\b", text, re.MULTILINE))
    assert {"run", "report", "doctor"} <= named
    assert named <= verbs, named - verbs
    for shipped in shipped_scenarios():
        assert shipped.name in text


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link of README, CHANGELOG and docs names a file that exists."""
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


NAMED = re.compile(r"(?<![\w./\"-])(?:bench|reports)(?:\.[a-z_0-9]+)+(?![\w/])")
"""A dotted name of a module, or of something in one; what begins with `brokers` may be a path in a scenario."""


def is_there(name: str) -> bool:
    """Return whether a dotted name leads to a module, or into one."""
    path = ROOT
    for part in name.split("."):
        if (path / f"{part}.py").is_file():
            return True
        if not (path / part).is_dir():
            return re.search(rf"\b{part}\b", (path / "__init__.py").read_text()) is not None
        path /= part
    return True


def test_every_module_that_is_named_exists() -> None:
    """Documents, comments and messages name no module that was moved or renamed since."""
    files = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    files += [path for room in ("bench", "brokers", "reports") for path in (ROOT / room).rglob("*.py")]
    lost = {(path.name, name) for path in files for name in NAMED.findall(path.read_text()) if not is_there(name)}
    assert lost == set()
    assert not is_there("bench.blocked")
    assert is_there("bench.loadgen.backpressure.Backpressure")


def test_the_architecture_names_every_room() -> None:
    """docs/architecture.md mentions each top module of bench and brokers."""
    text = (ROOT / "docs/architecture.md").read_text()
    for package in ("bench", "brokers"):
        for path in (ROOT / package).iterdir():
            name = path.stem
            if name.startswith("__") or name.endswith(("_config",)):
                continue
            stem = re.sub(r"^(qpid_broker_j|rabbitmq).*", r"\1", name)
            assert re.search(rf"\b{re.escape(stem)}", text), f"{package}/{path.name}"
