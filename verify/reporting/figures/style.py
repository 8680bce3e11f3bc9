"""One style for all figures: colours that the colour-blind can tell apart, doubled by marker shapes and dashes.

Figures are SVG text, the same bytes for the same input. On a page of its own a figure has fixed colours; inlined in a
report its ink is the page's (``currentColor``) and its palette the page's variables, so that light and dark both work.
"""

from __future__ import annotations

import html
import io
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from meanfield.figures.saving import own_style
from verify.reporting.figures.picture import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from verify.judging.inference import Estimate

__all__ = [
    "DARK_PALETTE", "INK", "PALETTE", "SHADE", "colour", "drawing", "inline", "key", "leading_style", "marker_style",
    "panels", "slug", "theory_style", "whiskers", "wrapped",
]  # fmt: skip

INK = "#1b1b1b"
SHADE = "#8a8a8a"
PAGE = 12.4
GAP = 0.24
LEGEND_ROW = 0.19
LONGEST = 10.0
TITLE = 34  # letters on a line above one of four panels
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#56789a", "#8c6d00", "#117733", "#882255")
DARK_PALETTE = ("#56b4e9", "#ff9e57", "#3ddba9", "#e08ad0", "#a9c4de", "#e0c040", "#7fd07f", "#e87ba5")
_ON_PAPER: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
_MARKERS = "os^DvPX*"
_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))

_SETTINGS = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9,
    "text.parse_math": False, "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.titlesize": 10, "axes.titlelocation": "left", "axes.spines.top": False,
    "axes.spines.right": False, "axes.linewidth": 0.8, "legend.frameon": False, "legend.fontsize": 9,
    "lines.linewidth": 1.3, "lines.markersize": 4.5, "figure.facecolor": "none", "axes.facecolor": "none",
    "savefig.facecolor": "none",
}  # fmt: skip


def colour(style: int) -> str:
    """The colour of a line style."""
    return PALETTE[style % len(PALETTE)]


def theory_style(style: int) -> dict[str, Any]:
    """Plot options of a theory line: dashes tell lines apart where colours can't."""
    dashes = _DASHES[(style + style // len(PALETTE)) % len(_DASHES)]
    return {"color": colour(style), "linestyle": dashes, "marker": "none", "zorder": 2}


def leading_style(style: int) -> dict[str, Any]:
    """Plot options of the leading order's line beside a refined one."""
    return {"color": colour(style), "linestyle": (0, (1, 2)), "linewidth": 0.8, "zorder": 1}


def marker_style(style: int) -> dict[str, Any]:
    """Error-bar options of measured points: an open marker, a whisker, no line."""
    return {
        "color": colour(style), "marker": _marker(style), "markerfacecolor": "none", "linestyle": "none", "capsize": 2,
        "elinewidth": 1.1, "markeredgewidth": 1.1, "zorder": 3,
    }  # fmt: skip


def whiskers(estimates: Sequence[Estimate]) -> NDArray[np.float64]:
    """How far the 95 % intervals reach below and above their estimates, (2, count); 0 where that isn't known.

    Those of two or three networks may reach beyond any page: they are cut at ``LONGEST`` times the value."""
    values, ends = np.array([e.value for e in estimates]), np.array([e.interval() for e in estimates]).reshape(-1, 2).T
    lengths: NDArray[np.float64] = np.minimum(np.abs(ends - values), LONGEST * np.abs(values))
    return np.nan_to_num(lengths)


def _marker(style: int) -> str:
    # When the colours begin again, markers and dashes are one further.
    return _MARKERS[(style + style // len(PALETTE)) % len(_MARKERS)]


@contextmanager
def panels(titles: Sequence[str], height: float = 2.9, *, sharey: bool = False) -> Iterator[tuple[Figure, list[Axes]]]:
    """A row of panels with room for a legend above, to be drawn and spelled (:func:`svg`) inside the ``with``."""
    from matplotlib.figure import Figure

    with own_style(_SETTINGS):
        count = len(titles)
        figure = Figure(figsize=(wide := count * min(PAGE / count, PAGE / 3), height))
        inches = {"left": 0.72 / wide, "right": 1 - 0.1 / wide, "bottom": 0.5 / height, "top": 1 - 0.58 / height}
        figure.subplots_adjust(**inches, wspace=GAP)
        axes = list(figure.subplots(1, count, squeeze=False, sharey=sharey)[0])
        for ax, title in zip(axes, titles, strict=True):
            ax.set_title(title)
        yield figure, axes


def wrapped(titles: Sequence[str]) -> list[str]:
    """Titles of panels four in a row, long ones on two lines that part no ``name = value``."""
    return [textwrap.fill(title.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"), TITLE) for title in titles]


def key(figure: Figure, names: Mapping[int, str]) -> None:
    """The legend above the panels: the marker and dashes of each style beside its name, in as many rows as it takes."""
    from matplotlib.lines import Line2D

    width = figure.get_size_inches()[0]
    columns = max(1, int(width / (0.7 + 0.075 * max(map(len, names.values())))))  # handle, then letters of 9 points
    rows = math.ceil(len(names) / columns)
    _raise(figure, (rows - 1) * LEGEND_ROW)
    handles = [Line2D([], [], **{**theory_style(s), "marker": _marker(s), "markerfacecolor": "none"}) for s in names]
    columns = math.ceil(len(names) / rows)
    figure.legend(handles, names.values(), loc="upper left", ncols=columns, handlelength=2.8, borderaxespad=0.2)


def _raise(figure: Figure, inches: float) -> None:
    """Make the figure so much higher, with the room above the panels."""
    width, height = figure.get_size_inches()
    room, bottom = height * (1 - figure.subplotpars.top), height * figure.subplotpars.bottom
    height += inches
    figure.set_size_inches(width, height)
    figure.subplots_adjust(bottom=bottom / height, top=1 - (room + inches) / height)


def drawing(figure: Figure, name: str, description: str) -> Drawing:
    """The figure in all formats, the same bytes every time; those for paper on white."""
    out: dict[str, bytes] = {}
    for kind, metadata in _ON_PAPER.items():
        file = io.BytesIO()
        figure.savefig(file, format=kind, metadata=metadata, facecolor="white", dpi=150)
        out[kind] = file.getvalue()
    return Drawing(_svg(figure, name, description), **out)


def _svg(figure: Figure, name: str, description: str) -> str:
    """SVG text, with ``description`` as its title for screen readers; ``name`` makes its ids unique."""
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r'<g id="[^"]*">', "<g>", out.getvalue())  # numbered alike in all figures of a page
    head, tail = text.split("<svg ", 1)
    options, body = tail.split(">", 1)
    title = f'<title id="{slug(name)}">{html.escape(description)}</title>'
    return f'{head}<svg role="img" aria-labelledby="{slug(name)}" {options}>{title}{body}'


def slug(text: str) -> str:
    """A name fit for an id and for a file."""
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def inline(text: str) -> str:
    """The SVG to be put into a page: no XML prologue, the page's ink and palette."""
    text = text[text.index("<svg ") :].replace(INK, "currentColor")
    for number, shade in enumerate(PALETTE):
        text = text.replace(shade, f"var(--line-{number})")
    return text
