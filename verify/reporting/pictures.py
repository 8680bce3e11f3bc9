"""All figures of a report, in sections: the same for HTML, Markdown and the folder of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verify.judging.verdict import Comparison
from verify.reporting.figures.distances import distance_lines, draw_distances
from verify.reporting.figures.extrapolation import draw_extrapolation
from verify.reporting.figures.lines import Block, blocks
from verify.reporting.figures.order_parameters import draw_order_parameters
from verify.reporting.figures.outliers import draw_outliers
from verify.reporting.figures.scaling import draw_scaling
from verify.reporting.figures.spectra import draw_spectra, spectra_rows
from verify.reporting.figures.style import slug
from verify.reporting.names import network_names

__all__ = ["Picture", "Section", "sections"]

IN_A_ROW = 4


@dataclass(frozen=True)
class Picture:
    """A figure: the file's ``name``, the ``heading`` above it, and its ``svg`` text."""

    name: str
    heading: str
    svg: str


@dataclass(frozen=True)
class Section:
    """Figures of one kind, with the caption that explains them."""

    title: str
    caption: str
    pictures: tuple[Picture, ...]


def sections(comparison: Comparison) -> list[Section]:
    """The sections that have a figure."""
    drawn = blocks(comparison)
    scaling = (
        "Lines: theory; where it is refined, thin dotted lines are its leading order, and shaded is where it expects "
        "95 % of single networks. Markers: mean over networks with 95 % t-interval. Both axes are logarithmic. Shaded "
        "for cross-entropy: proven bounds of the largest eigenvalue."
    )
    extrapolation = (
        "Weighted fits of measured / predicted. Filled markers at the left edge: a₀ with its 95 % interval, which "
        "tests the theory; how the curves bend is finite-width bias. Grey: tolerance."
    )
    spectra = (
        "Eigenvalues per bin and network; outlined, the largest of each network, as many as theory has outliers. "
        "Dashed lines with triangles, or ticks above where they are many: predicted outliers. Small tick left of them: "
        "predicted mean of the bulk. Line, where there is one: the predicted law of the bulk, its ends ticked below."
    )
    distances = (
        "Kolmogorov-Smirnov distance of the measured bulk from its predicted law, N/M held: means over networks. As it "
        "is; scaled to the law's mean, which takes out the network's own fluctuation; from the law with the network's "
        "own order parameters."
    )
    outliers = (
        "The widest networks of each kind. Bars: predicted means over networks. Markers: measured means with 95 % "
        "t-interval. Shaded: Theorem 3.3's bounds on the largest."
    )
    layer_by_layer = (
        "The widest networks of each kind. Lines: theory for M → ∞. Markers: means over networks with 95 % t-interval. "
        "q: preactivations, q̂: activations, q̃: backpropagated signals; without index for one input, st for two."
    )
    kinds = [
        Section("Width scaling", scaling, tuple(_scaling(drawn, "width"))),
        Section("Scaling with the number of samples", scaling, tuple(_scaling(drawn, "samples"))),
        Section("Extrapolation to infinite width", extrapolation, tuple(_extrapolation(drawn, comparison))),
        Section("Spectra", spectra, tuple(_spectra(comparison))),
        Section("Whole spectra against the width", distances, tuple(_distances(comparison))),
        Section("Outliers one by one", outliers, tuple(_outliers(comparison))),
        Section("Order parameters, layer by layer", layer_by_layer, tuple(_order_parameters(comparison))),
    ]
    return [section for section in kinds if section.pictures]


def _scaling(drawn: Sequence[Block], axis: str) -> Iterable[Picture]:
    for block in drawn:
        if block.axis == axis:
            yield Picture(slug(f"scaling {axis} {block.metric}"), block.metric, draw_scaling(block))


def _extrapolation(drawn: Sequence[Block], comparison: Comparison) -> Iterable[Picture]:
    for block in drawn:
        if any(line.series.fit for panel in block.panels.values() for line in panel):
            yield Picture(slug(f"extrapolation {block.metric}"), block.metric, draw_extrapolation(block, comparison))


def _spectra(comparison: Comparison) -> Iterable[Picture]:
    names = network_names(comparison.networks)
    for metric in dict.fromkeys(s.metric for s in comparison.spectra):
        rows = spectra_rows(s for s in comparison.spectra if s.metric == metric)
        for number, row in enumerate(rows, start=1):
            name = slug(f"spectra {metric.label} {number}")
            yield Picture(name, metric.label, draw_spectra(name, row, comparison.bulks, names))


def _distances(comparison: Comparison) -> Iterable[Picture]:
    names = network_names(comparison.networks)
    for metric in dict.fromkeys(b.metric for b in comparison.bulks):
        lines = distance_lines((b for b in comparison.bulks if b.metric == metric), names)
        if lines:
            name = slug(f"distances {metric.label}")
            yield Picture(name, metric.label, draw_distances(name, metric.label, lines))


def _outliers(comparison: Comparison) -> Iterable[Picture]:
    names = network_names(comparison.networks)
    for metric in dict.fromkeys(r.metric for r in comparison.ranks):
        found = [r for r in comparison.ranks if r.metric == metric]
        for start in range(0, len(found), IN_A_ROW):
            name = slug(f"outliers {metric.label} {start // IN_A_ROW + 1}")
            yield Picture(name, metric.label, draw_outliers(name, found[start : start + IN_A_ROW], names))


def _order_parameters(comparison: Comparison) -> Iterable[Picture]:
    names = network_names(comparison.networks)
    known = {"One input": ("q", "forward", "backward"), "Two inputs": ("q_st", "forward_st", "backward_st")}
    for heading, quantities in known.items() if comparison.layers else ():
        svg = draw_order_parameters(heading.lower(), quantities, comparison.layers, names)
        yield Picture(slug(f"order parameters {heading}"), heading, svg)
