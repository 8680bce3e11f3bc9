"""Which series go into which panel, and which line wears which style: the same in every figure of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from verify.judging.pairing import STATISTICS
from verify.judging.scaling import Series
from verify.judging.verdict import Comparison
from verify.reporting.figures.style import PALETTE

__all__ = ["Block", "Line", "blocks"]


@dataclass(frozen=True)
class Line:
    """One series; ``style`` numbers its colour, marker and dashes."""

    name: str
    style: int
    series: Series


@dataclass(frozen=True)
class Block:
    """One metric along one axis: a panel for each statistic, a line for each network and what is held along the axis.

    ``metric`` is the metric's name, with the network's where a block has but one.
    """

    metric: str
    axis: Literal["width", "samples"]
    panels: dict[str, list[Line]]

    @property
    def lines(self) -> list[Line]:
        """The lines of the block, one of each style."""
        return list({line.style: line for panel in self.panels.values() for line in panel}.values())


def blocks(comparison: Comparison, names: Mapping[str, str]) -> list[Block]:
    """One block for each axis and metric, in the order of the sweep."""
    held = {axis: {s.held for s in comparison.series if s.axis == axis} for axis in ("width", "samples")}
    styles: dict[str, dict[str, int]] = {"width": {}, "samples": {}}
    found: dict[tuple[str, str], Block] = {}
    for s in sorted(comparison.series, key=lambda s: (s.axis != "width", STATISTICS.index(s.statistic))):
        name = names[s.law.digest]
        name = name if len(held[s.axis]) == 1 else f"{name}, {s.held}"
        block = found.setdefault((s.axis, s.metric.label), Block(s.metric.label, s.axis, {}))
        line = Line(name, styles[s.axis].setdefault(name, len(styles[s.axis])), s)
        block.panels.setdefault(s.statistic, []).append(line)
    return [part for block in found.values() for part in _parted(block, names, len(held[block.axis]))]


def _parted(block: Block, names: Mapping[str, str], values_held: int) -> list[Block]:
    """A block for each network, if there are more lines than colours and several of each network."""
    if values_held == 1 or len(block.lines) <= len(PALETTE):
        return [block]
    parts: dict[str, Block] = {}
    styles: dict[str, int] = {}  # by what is held: the same in all panels, where some may be missing
    for statistic, panel in block.panels.items():
        for line in panel:
            network = names[line.series.law.digest]
            part = parts.setdefault(network, Block(f"{block.metric}, {network}", block.axis, {}))
            held = line.series.held
            part.panels.setdefault(statistic, []).append(Line(held, styles.setdefault(held, len(styles)), line.series))
    return list(parts.values())
