"""Whole spectra: how far the measured bulk is from its predicted law, and where both end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from verify.judging.bulk import Bulk
from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

if TYPE_CHECKING:
    from meanfield.bulk.law import SpectralDensity

__all__ = ["spectra_table"]


class _WithLaw(NamedTuple):
    bulk: Bulk
    law: SpectralDensity


def spectra_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each metric and cell with stored spectra and a law of their bulk."""
    columns: tuple[Column[_WithLaw], ...] = (
        c.metric(lambda x: x.bulk.metric),
        c.network(names, lambda x: x.bulk.cell.law),
        c.width(lambda x: x.bulk.cell),
        c.samples(lambda x: x.bulk.cell),
        c.whole("networks", "networks", lambda x: len(x.bulk.networks)),
        c.estimate("raw", "KS distance", lambda x: x.bulk.mean("raw")),
        c.estimate("normalised", "scaled to its mean", lambda x: x.bulk.mean("normalised")),
        c.estimate("own", "own order parameters", lambda x: x.bulk.mean("own")),
        c.number("lower_predicted", "lower edge predicted", lambda x: x.law.lower),
        c.estimate("lower", "measured", lambda x: x.bulk.mean("lower")),
        c.number("upper_predicted", "upper edge predicted", lambda x: x.law.upper),
        c.estimate("upper", "measured", lambda x: x.bulk.mean("upper")),
        c.words("remarks", "remarks", lambda x: x.bulk.reason),
    )
    caption = (
        "Whole spectra: Kolmogorov-Smirnov distance of the measured bulk from its predicted law, as it is, scaled to "
        "the law's mean, and (the first networks of each cell) from the law of the network's own order parameters"
    )
    return Table.of("Whole spectra", caption, columns, [_WithLaw(b, b.law) for b in comparison.bulks if b.law])
