"""The tables of a report."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from meanfield.spec import Network
from verify.judging.difference import Difference
from verify.judging.inference import Estimate
from verify.judging.judged import Limit, Row
from verify.judging.pairing import LEVEL
from verify.judging.scaling import Series
from verify.judging.verdict import Comparison
from verify.reporting.names import (
    ORDER_PARAMETER_TITLES,
    STATISTIC_TITLES,
    VERDICT_TITLES,
    Named,
    network_names,
    sizes,
)  # fmt: skip
from verify.reporting.tables import Column, Table, plain

__all__ = [
    "bulks_table", "cells_table", "deciding_table", "failures_table", "fits_table", "measured_table",
    "order_parameters_table", "outliers_table", "provenance_table", "tables", "void_table",
]  # fmt: skip

_SYMBOLS = {
    "depth": "L", "weight_variance": "σ_w²", "bias_variance": "σ_b²", "outputs": "C", "width_ratios": "α",
}  # fmt: skip
_COEFFICIENTS = {0.0: "a₀", 0.5: "a½", 1.0: "a₁", 2.0: "a₂"}
REASONS = 20
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def measured_table(comparison: Comparison) -> Table:
    """What was measured: each network with all its fields, where, and how often."""
    names = network_names(comparison.networks)
    columns = (
        _NETWORK, Column("activation", "activation"), *(Column(key, sign, _brief) for key, sign in _SYMBOLS.items()),
        Column("metrics", "metrics"), Column("width", "M"), Column("samples", "N"), Column("trials", "networks a cell"),
    )  # fmt: skip
    rows = []
    for network in comparison.networks:
        seen = [r for r in comparison.rows if r.network == network]
        metrics = dict.fromkeys(r.metric.label for r in seen)
        named = _named(network, names)
        fields = {key.removeprefix("_"): value for key, value in named.parts().items() if key}
        rows.append((
            named, *fields.values(), "; ".join(metrics), _listed(r.observation.cell.width for r in seen),
            _listed(r.observation.cell.samples for r in seen), _range([r.trials for r in seen]),
        ))  # fmt: skip
    run = comparison.asked.get("run", {})
    how = ", ".join(f"{key} {run[key]}" for key in ("spectrum", "backend", "dtype", "seed") if key in run)
    return Table(
        "Each network law; one value where all layers have the same" + (how and f". Run: {how}"), columns, tuple(rows)
    )


def deciding_table(comparison: Comparison) -> Table:
    """The ratios that decide, with their verdicts."""
    names = network_names(comparison.networks)
    columns = (
        *_NAME, Column("at", "at", whole=True), _ORDER, _estimate("ratio", "ratio (95 % CI)"),
        _number("tolerance", "tolerance ±"), _VERDICT, _NEEDS, Column("remarks", "remarks"),
    )  # fmt: skip
    rows = tuple(
        (*_name(d, names), sizes(d), d.order, d.ratio, _judged(d)[0], d.verdict, d.trials_needed, _remarks(d))
        for d in comparison.deciding
    )
    return Table("What decides: measured / predicted, and how many more networks a decision needs", columns, rows)


def fits_table(comparison: Comparison) -> Table:
    """The series: exponents beside theory's, and the fitted ratio."""
    names = network_names(comparison.networks)
    limits = {id(limit.series): limit for limit in comparison.limits}
    used = sorted({p for s in comparison.series if s.fit for p in s.fit.powers})
    columns = (
        *_NAME, Column("held", "held"), _ORDER, _estimate("exponent", "exponent (95 % CI)"),
        _number("asymptotic", "leading order"), _number("expected", "theory at these points", "{:z.3f}"),
        *(_estimate(f"a_{p:g}", f"{_COEFFICIENTS[p]} (95 % CI)") for p in used),
        _number("goodness_of_fit", "goodness of fit p", "{:.2g}"), _number("detectable", "detects ±", "{:.3f}"),
    )  # fmt: skip
    rows = tuple((*_name(s, names), *_fitted(s, limits.get(id(s)), used)) for s in comparison.series)
    return Table("Exponents, and the weighted fit measured / predicted = a₀ + Σ aₚ M⁻ᵖ", columns, rows)


def cells_table(comparison: Comparison) -> Table:
    """Every cell: prediction, measurement, ratio, tests, verdict."""
    names = network_names(comparison.networks)
    columns = (
        *_NAME, _whole("width", "M"), _whole("samples", "N"), _whole("trials", "networks"),
        _ORDER, _number("predicted", "predicted"), _BAND, _number("leading", "leading order"),
        _number("measured", "measured"), _number("standard_error", "s.e.", "{:.2g}"),
        _estimate("ratio", "ratio (95 % CI)"), _number("tolerance", "tolerance ±", "{:.3f}"),
        _number("p_equivalent", "p inside", "{:.2g}"), _number("p_outside", "p outside", "{:.2g}"), _VERDICT, _NEEDS,
    )  # fmt: skip
    rows = tuple(
        (
            *_name(r, names), r.observation.cell.width, r.observation.cell.samples, r.trials, r.order,
            r.observation.predicted, r.observation.band, r.observation.leading, r.measured.value,
            r.measured.standard_error, r.ratio, *_judged(r), r.verdict, r.trials_needed,
        )
        for r in comparison.rows
    )  # fmt: skip
    return Table("Cells: one statistic of one metric at one width and sample number", columns, rows)


def outliers_table(comparison: Comparison) -> Table:
    """The outliers one by one, where theory tells them apart."""
    names = network_names(comparison.networks)
    columns = (
        Column("metric", "metric"), _NETWORK, _whole("width", "M"), _whole("samples", "N"),
        _whole("rank", "rank"), _number("predicted", "predicted"), _estimate("measured", "measured (95 % CI)"),
        _estimate("ratio", "ratio (95 % CI)"), Column("inside", "predicted inside"),
        _number("lower", "Theorem 3.3 from"), _number("upper", "to"),
    )  # fmt: skip
    rows = tuple(
        (
            r.metric.label, _named(r.cell.network, names), r.cell.width, r.cell.samples, rank, predicted, measured,
            measured.scaled(1 / predicted), _inside(predicted, measured),
            *(r.bounds if r.bounds and rank == 1 else (math.nan, math.nan)),
        )
        for r in comparison.ranks
        for rank, (predicted, measured) in enumerate(zip(r.predicted, r.measured, strict=True), start=1)
    )  # fmt: skip
    return Table("Each outlier of the widest networks, means over networks by rank", columns, rows)


def order_parameters_table(comparison: Comparison) -> Table:
    """The order parameters of the widest networks, layer by layer."""
    names = network_names(comparison.networks)
    columns = (
        _NETWORK, _whole("width", "M"), _whole("samples", "N"), Column("quantity", "quantity"),
        _whole("layer", "layer"), _number("predicted", "theory"), _estimate("measured", "measured (95 % CI)"),
        _estimate("ratio", "ratio (95 % CI)"),
    )  # fmt: skip
    rows = tuple(
        (
            _named(x.cell.network, names), x.cell.width, x.cell.samples, title, layer, float(predicted), measured,
            measured.scaled(1 / predicted) if predicted else _UNKNOWN,
        )
        for x in comparison.layers
        for name, title in ORDER_PARAMETER_TITLES.items()
        for layer, predicted, measured in zip(x.numbers(name), x.predicted[name], x.measured[name], strict=True)
    )  # fmt: skip
    return Table("Order parameters: theory for M → ∞, and means over the widest networks measured", columns, rows)


def bulks_table(comparison: Comparison) -> Table:
    """Whole spectra: how far the measured bulk is from its predicted law, and where both end."""
    names = network_names(comparison.networks)
    columns = (
        Column("metric", "metric"), _NETWORK, _whole("width", "M"), _whole("samples", "N"),
        _whole("networks", "networks"), _estimate("raw", "KS distance"), _estimate("normalised", "scaled to its mean"),
        _estimate("own", "own order parameters"), _number("lower_predicted", "lower edge predicted"),
        _estimate("lower", "measured"), _number("upper_predicted", "upper edge predicted"),
        _estimate("upper", "measured"), Column("remarks", "remarks"),
    )  # fmt: skip
    rows = tuple(
        (
            b.metric.label, _named(b.cell.network, names), b.cell.width, b.cell.samples, len(b.networks),
            b.mean("raw"), b.mean("normalised"), b.mean("own"), b.law.lower, b.mean("lower"), b.law.upper,
            b.mean("upper"), b.reason,
        )
        for b in comparison.bulks
        if b.law
    )  # fmt: skip
    return Table(
        "Whole spectra: Kolmogorov-Smirnov distance of the measured bulk from its predicted law, as it is, scaled to "
        "the law's mean, and (the first networks of each cell) from the law of the network's own order parameters",
        columns,
        rows,
    )


def void_table(comparison: Comparison) -> Table:
    """Where theory says of itself that it does not hold, and why."""
    names = network_names(comparison.networks)
    places: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
    for r in comparison.rows:
        if r.judgement is None:
            places[(*_name(r, names), r.observation.reason)].append(f"{r.observation.cell.width}")
    for b in comparison.bulks:
        if b.law is None:
            key = (b.metric.label, "law of the bulk", _named(b.cell.network, names), b.reason)
            places[key].append(f"{b.cell.width}")
    rows = tuple((*key[:3], ", ".join(dict.fromkeys(at)), key[3]) for key, at in places.items())
    columns = (*_NAME, Column("width", "M"), Column("reason", "reason"))
    return Table("Void: the theory names no number here, and the verdict leaves it out", columns, rows)


def failures_table(comparison: Comparison) -> Table:
    """Why trials failed, the commonest reasons first."""
    columns = (Column("reason", "reason"), _whole("trials", "trials"))
    named = [(reason, count) for reason, count in comparison.failures.items()]
    rest = sum(count for _, count in named[REASONS:])
    rows = [*named[:REASONS], *([(f"{len(named) - REASONS} other reasons", rest)] if rest else [])]
    return Table("Trials that failed and are in no figure", columns, tuple(rows))


def provenance_table(facts: Mapping[str, Any]) -> Table:
    """The facts as they came, nested ones with a name for each level; of a list of records, each different value."""
    columns = (Column("fact", "fact"), Column("value", "value"))
    rows = tuple((name.replace("_", " "), "; ".join(values)) for name, values in _flat("", plain(facts)).items())
    return Table("Where the figures come from", columns, rows)


def tables(comparison: Comparison, facts: Mapping[str, Any]) -> list[tuple[str, Table]]:
    """All tables that have a row, with their titles, in the order of a report."""
    everything = {
        "What decides": deciding_table(comparison),
        "Fits": fits_table(comparison),
        "Outliers": outliers_table(comparison),
        "Order parameters": order_parameters_table(comparison),
        "Cells": cells_table(comparison),
        "Whole spectra": bulks_table(comparison),
        "Void": void_table(comparison),
        "Failures": failures_table(comparison),
        "Provenance": provenance_table(facts),
    }
    return [(title, table) for title, table in everything.items() if table.rows]


def difference_table(differences: Iterable[Difference], names: Mapping[str, str]) -> Table:
    """Two stores side by side; ``names`` are those of the networks, by digest."""
    columns = (
        *_NAME, _whole("width", "M"), _whole("samples", "N"), Column("networks", "networks", number=True),
        _estimate("first", "A (95 % CI)"), _estimate("second", "B (95 % CI)"), _estimate("ratio", "B / A (95 % CI)"),
        _number("p", "p equal", "{:.2g}"), _number("farthest", "same network, farthest", "{:.1e}"),
    )  # fmt: skip
    rows = tuple(
        (
            d.metric.label, STATISTIC_TITLES[d.statistic], _named(d.cell.network, names), d.cell.width, d.cell.samples,
            "{} / {}".format(*d.networks), d.first, d.second, d.ratio, d.p, d.farthest,
        )
        for d in differences
    )  # fmt: skip
    return Table("What both stores have measured: A first, B second", columns, rows)


# --------------------------------------------------------------------------------------------------------------
# Columns and cells


def _number(key: str, heading: str, form: str = "{:.4g}") -> Column:
    return Column(key, heading, lambda x: "–" if math.isnan(x) else form.format(x), number=True)


def _whole(key: str, heading: str) -> Column:
    return Column(key, heading, number=True)


def _estimate(key: str, heading: str) -> Column:
    return Column(key, heading, _plus_minus, number=True, export=_parts)


def _plus_minus(e: Estimate) -> str:
    """With two significant digits of the error, within reason."""
    half = e.interval()[1] - e.value
    if not half > 0:
        return "–" if math.isnan(e.value) else f"{e.value:.4g}"
    decimals = min(6, max(0, 1 - math.floor(math.log10(half))))
    return f"{e.value:z.{decimals}f} ± {half:.{decimals}f}"


def _parts(e: Estimate) -> dict[str, float]:
    low, high = e.interval()
    return {"": e.value, "_se": e.standard_error, "_df": e.degrees, "_low": low, "_high": high}


_NETWORK = Column("network", "network", export=Named.parts)
_NAME = (Column("metric", "metric", whole=True), Column("statistic", "statistic"), _NETWORK)
_ORDER = Column("theory", "theory")
_BAND = Column(
    "band", f"{LEVEL:.0%} of networks", lambda b: f"{b[0]:.4g} .. {b[1]:.4g}" if b else "–", number=True,
    export=lambda b: dict(zip(("_low", "_high"), b or (math.nan, math.nan), strict=True)),
)  # fmt: skip
_VERDICT = Column("verdict", "verdict", lambda v: VERDICT_TITLES.get(v, ""))
_NEEDS = Column("trials_needed", "more needed", lambda n: "> 10⁷" if n is None else f"{n}", number=True)


def _name(what: Row | Limit | Series, names: Mapping[str, str]) -> tuple[str, str, Named]:
    return what.metric.label, STATISTIC_TITLES[what.statistic], _named(what.network, names)


def _named(network: Network, names: Mapping[str, str]) -> Named:
    return Named(names[network.digest], network)


def _brief(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(numbers))))


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _inside(predicted: float, measured: Estimate) -> str:
    low, high = measured.interval()
    return "–" if math.isnan(low) else "yes" if low <= predicted <= high else "no"


def _remarks(judged: Row | Limit) -> str:
    return "form does not fit" if isinstance(judged, Limit) and not judged.fits else ""


def _judged(judged: Row | Limit) -> tuple[float, float, float]:
    j = judged.judgement
    return (j.tolerance, j.p_equivalent, j.p_outside) if j else (math.nan,) * 3


def _fitted(s: Series, limit: Limit | None, used: Iterable[float]) -> tuple[Any, ...]:
    known = dict(zip(s.fit.powers, s.fit.coefficients, strict=True)) if s.fit else {}
    return (
        s.held, s.order, s.exponent, s.asymptotic, s.expected, *(known.get(p, _UNKNOWN) for p in used),
        s.fit.goodness if s.fit else math.nan, limit.judgement.detectable if limit else math.nan,
    )  # fmt: skip


def _flat(prefix: str, value: Any) -> dict[str, dict[str, None]]:
    """Names of leaves with their different values, in the order in which they come."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    if isinstance(value, Mapping) and value:
        inner = [(f"{prefix} {key}".strip(), v) for key, v in value.items()]
    elif isinstance(value, list) and any(isinstance(v, Mapping | list) for v in value):
        inner = [(prefix, v) for v in value]
    else:
        words = value if isinstance(value, list | Mapping) else ["unknown" if value is None else value]
        return {prefix: {", ".join(map(str, words)) or "none": None}}
    for name, v in inner:
        for leaf, values in _flat(name, v).items():
            found[leaf] |= values
    return found
