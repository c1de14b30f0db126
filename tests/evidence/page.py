"""The report as its readers get it: `python -m tests.evidence.page` looks at pages in headless Chromium.

For synthetic runs (quick, full, a search, one wholly left out), for a history, and for results folders that are named,
with scripts and without: a validator (the Nu
HTML checker) and an accessibility check (axe-core, in both colour schemes and on a phone) must
report nothing, no request may leave the page, no window may scroll sideways, paper may cut nothing
off, and the file must be under 3 MB. Screenshots and a print are left in `results/page/` to be
looked at.

Needs `chromium`, `npm`, `mvn` and `java` (apt-get install chromium npm maven default-jre-headless).
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import reports
from bench.host.cache import cache_root
from tests.evidence.chromium import Browser, chromium
from tests.reports.synthetic import TARGETS, build, quirks, search_text
from tests.reports.test_left_out import stolen

OUT = Path("results/page")
AXE = "4.14.1"
NU = "26.5.2"
MOST_BYTES = 3_000_000
WINDOWS = {
    "wide": (1440, 900, False, True),
    "dark": (1440, 900, True, True),
    "phone": (390, 844, False, True),
    "plain": (1440, 900, False, False),
}
"""Width, height, whether dark, whether with scripts."""
PAPER = (688, 974)
"""What the style sheet's margins leave of A4, in CSS pixels of 1/96 inch."""
# What overflows visibly makes the browser print smaller; what scrolls is lost.
_CUT = """[...document.querySelectorAll('main :not(.hidden)')]
    .filter(box => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== 'visible')
    .map(box => box.textContent.trim().slice(0, 60))"""
_PROJECT = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>busbench</groupId><artifactId>nu</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>nu.validator</groupId><artifactId>validator</artifactId><version>{NU}</version></dependency>
</dependencies></project>
"""


def main(folders: list[Path]) -> int:
    """Check every page; return the number of faults."""
    OUT.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="busbench-page-") as scratch, chromium() as browser:
        runs = {
            "quick": build(Path(scratch) / "quick", change=quirks),
            "full": build(Path(scratch) / "full", mode="full", repetitions=10),
            "left-out": build(Path(scratch) / "left-out", change=stolen),
            "search": build(Path(scratch) / "search", change=quirks),
        }
        why = "less than 99 % arrived in time"
        held = search_text(
            *({"target": name, "low": 9_000.0, "high": 9_450.0, "why": why} for name in TARGETS[:2]),
            {"target": TARGETS[2], "low": 21_000.0, "client_bound": True},
        )
        (runs["search"] / "search.json").write_text(held, encoding="utf-8")
        pages = {name: OUT / f"{name}.html" for name in (*runs, *(folder.name for folder in folders))}
        for name, folder in (runs | {folder.name: folder for folder in folders}).items():
            reports.render([folder], reports.Outputs(html=pages[name]))
        pages["history"] = _history(Path(scratch), runs)
        for name, page in pages.items():
            found = [*_size(page), *_valid(page), *_seen(browser, page), *_cut(browser, page)]
            faults += [f"{name}: {fault}" for fault in found]
            browser.print(OUT / f"{name}.pdf")
    print(*(faults or ["nothing to report"]), sep="\n")
    return len(faults)


def _history(scratch: Path, runs: dict[str, Path]) -> Path:
    """Return the page of a history of two runs."""
    page, store = OUT / "history.html", scratch / "store"
    for command in (
        ("add", str(runs["quick"]), "--commit", "a1", "--unfinished", "--store", str(store)),
        ("add", str(runs["full"]), "--commit", "a2", "--store", str(store)),
        ("show", "--store", str(store), "--html", str(page)),
    ):
        subprocess.run(
            [Path(sys.executable).with_name("bench"), "history", *command], stdout=subprocess.DEVNULL, check=True
        )
    return page


def _size(page: Path) -> Iterator[str]:
    size = page.stat().st_size
    print(f"{page}: {size:,} bytes")
    if size >= MOST_BYTES:
        yield f"{size:,} bytes, at most {MOST_BYTES:,}"


def _valid(page: Path) -> Iterator[str]:
    """Yield what the Nu HTML checker objects to."""
    place = cache_root() / "tools" / f"nu-{NU}"
    if not (place / "made").is_dir():
        place.mkdir(parents=True, exist_ok=True)
        (place / "pom.xml").write_text(_PROJECT, encoding="utf-8")
        _run("mvn", "-q", "-B", f"--file={place / 'pom.xml'}", "dependency:copy-dependencies",
             "-DincludeScope=runtime", f"-DoutputDirectory={place / 'made'}")  # fmt: skip
    command = ["java", "-cp", f"{place / 'made'}/*", "nu.validator.client.SimpleCommandLineValidator"]
    done = subprocess.run([*command, "--format", "json", str(page)], capture_output=True, check=False)
    if not done.stderr.startswith(b"{"):
        yield f"validator did not run: {done.stderr.decode(errors='replace')[:200]}"
        return
    for message in json.loads(done.stderr)["messages"]:
        yield f"validator: {message.get('lastLine')}: {message['message']}"


def _seen(browser: Browser, page: Path) -> Iterator[str]:
    """Yield what a browser objects to, window by window."""
    axe = _axe()
    for window, (width, height, dark, scripts) in WINDOWS.items():
        shown = page if scripts else _without_scripts(page)
        browser.open(shown.resolve().as_uri(), width=width, height=height, dark=dark)
        browser.photograph(OUT / f"{page.stem}-{window}.png")
        browser.photograph(OUT / f"{page.stem}-{window}-whole.png", whole=True)
        yield from (f"{window}: asked for {url}" for url in browser.requests if url != shown.resolve().as_uri())
        yield from (f"{window}: {error}" for error in browser.errors)
        if browser.evaluate("document.documentElement.scrollWidth > innerWidth"):
            yield f"{window}: scrolls sideways"
        browser.evaluate(f"{axe};0")
        script = "axe.run().then(r => r.violations.map(v => `${v.id}: ${v.help} (${v.nodes[0].html})`))"
        yield from (f"{window}: axe: {violation}" for violation in browser.evaluate(script))


def _without_scripts(page: Path) -> Path:
    """Return a copy in which no script stands, as one without them sees it; the accessibility check is a script."""
    copy = page.with_name(f"{page.stem}-plain.html")
    copy.write_text(re.sub(r"<script.*?</script>", "", page.read_text("utf-8"), flags=re.DOTALL), encoding="utf-8")
    return copy


def _cut(browser: Browser, page: Path) -> Iterator[str]:
    """Yield what would be cut off on paper, which cannot be scrolled."""
    width, height = PAPER
    browser.open(page.resolve().as_uri(), width=width, height=height, paper=True)
    yield from (f"paper: cut off: {text}" for text in browser.evaluate(_CUT))


def _axe() -> str:
    place = cache_root() / "tools" / f"axe-core-{AXE}"
    file = place / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        place.mkdir(parents=True, exist_ok=True)
        _run("npm", "install", "--silent", f"--prefix={place}", f"axe-core@{AXE}")
    return file.read_text(encoding="utf-8")


def _run(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    sys.exit(1 if main([Path(name) for name in sys.argv[1:]]) else 0)
