"""The page: well-formed, self-contained, small, readable in both themes, and its numbers are those of the JSON."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import reports
from bench.results.comparability import BROKERS_OWN
from brokers.plain_text import is_plain
from reports.method import METHOD
from reports.summary import Summary
from tests.brokers.test_plain_text import EVIL
from tests.reports.synthetic import build

VOID = {"meta", "link", "br", "img", "hr", "input", "path", "use", "rect", "col"}


class Page(HTMLParser):
    """Collects what tests ask of a page; fails on tags that do not balance."""

    def __init__(self, text: str) -> None:
        """Read a whole page."""
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: dict[tuple[str, str], list[float]] = {}
        self._row: tuple[str, str] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and the numbers of each row."""
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self._row = (found["data-target"] or "", found["data-workload"] or "") if "data-target" in found else None
        if tag == "data" and self._row:
            self.numbers.setdefault(self._row, []).append(float(found["value"] or "nan"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that what closes was opened last."""
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written(quick_written: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return page, Markdown and JSON of the quick run."""
    return quick_written


@pytest.fixture(scope="module")
def page(written: tuple[str, str, str]) -> Page:
    """Return the parsed page."""
    return Page(written[0])


def numbers(value: object) -> set[float]:
    """Return every number under a JSON value."""
    if isinstance(value, dict):
        return set().union(*(numbers(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(numbers(each) for each in value))
    return {float(value)} if isinstance(value, int | float) else set()


def test_tags_balance_and_the_page_has_a_language(page: Page) -> None:
    """Every tag is closed in order; language, title and headings stand where readers look."""
    assert page.open == []
    assert ("html", {"lang": "en"}) in page.tags
    names = [tag for tag, _ in page.tags]
    assert names.count("h1") == 1
    assert "title" in names


def test_nothing_is_loaded_from_anywhere(written: tuple[str, str, str], page: Page) -> None:
    """No file and no address is asked for, and the page forbids it; links to sources are for readers to follow."""
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert "default-src 'none'" in written[0]
    links = {line.link for line in METHOD if line.link}
    for tag, attributes in page.tags:
        assert "src" not in attributes
        href = attributes.get("href") or "#"
        assert href.startswith("#") or (tag == "a" and href in links)
    assert not re.search(r"@import|url\((?!#)", written[0])


def test_identifiers_are_unique_and_links_lead_somewhere(page: Page) -> None:
    """Inline figures do not clash, and every inner link has its target."""
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    links = {attributes.get("href") or "" for tag, attributes in page.tags if tag == "a"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(identifiers)


def test_headers_have_a_scope_and_figures_a_description(page: Page) -> None:
    """What a screen reader needs: scope on each header cell, a label on each figure."""
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    figures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(figures) == 13
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in figures)


def test_every_number_of_the_page_is_in_the_json(written: tuple[str, str, str], page: Page) -> None:
    """Each value of a row, unrounded, stands in that row's part of summary.json."""
    summary = json.loads(written[2])
    known: dict[tuple[str, str], set[float]] = {}
    for part in ("cells", "ledger", "costs"):
        for row in summary[part]:
            known.setdefault((row["target"], row["workload"]), set()).update(numbers(row))
    assert len(page.numbers) == 20
    for row, values in page.numbers.items():
        assert len(values) > 15
        assert set(values) <= known[row]


def test_the_page_is_small(written: tuple[str, str, str]) -> None:
    """Well under 3 MB."""
    assert len(written[0].encode()) < 3_000_000


def test_the_page_says_what_a_reader_must_know(written: tuple[str, str, str]) -> None:
    """Versions, the lower bound, what was left out and lost, the seed, the digest and the command."""
    for words in (
        "RabbitMQ 4.0.5",
        "Apache Qpid Broker-J 10.1.0",
        "client-bound: a lower bound",
        "send lag",
        "overloaded: backlog grew by 590 msg/s in 1 of 3",
        "3 confirmed messages lost",
        "not run, or not finished",
        "sha256:" + "ab" * 32,
        "--seed 7 --quick",
        "≠ asked",
        "not enough data",
        "names no winner",
        "oslo.messaging",
        "our client was late",
    ):
        assert words in written[0]


def test_no_line_ends_within_a_percentage_or_a_number_of_trials(written: tuple[str, str, str]) -> None:
    """As in `95 % interval`; Markdown keeps what readers can type."""
    assert "95\N{NO-BREAK SPACE}% interval" in written[0]
    assert "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}3" in written[0]
    assert not re.search(r"\d %|n = \d", written[0])
    assert re.search(r"\d %", written[1])
    assert re.search(r"n = \d", written[1])
    assert (Path(reports.__file__).parent / "page" / "script.js").read_text(encoding="utf-8") in written[0]


def test_the_same_run_gives_the_same_page(quick_folder: Path, written: tuple[str, str, str], tmp_path: Path) -> None:
    """Rendering is deterministic, byte for byte."""
    again = tmp_path / "again.html"
    reports.render([quick_folder], reports.Outputs(html=again))
    assert again.read_text(encoding="utf-8") == written[0]


def test_markdown_holds_the_same_sentences_and_figures(written: tuple[str, str, str], quick_summary: Summary) -> None:
    """Each answer's sentence and each row stand in the Markdown; tables have equal columns."""
    markdown = written[1]
    assert all(answer.sentence in markdown for answer in quick_summary.answers)
    assert all(line in markdown for answer in quick_summary.answers for line in answer.trust.lines)
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(table) == 3 * 2 + len(quick_summary.cells)
    assert {line.count("|") for line in table} == {11}


def test_json_has_no_nan_and_reads_back(quick_summary: Summary) -> None:
    """The text is strict JSON and the model's own round trip."""

    def refuse(token: str) -> None:
        raise AssertionError(token)

    text = quick_summary.to_json()
    json.loads(text, parse_constant=refuse)
    assert Summary.model_validate_json(text) == quick_summary


def test_every_key_of_the_json_is_documented() -> None:
    """Fields whose name does not say it all carry a text; it reaches the JSON Schema."""
    schema = Summary.model_json_schema()
    assert "nanoseconds" in schema["$defs"]["Cell"]["properties"]["latency_ns"]["description"]


def test_text_from_a_scenario_is_escaped(quick_summary: Summary) -> None:
    """A title with markup is text, in the page as in Markdown."""
    from reports.export.markdown import to_markdown  # noqa: PLC0415
    from reports.page.page import render_page  # noqa: PLC0415

    hostile = quick_summary.model_copy(update={"title": "<script>alert(1)</script> a|b"})
    assert "<script>" not in render_page(hostile, []).replace("<script>\n", "")
    assert "\\<script>alert(1)\\</script> a\\|b" in to_markdown(hostile)


def test_what_a_broker_wrote_is_shown_escaped(tmp_path: Path) -> None:
    """In the page, its figures, Markdown and JSON: the reason of a broken trial, and what was found."""

    def hostile(trial: dict[str, Any]) -> dict[str, Any]:
        if trial["repetition"] == 0 and trial["workload"] == "steady":
            trial |= {"outcome": "disconnected", "reason": EVIL}
        trial["findings"] = [{"code": "returned", "hard": False, "text": f"<b>{EVIL}"}]
        return trial

    folder = build(tmp_path / "run", repetitions=2, seconds=1, closed_loop=False, change=hostile)
    places = [tmp_path / f"report.{kind}" for kind in ("html", "md", "json")]
    reports.render([folder], reports.Outputs(*places))
    for place in places:
        written = place.read_text(encoding="utf-8")
        assert "gone\\x1b[2J" in written.replace("\\\\", "\\").replace("\\[", "[")
        assert not [one for one in written.split("\n") if not is_plain(one)]
        assert not [one for one in written.split("\n") if one.startswith("::")]
    assert "<b>gone" not in places[0].read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_named(quick_folder: Path, tmp_path: Path) -> None:
    """One message with the path, no half-written file."""
    with pytest.raises(reports.ReportError, match=r"nowhere/report\.md cannot be written"):
        reports.render([quick_folder], reports.Outputs(markdown=tmp_path / "nowhere" / "report.md"))


def luminance(color: str) -> float:
    """Return relative luminance as WCAG 2 defines it."""
    color = "".join(2 * digit for digit in color) if len(color) == 3 else color
    parts = [int(color[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_and_lines_have_contrast_in_both_themes() -> None:
    """Every text colour has 4.5:1 against every paper it stands on, light, dark and printed (WCAG 2 AA)."""
    style = (Path(reports.__file__).parent / "page" / "style.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--([a-z0-9-]+): #([0-9a-f]{3,6})", block))
        for block in re.findall(r":root {(.*?)}", style, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        for paper in ("paper", "panel"):
            for text in ("ink", "soft", "accent", "warn", "bad", "good", *(f"c{k}" for k in range(6))):
                light, dark = sorted((luminance(theme[paper]), luminance(theme[text])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (paper, text)


def test_brokers_settings_that_are_meant_to_differ_stand_once(
    written: tuple[str, str, str], quick_summary: Summary
) -> None:
    """The table of where rows differ leaves out what the table of brokers' settings shows, and says so."""
    table = written[0].partition('aria-label="Table: Where rows differ"')[2].partition("</table>")[0]
    shown = set(re.findall(r'<th scope="row">([^<]+)</th>', table))
    own = {row.key for row in quick_summary.differing if row.key.startswith(BROKERS_OWN) and row.intended}
    assert own
    assert shown == {row.key for row in quick_summary.differing} - own
    assert "meant to differ are in the table above" in written[0]
