"""A panel as SVG to stand inside a page, by matplotlib (the extra `report`).

Colours are the page's: each has a name here and is written as a CSS variable, so that one picture serves a light page,
a dark one and paper. Letters stay letters. Every byte depends on what is drawn alone: no date, no random name; names
are told apart by a prefix, since several pictures share a page. It leaves out what is drawn (`pictures`).
"""

import importlib.util
import io
import re
import warnings
from typing import Any, cast
from xml.etree import ElementTree

from negtemp.views.report.document import Panel

# the page's colours by the hexadecimal number that matplotlib is given for them
INK, MUTED, RULE, ABOVE, BELOW, NEUTRAL, ACCENT = (
    "#1c2127", "#59636e", "#c9cfd6", "#1f5fa9", "#b3500b", "#6b7580", "#7a5195",
)  # fmt: skip
_VARIABLES = {
    INK: "--ink", MUTED: "--muted", RULE: "--rule", ABOVE: "--above", BELOW: "--below", NEUTRAL: "--neutral",
    ACCENT: "--accent",
}  # fmt: skip
_SETTINGS: dict[str, Any] = {
    "text.parse_math": False,  # a token may be "$x"
    "text.usetex": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "negtemp",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}
_UNDATED = {"Date": None, "Creator": None, "Format": None, "Type": None}
_REFERENCE = re.compile(r"(?<=#)(?=[A-Za-z])")
_COLOUR = re.compile("#[0-9a-f]{6}")


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(panel: Panel, prefix: str) -> str:
    """The panel as an element `svg`; `prefix` begins every name in it."""
    root = ElementTree.fromstring(_drawn(panel))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in list(element.attrib):
            _settle(element, name, prefix)
    for child in [c for c in root.iter() if c.tag == "defs"]:
        for style in child.findall("style"):
            child.remove(style)  # the page has it
    width, height = (72 * inches for inches in panel.inches)
    root.attrib = {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "aria-label": panel.alternative}
    return ElementTree.tostring(root, encoding="unicode")


def _drawn(panel: Panel) -> bytes:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of axes without an extent, of numbers that cannot be drawn
        matplotlib.rcdefaults()
        cast(dict[str, Any], matplotlib.rcParams).update(_SETTINGS)
        figure = Figure(figsize=panel.inches, layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        panel.draw(figure.subplots())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=_UNDATED)
        return buffer.getvalue()


def _settle(element: ElementTree.Element, name: str, prefix: str) -> None:
    """One attribute, as a page takes it: without a namespace, with its own names, in the page's colours."""
    value = element.attrib.pop(name)
    local = name.rpartition("}")[2]
    if local == "id":
        value = prefix + value
    elif local == "href" or "url(#" in value:
        value = _REFERENCE.sub(prefix, value, count=1)
    elif local == "style":
        value = _COLOUR.sub(lambda found: _variable(found[0]), value)
    element.attrib[local] = value


def _variable(colour: str) -> str:
    name = _VARIABLES.get(colour)
    return f"var({name})" if name else colour
