"""A figure as inline SVG: small, deterministic, safe beside others in one page, light or dark.

Colours become CSS variables (`--c0`…, `--ink`, `--faint`, `--shade`), the font is the
page's, identifiers get a prefix, and nothing points outside the page. What belongs to a target
has the class `s<place>`, the words of the axes have the class `axis`.
"""

import html
import io
import re

import matplotlib as mpl
from matplotlib.figure import Figure

from reports.charts.theme import FAINT, INK, PALETTE, RC, SHADE

_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_VARIABLES = {color.lower(): f"var(--c{place})" for place, color in enumerate(PALETTE)} | {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    SHADE: "var(--shade)",
    "#000000": "var(--ink)",
}
_OWNED = re.compile(r'<g id="@(\d+)\|([^"]*)">')
"""What `reports.charts.theme.belongs` wrote: the target's place, and what to say where one points at it."""
_TAG = re.compile(r"<[^>]+>")
_AXIS = re.compile(r'<g id="matplotlib\.axis_\d+">')
_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(?:href="|url\()#([^")]+)')


def to_svg(figure: Figure, prefix: str, description: str) -> str:
    """Return `<svg>…</svg>` for a page.

    Args:
        figure: made under `RC`.
        prefix: unique in the page; opens every identifier.
        description: what the figure shows, for those who do not see it.
    """
    written = io.StringIO()
    with mpl.rc_context(RC):
        figure.savefig(written, format="svg", metadata=_METADATA, transparent=True, dpi=72)
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\bxlink:href=", "href=", text)
    text = _OWNED.sub(_owned, text)
    text = _AXIS.sub('<g class="axis">', text)
    text = _identifiers(text, prefix)
    for color, variable in _VARIABLES.items():
        text = re.sub(re.escape(color), variable, text, flags=re.IGNORECASE)
    text = re.sub(r"font-family: [^;\"]+;? ?", "", text)  # the page's own
    text = re.sub(r"font: ([^;\"]*?)([\d.]+)px [^;\"]+", r"font: \1\2px var(--font)", text)
    text = _TAG.sub(lambda tag: re.sub(r"(\d\.\d{2})\d+", r"\1", tag[0]), text)  # places, never words
    view = re.search(r'viewBox="([^"]+)"', text)
    box = view[1] if view else "0 0 432 288"
    opening = f'<svg class="figure" viewBox="{box}" role="img" aria-label="{html.escape(description, quote=True)}">'
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    return re.sub(r"\n\s*", "\n", text).strip()


def standalone(figure: Figure, description: str) -> str:
    """Return a figure as an SVG file of its own, with the values of its points as titles.

    Args:
        figure: made under `RC`.
        description: what the figure shows; its title.
    """
    written = io.StringIO()
    with mpl.rc_context(RC):
        figure.savefig(written, format="svg", metadata=_METADATA | {"Title": description}, facecolor="white", dpi=72)
    return _AXIS.sub('<g class="axis">', _OWNED.sub(_owned, written.getvalue()))


def _owned(match: re.Match[str]) -> str:
    tip = f"<title>{match[2]}</title>" if match[2] else ""
    return f'<g class="s s{match[1]}">{tip}'


def _identifiers(text: str, prefix: str) -> str:
    used = set(_REFERENCE.findall(text))

    def rename(match: re.Match[str]) -> str:
        return f'id="{prefix}-{match[1]}"' if match[1] in used else ""

    text = _ID.sub(rename, text)
    text = text.replace("<g >", "<g>")
    return re.sub(r'(href="|url\()#', rf"\1#{prefix}-", text)
