"""A report before it is spelled: names, sentences, tables and figures, each made once, for all formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from verify.judging.verdict import Comparison
from verify.reporting.figures.data import data_section
from verify.reporting.figures.distances import distances_section
from verify.reporting.figures.eigenvalues import eigenvalues_section
from verify.reporting.figures.extrapolation import extrapolation_section
from verify.reporting.figures.order_parameters import order_parameters_section
from verify.reporting.figures.outliers import outliers_section
from verify.reporting.figures.picture import Section
from verify.reporting.figures.scaling import samples_section, widths_section
from verify.reporting.figures.spectra import spectra_section
from verify.reporting.names import network_names
from verify.reporting.summary import counts, headline, remarks, rule
from verify.reporting.tables.cells import cells_table
from verify.reporting.tables.deciding import deciding_table
from verify.reporting.tables.eigenvalues import eigenvalues_table
from verify.reporting.tables.failures import failures_table
from verify.reporting.tables.fits import fits_table
from verify.reporting.tables.measured import measured_table
from verify.reporting.tables.order_parameters import order_parameters_table
from verify.reporting.tables.outliers import outliers_table
from verify.reporting.tables.provenance import provenance_table
from verify.reporting.tables.slopes import slopes_table
from verify.reporting.tables.spectra import spectra_table
from verify.reporting.tables.table import Table
from verify.reporting.tables.traces import traces_table
from verify.reporting.tables.void import void_table

__all__ = ["FIGURES", "TABLES", "Document"]

TABLES: Mapping[str, Callable[[Document], Table]] = {
    "measured": lambda d: measured_table(d.comparison, d.names),
    "deciding": lambda d: deciding_table(d.comparison, d.names),
    "series": lambda d: fits_table(d.comparison, d.names),
    "outliers": lambda d: outliers_table(d.comparison, d.names),
    "order_parameters": lambda d: order_parameters_table(d.comparison, d.names),
    "cells": lambda d: cells_table(d.comparison, d.names),
    "eigenvalues": lambda d: eigenvalues_table(d.comparison, d.names),
    "slopes": lambda d: slopes_table(d.comparison, d.names),
    "traces": lambda d: traces_table(d.comparison, d.names),
    "spectra": lambda d: spectra_table(d.comparison, d.names),
    "void": lambda d: void_table(d.comparison, d.names),
    "failures": lambda d: failures_table(d.comparison),
    "provenance": lambda d: provenance_table(d.facts),
}
"""The tables by their key in JSON, in the order of a report; the first one stands above the figures."""

FIGURES: tuple[Callable[[Comparison, Mapping[str, str]], Section], ...] = (
    widths_section,
    samples_section,
    extrapolation_section,
    spectra_section,
    distances_section,
    eigenvalues_section,
    data_section,
    outliers_section,
    order_parameters_section,
)
"""The kinds of figures, in the order of a report."""


@dataclass(frozen=True)
class Document:
    """What a report says of a comparison. Each part is made when first asked for, and kept.

    ``facts`` is where the figures come from (versions, seeds, wall time, failures, ...): any plain data; a date is in
    the report only if it is in there, so the same input gives the same bytes.
    """

    comparison: Comparison
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The short names of the networks, by digest."""
        return network_names(self.comparison.laws)

    @cached_property
    def headline(self) -> str:
        """One sentence: do theory and experiment agree, and where not."""
        return headline(self.comparison, self.names)

    @cached_property
    def remarks(self) -> list[str]:
        """What the headline leaves out."""
        return remarks(self.comparison, self.facts, self.names)

    @cached_property
    def rule(self) -> str:
        """How the verdict comes about."""
        return rule(self.comparison)

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many pass, fail, are unclear or void: among what decides, and among the cells."""
        return counts(self.comparison)

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """All of ``TABLES``; some may have no row."""
        return {key: make(self) for key, make in TABLES.items()}

    @cached_property
    def sections(self) -> list[Section]:
        """The figures, in those sections that have one."""
        found = (make(self.comparison, self.names) for make in FIGURES)
        return [section for section in found if section.pictures]
