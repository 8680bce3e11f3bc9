"""All figures of a report, in sections: the same for HTML, Markdown and the folder of pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verify.pairing import Spectrum
from verify.reporting.figures.extrapolation import draw_extrapolation
from verify.reporting.figures.lines import Block, blocks
from verify.reporting.figures.scaling import draw_scaling
from verify.reporting.figures.spectra import draw_spectra
from verify.reporting.figures.style import slug
from verify.reporting.names import network_names
from verify.verdict import Comparison

__all__ = ["Picture", "Section", "sections"]

SPECTRA_IN_A_ROW = 4


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
        "The widest networks of each kind: eigenvalues per bin and network. Dashed lines with triangles: predicted "
        "outliers. Small tick: predicted mean of the bulk."
    )
    kinds = [
        Section("Width scaling", scaling, tuple(_scaling(drawn, "width"))),
        Section("Scaling with the number of samples", scaling, tuple(_scaling(drawn, "samples"))),
        Section("Extrapolation to infinite width", extrapolation, tuple(_extrapolation(drawn, comparison))),
        Section("Spectra", spectra, tuple(_spectra(comparison))),
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
    found: defaultdict[str, dict[str, Spectrum]] = defaultdict(dict)
    for spectrum in sorted(comparison.spectra, key=lambda s: (s.cell.width, s.cell.samples)):
        found[spectrum.metric.label][spectrum.cell.network.digest] = spectrum
    for metric, largest in found.items():
        shown = list(largest.values())
        for start in range(0, len(shown), SPECTRA_IN_A_ROW):
            name = slug(f"spectra {metric} {start // SPECTRA_IN_A_ROW + 1}")
            yield Picture(name, metric, draw_spectra(name, shown[start : start + SPECTRA_IN_A_ROW], names))
