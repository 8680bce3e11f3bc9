"""Kolmogorov-Smirnov distances of measured spectra from the predicted law, against the width at N/M held fixed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from meanfield.figures.ticks import log_ticks
from verify.judging.bulk import Bulk
from verify.reporting.figures import style
from verify.reporting.figures.picture import Drawing, Picture, Section
from verify.reporting.names import AXES

if TYPE_CHECKING:
    from verify.judging.verdict import Comparison

__all__ = ["distance_lines", "distances_section", "draw_distances"]

_PANELS = {"raw": "as it is", "normalised": "scaled to its mean", "own": "own order parameters"}


_CAPTION = (
    "Kolmogorov-Smirnov distance of the measured bulk from its predicted law, N/M held: means over networks. As it "
    "is; scaled to the law's mean, which takes out the network's own fluctuation; from the law with the network's "
    "own order parameters."
)


def distances_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """A picture for each metric with stored spectra at several widths of one N/M."""
    pictures = []
    for metric in dict.fromkeys(b.metric for b in comparison.bulks):
        lines = distance_lines((b for b in comparison.bulks if b.metric == metric), names)
        if lines:
            name = style.slug(f"distances {metric.label}")
            pictures.append(Picture(name, metric.label, draw_distances(name, metric.label, lines)))
    return Section("Whole spectra against the width", _CAPTION, tuple(pictures))


def distance_lines(bulks: Iterable[Bulk], names: Mapping[str, str]) -> dict[str, list[Bulk]]:
    """The bulks of one metric with a law, along widths, by the name of their network and N/M; lines of two or more."""
    lines: defaultdict[str, list[Bulk]] = defaultdict(list)
    for bulk in sorted((b for b in bulks if b.law), key=lambda b: b.cell.width):
        ratio = bulk.cell.samples / bulk.cell.width
        lines[f"{names[bulk.cell.law.digest]}, N = {ratio:g} M"].append(bulk)
    return {name: line for name, line in lines.items() if len(line) > 1}


def draw_distances(name: str, metric: str, lines: Mapping[str, Sequence[Bulk]]) -> Drawing:
    """One panel for each way of comparing, one line for each network and N/M."""
    with style.panels(list(_PANELS.values()), sharey=True) as (figure, axes):
        for ax, kind in zip(axes, _PANELS, strict=True):
            for number, line in enumerate(lines.values()):
                widths = [b.cell.width for b in line]
                means = [b.mean(kind).value for b in line]
                joined = {**style.marker_style(number), "capsize": 0}
                ax.errorbar(widths, means, **{**joined, "linestyle": style.theory_style(number)["linestyle"]})
            ax.set_xscale("log")
            ax.set_yscale("log")
            ticks = sorted({b.cell.width for line in lines.values() for b in line})
            ax.set_xticks(ticks, [str(t) for t in ticks])
            ax.set_xticks([], minor=True)
            ax.set_xlabel(AXES["width"])
        log_ticks(axes[0].yaxis)
        axes[0].set_ylabel("KS distance")
        style.key(figure, dict(enumerate(lines)))
        return style.drawing(
            figure, name, f"{metric}: distance of measured spectra from the predicted law, against width"
        )
